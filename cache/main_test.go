package cache_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/cache"
	"github.com/stampede-shop/stampede/internal/local/localtest"
)

func TestMain(m *testing.M) {
	if redis := os.Getenv(readerEnv); redis != "" { // we are one of the processes of TestStampede
		if err := readerMain(redis); err != nil {
			fmt.Fprintln(os.Stderr, "reader:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	localtest.Main(m)
}

// bus joins Stores of one process as if they were processes of their own: every subscriber but none of another bus has
// handled a message when Broadcast returns.
type bus struct {
	mu   sync.Mutex
	next int
	subs map[int]func([]byte)
	fail error // what Broadcast answers instead of delivering
}

func (b *bus) Broadcast(_ context.Context, data []byte) error {
	b.mu.Lock()
	err, subs := b.fail, slices.Collect(maps.Values(b.subs))
	b.mu.Unlock()
	if err != nil {
		return err
	}
	for _, s := range subs {
		s(data)
	}
	return nil
}

func (b *bus) Subscribe(fn func([]byte)) (func(), error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.subs == nil {
		b.subs = map[int]func([]byte){}
	}
	b.next++
	id := b.next
	b.subs[id] = fn
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.subs, id)
	}, nil
}

func (b *bus) breakWith(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fail = err
}

// store makes a Store; unless told otherwise it is patient, because a busy machine is not what most tests are about.
func store(tb testing.TB, o cache.Options) *cache.Store {
	tb.Helper()
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	s, err := cache.NewStore(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)
	return s
}

// pair makes two processes that share a Redis and a bus.
func pair(tb testing.TB, redis string, tune func(*cache.Options)) (a, b *cache.Store, wire *bus) {
	tb.Helper()
	wire = &bus{}
	o := cache.Options{Redis: []string{redis}, Bus: wire, Probe: 50 * time.Millisecond}
	if tune != nil {
		tune(&o)
	}
	return store(tb, o), store(tb, o), wire
}

func eventually(tb testing.TB, what string, check func() bool) {
	tb.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for !check() {
		select {
		case <-tick.C:
		case <-deadline:
			tb.Fatalf("timed out: %s", what)
		}
	}
}

// db is a table behind a cache; it counts its reads.
type db struct {
	mu    sync.Mutex
	rows  map[string]string
	reads int
}

var errNoRow = errors.New("no such row")

func (d *db) set(key, value string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.rows == nil {
		d.rows = map[string]string{}
	}
	if d.rows[key] = value; value == "" {
		delete(d.rows, key)
	}
}

func (d *db) load(key string) func(context.Context) (string, []string, error) {
	return func(context.Context) (string, []string, error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.reads++
		v, ok := d.rows[key]
		if !ok {
			return "", []string{key}, errNoRow
		}
		return v, []string{key}, nil
	}
}

func (d *db) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.reads
}

// get fails the test on an error and returns value and tier.
func get(tb testing.TB, f *cache.Family[string], d *db, key string) (string, cache.Source) {
	tb.Helper()
	v, src, err := f.Get(tb.Context(), key, d.load(key))
	if err != nil {
		tb.Fatalf("Get(%q): %v", key, err)
	}
	return v, src
}

// settled waits until what was loaded has reached Redis: another process finds it there.
func settled(tb testing.TB, s *cache.Store, family, key, want string) {
	tb.Helper()
	eventually(tb, "the value reaches L2", func() bool {
		probe := cache.New[string](s, family, cache.FamilyOptions{L1TTL: time.Nanosecond})
		v, src, err := probe.Get(tb.Context(), key, func(context.Context) (string, []string, error) { return "", nil, errNoRow })
		return err == nil && src == cache.L2 && v == want
	})
}
