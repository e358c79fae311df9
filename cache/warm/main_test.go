package warm_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/stampede-shop/stampede/cache/warm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shelf is a cache in front of a database, both made of maps.
type shelf struct {
	epoch  string
	before func(ctx context.Context, keys []string) error // may be nil

	mu    sync.Mutex
	held  map[string]bool
	gone  map[string]bool
	loads []string // in order
	asked int
}

func newShelf() *shelf { return &shelf{epoch: "1", held: map[string]bool{}, gone: map[string]bool{}} }

func (s *shelf) Name() string { return "shelf" }

func (s *shelf) Epoch() string { return s.epoch }

func (s *shelf) Warm(ctx context.Context, keys []string) (out warm.Outcome, err error) {
	if s.before != nil {
		if err := s.before(ctx, keys); err != nil {
			return out, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked += len(keys)
	for _, k := range keys {
		switch {
		case s.gone[k]:
			out.Gone = append(out.Gone, k)
		case !s.held[k]:
			s.held[k] = true
			s.loads = append(s.loads, k)
			out.Loaded = append(out.Loaded, k)
		}
	}
	return out, nil
}

func (s *shelf) loaded() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.loads)
}

func (s *shelf) has() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.held))
}

// memory is a Store that outlives a Warmer.
type memory struct {
	mu   sync.Mutex
	docs map[string][]byte
	fail error
}

func (m *memory) Save(_ context.Context, name string, data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.docs == nil {
		m.docs = map[string][]byte{}
	}
	if m.docs[name] = data; data == nil {
		delete(m.docs, name)
	}
	return m.fail
}

func (m *memory) Load(_ context.Context, name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.docs[name], m.fail
}

func (m *memory) has(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.docs[name] != nil
}

func open(tb testing.TB, o warm.Options, tiers ...warm.Tier) *warm.Warmer {
	tb.Helper()
	w, err := warm.New(o, tiers...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(w.Close)
	return w
}

// numbered are n keys, k000 first.
func numbered(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("k%03d", i)
	}
	return keys
}

// falling foretells that numbered keys are asked for less and less.
func falling(n int) warm.Predictor {
	return predictor(func(most int) (out []warm.Demand) {
		for i, k := range numbered(min(n, most)) {
			out = append(out, warm.Demand{Key: k, Rate: 1 / float64(i+1)})
		}
		return out
	})
}
