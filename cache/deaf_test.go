package cache_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/stampede-shop/stampede/cache"
	"github.com/stampede-shop/stampede/internal/local/localtest"
)

// line is a bus that can say that it hears nothing.
type line struct {
	bus
	dead atomic.Bool
}

func (l *line) Live() bool { return !l.dead.Load() }

// TestDeafProcessDoesNotTrustItsMemory: what others invalidate meanwhile does not reach it.
func TestDeafProcessDoesNotTrustItsMemory(t *testing.T) {
	t.Parallel()
	r := localtest.Redis(t)
	wire := &line{}
	var asked atomic.Int32
	deaf := store(t, cache.Options{Redis: []string{r.Addr}, Bus: wire, Unheard: func(context.Context) { asked.Add(1) }})
	other := store(t, cache.Options{Redis: []string{r.Addr}})
	rows := cache.New[string](deaf, "row", cache.FamilyOptions{})
	patient := cache.New[string](deaf, "units", cache.FamilyOptions{L1Only: true, AnyAge: true})
	var d db
	d.set("1", "old")
	get(t, patient, &d, "1")
	seed(t, deaf, &d, "1")
	if v, src := get(t, rows, &d, "1"); v != "old" || src == cache.Load {
		t.Fatalf("%q from %v before", v, src)
	}
	if asked.Load() != 0 {
		t.Fatal("asked while it hears everything")
	}
	wire.dead.Store(true)
	cache.NextTick(deaf)
	d.set("1", "new")
	if err := other.Invalidate(t.Context(), []string{"1"}); err != nil {
		t.Fatal(err)
	}
	if v, ok := rows.Peek("1"); ok {
		t.Errorf("peeked %q", v)
	}
	if v, _ := get(t, rows, &d, "1"); v != "new" || asked.Load() != 1 {
		t.Errorf("%q, asked %d times what it was not told", v, asked.Load())
	}
	d.set("1", "newer")
	if err := other.Invalidate(t.Context(), []string{"1"}); err != nil {
		t.Fatal(err)
	}
	many, _, err := rows.GetMany(t.Context(), []string{"1"}, func(context.Context, []string) (map[string]cache.Loaded[string], error) {
		return map[string]cache.Loaded[string]{"1": {Value: "newer", Tags: []string{"1"}}}, nil
	})
	if err != nil || many["1"] != "newer" || asked.Load() != 2 {
		t.Errorf("%v, %v, asked %d times", many, err, asked.Load())
	}
	if v, src := get(t, patient, &d, "1"); v != "old" || src != cache.L1 {
		t.Errorf("%q from %v, though any age will do", v, src)
	}
}
