package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"gopkg.in/yaml.v3"
)

const (
	purgeProducts = 400 // changed one after another, after some that warm up
	purgeWarmUp   = 20
	purgePause    = 500 * time.Microsecond // between two looks of an observer
	purgeWithin   = 5 * time.Second        // or it is no purge
)

// benchPurge changes products of a whole platform while they are looked at everywhere: at the edge and at each API process
// with its caches in process and in Redis. Of each change it measures from the commit, as the database shows it, to the last
// look anywhere that still got the old version. STAMPEDE_DATA names a platform that runs already.
func benchPurge(ctx context.Context) (_ result, err error) {
	data := os.Getenv("STAMPEDE_DATA")
	if data == "" {
		var stop func()
		if data, stop, err = startPlatform(ctx, "--apis", "3", "--products", "2000"); err != nil {
			return result{}, err
		}
		defer stop()
	}
	p, err := openPurge(ctx, data)
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, p.db.Close(context.WithoutCancel(ctx))) }()
	ids, err := p.ids(ctx)
	if err != nil {
		return result{}, err
	}
	times := map[string][]time.Duration{}
	for i, id := range ids {
		c, err := p.change(ctx, id)
		if err != nil {
			return result{}, fmt.Errorf("product %d: %w", id, err)
		}
		if i < purgeWarmUp {
			continue
		}
		for name, d := range c {
			times[name] = append(times[name], d)
		}
	}
	r := result{Unit: "ms", Ours: ms(timingOf(times["everywhere"], time.Second).p99), Runs: len(times["everywhere"]), Details: map[string]any{}}
	for name, all := range times {
		t := timingOf(all, time.Second)
		r.Details[name+"_p50_p95_p99_ms"] = []float64{ms(t.p50), ms(t.p95), ms(t.p99)}
	}
	return r, nil
}

// purging is a platform and those who look at its products.
type purging struct {
	token string
	edge  string
	looks map[string]*http.Client // by process; the edge's goes to its address, the others' to their socket
	db    *pgx.Conn
}

const productVersion = "SELECT version FROM products WHERE id = $1"

func openPurge(ctx context.Context, data string) (*purging, error) {
	var cfg struct {
		Catalog struct{ Primary string }
		Edge    struct{ Origins []string }
		Admin   struct{ Token string }
	}
	var state struct{ URL string }
	for name, into := range map[string]any{"config.yaml": &cfg, "state.json": &state} { // JSON is YAML
		raw, err := os.ReadFile(filepath.Join(data, "run", name))
		if err == nil {
			err = yaml.Unmarshal(raw, into)
		}
		if err != nil {
			return nil, err
		}
	}
	db, err := pgx.Connect(ctx, cfg.Catalog.Primary)
	if err != nil {
		return nil, err
	}
	p := &purging{token: cfg.Admin.Token, edge: state.URL, db: db, looks: map[string]*http.Client{"edge": {Timeout: purgeWithin}}}
	for _, o := range cfg.Edge.Origins {
		path, unix := strings.CutPrefix(o, "unix:")
		if !unix {
			continue
		}
		p.looks[filepath.Base(path)] = &http.Client{Timeout: purgeWithin, Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		}}}
	}
	return p, nil
}

// ids are products to change.
func (p *purging) ids(ctx context.Context) (ids []int64, err error) {
	rows, err := p.db.Query(ctx, "SELECT id FROM products WHERE deleted_at IS NULL ORDER BY id LIMIT $1", purgeWarmUp+purgeProducts)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// change changes a product and says by process how long after the commit it was last seen as it was, and how long the writer
// waited.
func (p *purging) change(ctx context.Context, id int64) (map[string]time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, purgeWithin)
	defer cancel()
	var old int64
	if err := p.db.QueryRow(ctx, productVersion, id).Scan(&old); err != nil {
		return nil, err
	}
	for range 2 { // into every cache
		for name := range p.looks {
			if v, err := p.look(ctx, name, id); err != nil || v != old {
				return nil, fmt.Errorf("%s has version %d instead of %d before the change: %w", name, v, old, err)
			}
		}
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	last, errs := map[string]time.Time{}, []error{}
	watch := func(name string, look func() (int64, error), when func(asked, answered time.Time) time.Time) {
		wg.Go(func() {
			at, err := lastSeen(old, look, when)
			mu.Lock()
			defer mu.Unlock()
			last[name], errs = at, append(errs, err)
		})
	}
	watch("database", func() (v int64, err error) {
		err = p.db.QueryRow(ctx, productVersion, id).Scan(&v)
		return v, err
	}, func(asked, _ time.Time) time.Time { return asked }) // committed later than that
	for name := range p.looks {
		watch(name, func() (int64, error) { return p.look(ctx, name, id) }, func(_, answered time.Time) time.Time { return answered })
	}
	began := time.Now()
	err := p.patch(ctx, id, old)
	took := time.Since(began)
	wg.Wait()
	if err = errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	committed := last["database"]
	if committed.IsZero() { // before the first look: then no earlier than this
		committed = began
	}
	out := map[string]time.Duration{"writer": took}
	for name := range p.looks {
		out[name] = max(0, last[name].Sub(committed))
		out["everywhere"] = max(out["everywhere"], out[name])
	}
	return out, nil
}

// lastSeen looks until the version is no longer old, and says when it last was.
func lastSeen(old int64, look func() (int64, error), when func(asked, answered time.Time) time.Time) (last time.Time, err error) {
	for {
		asked := time.Now()
		v, err := look()
		if err != nil || v > old {
			return last, err
		}
		last = when(asked, time.Now())
		time.Sleep(purgePause)
	}
}

// look asks a process for a product's version.
func (p *purging) look(ctx context.Context, name string, id int64) (version int64, err error) {
	base := "http://" + name
	if name == "edge" {
		base = p.edge
	}
	var product struct{ Version int64 }
	err = p.do(ctx, p.looks[name], http.MethodGet, fmt.Sprintf("%s/products/%d", base, id), "", &product)
	return product.Version, err
}

func (p *purging) patch(ctx context.Context, id, old int64) error {
	return p.do(ctx, p.looks["edge"], http.MethodPatch, fmt.Sprintf("%s/products/%d", p.edge, id), fmt.Sprintf(`{"price":%d}`, 1000+old), nil)
}

func (p *purging) do(ctx context.Context, c *http.Client, method, url, body string, into *struct{ Version int64 }) error {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/merge-patch+json")
		req.Header.Set("Authorization", "Bearer "+p.token)
	}
	res, err := c.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %d %.200s: %w", method, url, res.StatusCode, text, errors.Join(err, errors.New("not answered well")))
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}
