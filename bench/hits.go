package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	hitsWorkers = 16
	hitsMillion = 1_000_000
	hitsWarmUp  = 60_000 // requests before those that count, at least; one for each product where there are more
	hitsCounted = 60_000
	hitsData    = "STAMPEDE_BENCH_DATA"
	hitsWithin  = "STAMPEDE_BENCH_FOR"
	hitsFor     = 6 * time.Minute  // the longest warming up, unless hitsWithin says another
	hitsSay     = 10 * time.Second // how often it says how it goes
)

// benchHits browses a platform (see hitsMix), and looks at each answer's Cache-Status and Server-Timing for the tier that gave it: with
// the catalogue that STAMPEDE_CATALOG names (else one made up) and with a million products. STAMPEDE_BENCH_DATA names a folder in which
// the platforms' data outlive the run, so that the next one need not import again; STAMPEDE_BENCH_ONLY=catalogue or million runs one of the
// two; STAMPEDE_BENCH_FOR is how long each is browsed at most before what counts, and a tenth of it is a bound for that.
func benchHits(ctx context.Context) (_ result, err error) {
	within := hitsFor
	if text := os.Getenv(hitsWithin); text != "" {
		if within, err = time.ParseDuration(text); err != nil {
			return result{}, fmt.Errorf("%s: %w", hitsWithin, err)
		}
	}
	dir := os.Getenv(hitsData)
	if dir == "" {
		if dir, err = os.MkdirTemp("", "stampede-bench-"); err != nil {
			return result{}, err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // PostgreSQL's user passes through
		return result{}, err
	}
	r := result{Unit: "% of the requests for popular products and lists that no database was asked for", Runs: 1, Details: map[string]any{}}
	t := newTable("catalogue", "products", "requests before", "tier", "all %", "popular %", "popular products %")
	catalogue := []string{}
	if c := os.Getenv("STAMPEDE_CATALOG"); c != "" {
		catalogue = []string{"--catalog", c}
	}
	for name, args := range map[string][]string{"catalogue": catalogue, "million": {"--products", fmt.Sprint(hitsMillion)}} {
		if only := os.Getenv("STAMPEDE_BENCH_ONLY"); only != "" && only != name {
			continue
		}
		got, err := hitsOf(ctx, filepath.Join(dir, name), args, within)
		if err != nil {
			return r, fmt.Errorf("%s: %w", name, err)
		}
		got.rows(t, name)
		popular := 100 - got.share(tierSource, kindPopularList, kindPopularProduct)
		if r.Ours == 0 || popular < r.Ours {
			r.Ours = popular
		}
		r.Details[name+"_edge_alone_popular"] = got.share(tierEdge, kindPopularList, kindPopularProduct)
	}
	t.print()
	r.Details["columns"], r.Details["rows"] = t.head, t.rows
	return r, nil
}

// The tiers, from the shopper down; what they do not have is asked of a database.
const (
	tierEdge   = "edge"
	tierMemory = "API process (L1)"
	tierRedis  = "Redis (L2)"
	tierSource = "database"
)

var tierNames = []string{tierEdge, tierMemory, tierRedis, tierSource}

// hits counts who answered, by kind.
type hits struct {
	products, before int
	of               [kinds]map[string]int
	busy             int // refusals
}

func (h *hits) add(kind int, tier string) {
	if h.of[kind] == nil {
		h.of[kind] = map[string]int{}
	}
	h.of[kind][tier]++
}

// share is the share of a tier in the requests of some kinds, in %.
func (h *hits) share(tier string, of ...int) float64 {
	n, all := 0, 0
	for _, k := range of {
		for name, c := range h.of[k] {
			if all += c; name == tier {
				n += c
			}
		}
	}
	return 100 * float64(n) / float64(max(all, 1))
}

func (h *hits) rows(t *table, name string) {
	for _, tier := range tierNames {
		t.add(name, h.products, h.before, tier, h.share(tier, kindList, kindPopularList, kindProduct, kindPopularProduct),
			h.share(tier, kindPopularList, kindPopularProduct), h.share(tier, kindPopularProduct))
	}
}

// hitsOf runs one platform.
func hitsOf(ctx context.Context, data string, args []string, within time.Duration) (*hits, error) {
	up := append([]string{"up", "--detach", "--data", data, "--port", "0", "--ops-port", "0", "--shards", "2", "--replicas", "1"}, args...)
	if _, err := stampede(ctx, up...); err != nil {
		return nil, err
	}
	defer func() { _, _ = stampede(context.WithoutCancel(ctx), "down", "--data", data) }()
	client, err := newOpsClient(ctx, data)
	if err != nil {
		return nil, err
	}
	m, err := learnMix(ctx, data, 1)
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(os.Stderr, m)
	before, err := m.browse(ctx, client.url, max(hitsWarmUp, len(m.products)), within, 1)
	if err != nil {
		return nil, err
	}
	out, err := m.browse(ctx, client.url, hitsCounted, within/10, 2)
	out.products, out.before = len(m.products), before.requests()
	return out, err
}

func (h *hits) requests() (n int) {
	for _, tiers := range h.of {
		for _, c := range tiers {
			n += c
		}
	}
	return n
}

// browse asks n times, or for as long as it may, and counts by tier. An answer that is none is an error.
func (m *hitsMix) browse(ctx context.Context, base string, n int, within time.Duration, seed uint64) (*hits, error) {
	client := &http.Client{Timeout: openTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: hitsWorkers, DisableCompression: true}}
	defer client.CloseIdleConnections()
	over, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	b := &browser{m: m, base: base, client: client, begun: time.Now()}
	b.left.Store(int64(n))
	var wg sync.WaitGroup
	for w := range hitsWorkers {
		wg.Go(func() { b.run(over, rand.New(rand.NewPCG(seed, uint64(w)))) }) //nolint:gosec // a load
	}
	wg.Wait()
	b.say()
	return &b.all, errors.Join(b.failed, ctx.Err())
}

// browser is several shoppers and what they count together.
type browser struct {
	m      *hitsMix
	base   string
	client *http.Client
	left   atomic.Int64
	begun  time.Time

	mu     sync.Mutex
	all    hits
	late   hits // since it was last said how it goes
	said   time.Time
	failed error
}

func (b *browser) run(ctx context.Context, rng *rand.Rand) {
	for b.left.Add(-1) >= 0 && ctx.Err() == nil {
		path, kind := b.m.draw(rng)
		tier, busy, err := patiently(ctx, b.client, b.base+path)
		if ctx.Err() != nil || !b.count(kind, tier, busy, err) {
			return
		}
	}
}

// count is false when there is no use in going on.
func (b *browser) count(kind int, tier string, busy int, err error) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		b.failed = errors.Join(b.failed, err)
	}
	if b.failed != nil {
		return false
	}
	for _, h := range []*hits{&b.all, &b.late} {
		h.add(kind, tier)
		h.busy += busy
	}
	if time.Since(b.said) >= hitsSay && time.Since(b.begun) >= hitsSay {
		b.sayLocked()
	}
	return true
}

func (b *browser) say() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sayLocked()
}

// sayLocked tells how it went since it was last told, and from how many requests on.
func (b *browser) sayLocked() {
	since := b.said
	if since.IsZero() {
		since = b.begun
	}
	n := b.late.requests()
	fmt.Fprintf(os.Stderr, "%4.0f s: %d requests, lately %.0f/s, %d refused; popular products:", time.Since(b.begun).Seconds(), b.all.requests(),
		float64(n)/time.Since(since).Seconds(), b.late.busy)
	for _, tier := range tierNames {
		fmt.Fprintf(os.Stderr, " %s %.1f %%", tier, b.late.share(tier, kindPopularProduct))
	}
	fmt.Fprintln(os.Stderr)
	b.late, b.said = hits{}, time.Now()
}

// hitsPatience is for how many seconds in a row a platform may refuse because it is busy.
const hitsPatience = 60

// patiently asks again while the platform is busy, and says how often it was: what it refuses, no tier has answered.
func patiently(ctx context.Context, client *http.Client, url string) (tier string, busy int, err error) {
	for busy = range hitsPatience {
		if tier, err = tierOf(client, url); !errors.Is(err, errBusy) {
			return tier, busy, err
		}
		if err := pause(ctx, time.Second); err != nil {
			return "", busy, err
		}
	}
	return tier, busy, err
}

// hitOfRedis and hitOfMemory find in a Server-Timing a tier that had what was asked for; a time may stand before that.
var (
	hitOfRedis  = regexp.MustCompile(`\bl2;[^,]*\bdesc=hit`)
	hitOfMemory = regexp.MustCompile(`\bl1;[^,]*\bdesc=hit`)
)

var errBusy = errors.New("refused for now")

// tierOf asks for an address and reads who answered.
func tierOf(client *http.Client, url string) (string, error) {
	res, err := client.Get(url) //nolint:noctx // the client's time-out bounds it
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	_, err = io.Copy(io.Discard, res.Body)
	switch {
	case err != nil:
		return "", err
	case res.StatusCode == http.StatusServiceUnavailable:
		return "", fmt.Errorf("GET %s: %w", url, errBusy)
	case res.StatusCode != http.StatusOK:
		return "", fmt.Errorf("GET %s: %s", url, res.Status)
	}
	return tierIn(strings.Join(res.Header["Cache-Status"], ","), strings.Join(res.Header["Server-Timing"], ",")), nil
}

// tierIn is who answered, by the lowest tier that was asked and had it.
func tierIn(status, timing string) string {
	switch {
	case strings.Contains(status, "; hit") || strings.Contains(status, "; collapsed"):
		return tierEdge
	case askedCatalogue.MatchString(timing):
		return tierSource
	case hitOfRedis.MatchString(timing):
		return tierRedis
	case hitOfMemory.MatchString(timing):
		return tierMemory
	}
	return tierSource
}
