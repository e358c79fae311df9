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
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	hitsWorkers = 16
	hitsMillion = 1_000_000
	hitsWarmUp  = 60_000 // requests before those that count, at least; one for each address where there are more
	hitsCounted = 60_000
	hitsPopular = 10 // one of so many addresses is popular
	hitsData    = "STAMPEDE_BENCH_DATA"
)

// benchHits browses a platform, every other time a product or its page and a list, by Zipf's law with s = 1, and looks at each answer's
// Cache-Status and Server-Timing for the tier that gave it: with the catalogue that STAMPEDE_CATALOG names (else one made up) and with a
// million products. STAMPEDE_BENCH_DATA names a folder in which the platforms' data outlive the run, so that the next one need not import
// again; STAMPEDE_BENCH_ONLY=catalogue or million runs one of the two.
func benchHits(ctx context.Context) (_ result, err error) {
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
	r := result{Unit: "% of the requests for popular addresses that no database was asked for", Runs: 1, Details: map[string]any{}}
	t := newTable("catalogue", "addresses", "tier", "all %", "popular tenth %")
	catalogue := []string{}
	if c := os.Getenv("STAMPEDE_CATALOG"); c != "" {
		catalogue = []string{"--catalog", c}
	}
	for name, args := range map[string][]string{"catalogue": catalogue, "million": {"--products", fmt.Sprint(hitsMillion)}} {
		if only := os.Getenv("STAMPEDE_BENCH_ONLY"); only != "" && only != name {
			continue
		}
		got, err := hitsOf(ctx, filepath.Join(dir, name), args)
		if err != nil {
			return r, fmt.Errorf("%s: %w", name, err)
		}
		got.rows(t, name)
		popular := 100 - got.share(tierSource, true)
		if r.Ours == 0 || popular < r.Ours {
			r.Ours = popular
		}
		r.Details[name+"_edge_alone_popular"] = got.share(tierEdge, true)
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

// hits counts who answered, of all requests and of those for popular addresses.
type hits struct {
	addresses    int
	all, popular map[string]int
}

func (h *hits) share(tier string, popular bool) float64 {
	of, n := h.all, 0
	if popular {
		of = h.popular
	}
	for _, c := range of {
		n += c
	}
	return 100 * float64(of[tier]) / float64(max(n, 1))
}

func (h *hits) rows(t *table, name string) {
	for _, tier := range []string{tierEdge, tierMemory, tierRedis, tierSource} {
		t.add(name, h.addresses, tier, h.share(tier, false), h.share(tier, true))
	}
}

// hitsOf runs one platform.
func hitsOf(ctx context.Context, data string, args []string) (*hits, error) {
	up := append([]string{"up", "--detach", "--data", data, "--port", "0", "--ops-port", "0", "--shards", "2", "--replicas", "1"}, args...)
	if _, err := stampede(ctx, up...); err != nil {
		return nil, err
	}
	defer func() { _, _ = stampede(context.WithoutCancel(ctx), "down", "--data", data) }()
	client, err := newOpsClient(ctx, data)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	b, err := learnBrowsing(ctx, client.url, 1)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(os.Stderr, "%v, learnt in %v\n", b, time.Since(began).Round(time.Second))
	if _, err := b.classify(ctx, client.url, max(hitsWarmUp, len(b.products)+len(b.lists)), 1); err != nil {
		return nil, err
	}
	return b.classify(ctx, client.url, hitsCounted, 2)
}

// classify asks n times and counts by tier. An answer that is none is an error.
func (b *browsing) classify(ctx context.Context, base string, n int, seed uint64) (*hits, error) {
	client := &http.Client{Timeout: openTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: hitsWorkers, DisableCompression: true}}
	defer client.CloseIdleConnections()
	out := &hits{addresses: len(b.products) + len(b.lists), all: map[string]int{}, popular: map[string]int{}}
	var mu sync.Mutex
	var left atomic.Int64
	var failed []error
	left.Store(int64(n))
	var wg sync.WaitGroup
	for w := range hitsWorkers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(w))) //nolint:gosec // a load
			for left.Add(-1) >= 0 && ctx.Err() == nil {
				path, popular := b.draw(rng)
				tier, err := patiently(ctx, client, base+path)
				mu.Lock()
				if out.all[tier]++; popular {
					out.popular[tier]++
				}
				if err != nil {
					failed = append(failed, err)
				}
				stop := len(failed) > 0
				mu.Unlock()
				if stop {
					return
				}
			}
		})
	}
	wg.Wait()
	return out, errors.Join(append(failed, ctx.Err())...)
}

// draw is pick with a source of chance of the caller's own; popular tells whether the address is of the first tenth of its kind.
func (b *browsing) draw(rng *rand.Rand) (path string, popular bool) {
	from := b.products
	if rng.IntN(2) == 0 {
		from = b.lists
	}
	n := len(from)
	k := min(sort.SearchFloat64s(b.harmonic[:n], rng.Float64()*b.harmonic[n-1]), n-1)
	return from[k], k < max(1, n/hitsPopular)
}

// hitsPatience is for how many seconds in a row a platform may refuse because it is busy.
const hitsPatience = 60

// patiently asks again while the platform is busy: what it refuses, no tier has answered.
func patiently(ctx context.Context, client *http.Client, url string) (tier string, err error) {
	for range hitsPatience {
		if tier, err = tierOf(client, url); !errors.Is(err, errBusy) {
			return tier, err
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	return tier, err
}

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
	if status := strings.Join(res.Header["Cache-Status"], ","); strings.Contains(status, "; hit") || strings.Contains(status, "; collapsed") {
		return tierEdge, nil
	}
	switch timing := strings.Join(res.Header["Server-Timing"], ","); {
	case askedCatalogue.MatchString(timing):
		return tierSource, nil
	case strings.Contains(timing, "l2;desc=hit"):
		return tierRedis, nil
	case strings.Contains(timing, "l1;desc=hit"):
		return tierMemory, nil
	}
	return tierSource, nil
}
