// Package storetest is what every analytics.Store has to pass.
package storetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stampede-shop/stampede/analytics"
)

// Open opens an empty store, which is closed with the test.
type Open func(t testing.TB) analytics.Store

// Noon is a moment that batches begin at.
var Noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// BatchOf makes a batch with events of all forms, short and long texts, and absent fields.
func BatchOf(n int, at time.Time) *analytics.Batch {
	b := &analytics.Batch{Received: at.UnixMicro()}
	for i := range n {
		e := analytics.Event{ID: analytics.NewID(), Time: at.Add(time.Duration(i) * time.Millisecond), Kind: analytics.KindView, Shopper: uint64(i%7) << 60,
			Product: int64(i % 5), Category: []string{"", "a", "twelve bytes", "thirteen byte", strings.Repeat("long ", 20)}[i%5]}
		if i%10 == 0 {
			e.Kind, e.Order, e.Amount, e.Quantity, e.Currency, e.Attributes = analytics.KindOrder, analytics.NewID(), int64(-i), int32(i), "EUR", `{"a":"ü"}`
		}
		b.Add(&e)
	}
	return b
}

// Append appends, or fails the test.
func Append(t testing.TB, s analytics.Store, at analytics.Place, batches ...*analytics.Batch) {
	t.Helper()
	if err := s.Append(t.Context(), batches, at); err != nil {
		t.Fatal(err)
	}
}

// Run tests everything but SQL.
func Run(t *testing.T, open Open) {
	for name, f := range map[string]func(*testing.T, analytics.Store){"round trip": roundTrip, "place": place, "received": received, "late": late} {
		t.Run(name, func(t *testing.T) { t.Parallel(); f(t, open(t)) })
	}
}

func roundTrip(t *testing.T, s analytics.Store) {
	b, more := BatchOf(5000, Noon), BatchOf(10, Noon.Add(time.Hour)) // more than two of DuckDB's chunks; words of two batches
	Append(t, s, analytics.Place{Stream: "x'y", Sequence: 7}, b, more)
	got := map[analytics.ID]analytics.Event{}
	err := s.Recent(t.Context(), Noon, 10_000, func(b *analytics.Batch) {
		for i := range b.Len() {
			got[b.IDs[i]] = b.Event(i)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range []*analytics.Batch{b, more} {
		for i := range b.Len() {
			want := b.Event(i)
			want.Attributes, want.Source = "", "" // Recent leaves them out
			if diff := cmp.Diff(want, got[want.ID]); diff != "" {
				t.Fatalf("event %d: %s", i, diff)
			}
		}
	}
	var newest []analytics.ID
	if err := s.Recent(t.Context(), Noon, 3, func(b *analytics.Batch) { newest = append(newest, b.IDs...) }); err != nil {
		t.Fatal(err)
	}
	if want := []analytics.ID{more.IDs[9], more.IDs[8], more.IDs[7]}; !slices.Equal(newest, want) {
		t.Errorf("the newest are %v, want %v", newest, want)
	}
	if st, err := s.Stats(t.Context()); err != nil || st.Events != 5010 || st.Bytes <= 0 || time.Since(st.Since) > time.Minute {
		t.Errorf("%+v %v", st, err)
	}
}

func place(t *testing.T, s analytics.Store) {
	if at, err := s.Place(t.Context()); err != nil || at != (analytics.Place{}) {
		t.Fatalf("an empty store is at %v: %v", at, err)
	}
	for _, c := range []struct {
		at     analytics.Place
		events int
	}{{analytics.Place{Stream: "x'y", Sequence: 7}, 3}, {analytics.Place{Stream: "x'y", Sequence: 9}, 0}, {analytics.Place{Stream: "x'y", Sequence: 11}, 0},
		{analytics.Place{Stream: "x'y", Sequence: 12}, 2}, {analytics.Place{Stream: "anew", Sequence: 1}, 1}, {analytics.Place{Stream: "newer"}, 0}} {
		Append(t, s, c.at, BatchOf(c.events, Noon))
		if at, err := s.Place(t.Context()); err != nil || at != c.at {
			t.Fatalf("at %v, want %v: %v", at, c.at, err)
		}
	}
}

// After a start no more ids are brought back than may be remembered: the newest.
func received(t *testing.T, s analytics.Store) {
	var batches []*analytics.Batch
	for m := range 10 {
		batches = append(batches, BatchOf(100, Noon.Add(time.Duration(m)*time.Minute)))
	}
	Append(t, s, analytics.Place{}, batches...)
	for _, c := range []struct {
		since time.Time
		limit int
		want  int
	}{{Noon, 1000, 1000}, {Noon, 1_000_000, 1000}, {Noon.Add(5 * time.Minute), 1000, 500}, {Noon, 250, 300}, {Noon.Add(time.Hour), 10, 0}} {
		ids := map[analytics.ID]bool{}
		if err := s.ReceivedSince(t.Context(), c.since, c.limit, func(some []analytics.ID) {
			for _, id := range some {
				ids[id] = true
			}
		}); err != nil {
			t.Fatal(err)
		}
		if len(ids) != c.want || c.want > 0 && !ids[batches[9].IDs[99]] {
			t.Errorf("%+v: %d ids", c, len(ids))
		}
	}
}

// Whether late events are stored is asked by id and time, of more ids than fit one question.
func late(t *testing.T, s analytics.Store) {
	b := BatchOf(6000, Noon)
	Append(t, s, analytics.Place{}, b)
	ids := append(slices.Clone(b.IDs), analytics.NewID(), analytics.NewID())
	for _, c := range []struct {
		from, to time.Time
		want     int
	}{{Noon, Noon.Add(time.Minute), 6000}, {Noon.Add(time.Second), Noon.Add(2 * time.Second), 1001}, {Noon.Add(-time.Hour), Noon.Add(-time.Second), 0}} {
		found, err := s.Stored(t.Context(), ids, c.from, c.to)
		if err != nil {
			t.Fatal(err)
		}
		if slices.SortFunc(found, func(a, b analytics.ID) int { return slices.Compare(a[:], b[:]) }); len(slices.Compact(found)) != c.want {
			t.Errorf("%v: %d found", c, len(found))
		}
	}
}
