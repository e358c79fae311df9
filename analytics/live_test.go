package analytics

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Counts and money of every window against a list of all events.
func TestWindowsAgainstAList(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l, now := NewLive(), noon
		type seen struct {
			at time.Time
			e  Event
		}
		var all []seen
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 400).Draw(t, "s")) * time.Second)
			var b Batch
			for range rapid.IntRange(0, 5).Draw(t, "events") {
				e := Event{ID: NewID(), Time: now.Add(-time.Duration(rapid.IntRange(-30, 4000).Draw(t, "age")) * time.Second), Kind: Kind(rapid.IntRange(1, int(kinds)-1).Draw(t, "kind")),
					Shopper: rapid.Uint64Range(0, 5).Draw(t, "shopper"), Amount: rapid.Int64Range(0, 1000).Draw(t, "amount"), Currency: "EUR"}
				b.Add(&e)
				if at := e.Time; !at.After(now) {
					all = append(all, seen{at, e})
				} else {
					all = append(all, seen{now, e}) // from the future: counts as of now
				}
			}
			l.Observe(now, &b)
		}
		got := l.Snapshot(now)
		for _, w := range []struct {
			name string
			got  Window
			in   func(at time.Time) bool
		}{
			{"minute", got.Minute, func(at time.Time) bool { return now.Unix()-at.Unix() < 60 }},
			{"five", got.Five, func(at time.Time) bool { return now.Unix()/60-at.Unix()/60 < 5 }},
			{"hour", got.Hour, func(at time.Time) bool { return now.Unix()/60-at.Unix()/60 < 60 }},
			{"tumbling", got.Tumbling, func(at time.Time) bool { return now.Unix()/60-at.Unix()/60 == 1 }},
		} {
			events, revenue := map[string]int64{}, int64(0)
			for _, s := range all {
				if w.in(s.at) {
					events[s.e.Kind.String()]++
					if s.e.Kind == KindOrder {
						revenue += s.e.Amount
					}
				}
			}
			if diff := cmp.Diff(events, w.got.Events); diff != "" || w.got.RevenueTotal != revenue || w.got.Orders != events["order"] {
				t.Fatalf("%s: revenue %d, want %d: %s", w.name, w.got.RevenueTotal, revenue, diff)
			}
		}
	})
}

func TestFunnelAndTopLists(t *testing.T) {
	t.Parallel()
	l := NewLive()
	var b Batch
	add := func(n int, e Event) {
		for i := range n {
			e.ID, e.Time, e.Shopper = NewID(), noon, HashShopper(fmt.Sprint(i))
			b.Add(&e)
		}
	}
	add(1000, Event{Kind: KindView, Product: 7, Category: "lamps"})
	add(1000, Event{Kind: KindView, Product: 7, Category: "lamps"}) // again: the same shoppers
	add(300, Event{Kind: KindView, Product: 8, Category: "chairs"})
	add(400, Event{Kind: KindAdd, Product: 7})
	add(50, Event{Kind: KindSearch, Query: "red lamp"})
	add(200, Event{Kind: KindCheckout})
	add(100, Event{Kind: KindOrder, Amount: 250, Currency: "EUR"})
	add(100, Event{Kind: KindPurchase, Product: 7, Quantity: 3})
	l.Observe(noon, &b)
	l.SetStock(map[int64]int64{7: 60, 8: 1})
	s := l.Snapshot(noon)
	for name, pair := range map[string][2]int64{"view": {s.Funnel.View, 1000}, "add": {s.Funnel.Add, 400}, "checkout": {s.Funnel.Checkout, 200}, "order": {s.Funnel.Order, 100},
		"shoppers": {s.Hour.Shoppers, 1000}, "open": {s.Carts.Open, 300}} {
		if math.Abs(float64(pair[0]-pair[1])) > 0.08*float64(pair[1]) {
			t.Errorf("%s: %d, want about %d", name, pair[0], pair[1])
		}
	}
	if s.Hour.Revenue["EUR"] != 25_000 || s.Viewed[0].Key != "7" || s.Viewed[0].Weight != 2000 || s.Classes[1].Key != "chairs" || s.Queries[0].Key != "red lamp" ||
		s.Sold[0].Key != "7" || len(l.Selling(5, noon)) != 1 {
		t.Errorf("%+v", s)
	}
	if len(s.RunOut) != 1 || s.RunOut[0].Product != 7 || s.RunOut[0].Minutes <= 0 {
		t.Errorf("run out: %+v", s.RunOut)
	}
	// Half an hour on, 300 carts were left alone, 100 were bought.
	if s = l.Snapshot(noon.Add(31 * time.Minute)); s.Carts.Abandoned != 300 || s.Carts.Bought != 100 || s.Carts.Rate != 0.75 {
		t.Errorf("carts: %+v", s.Carts)
	}
	if s = l.Snapshot(noon.Add(3 * time.Hour)); s.Hour.Orders != 0 || s.Funnel.View != 0 {
		t.Errorf("windows of three hours ago: %+v", s.Hour)
	}
}

// A steady rate is forecast as it is, once it has gone on for long enough.
func TestRunOutForecast(t *testing.T) {
	t.Parallel()
	l, now := NewLive(), noon
	for range 4 * 60 { // minutes at 2 units each
		now = now.Add(time.Minute)
		var b Batch
		b.Add(&Event{ID: NewID(), Time: now, Kind: KindPurchase, Product: 5, Quantity: 2})
		l.Observe(now, &b)
	}
	l.SetStock(map[int64]int64{5: 100})
	if got := l.Snapshot(now).RunOut[0].Minutes; math.Abs(got-50) > 5 {
		t.Errorf("100 units at 2 a minute last %.1f minutes", got)
	}
}

// However many carts there are, memory is bounded, and what the figures say stays about right.
func TestCartsAreBounded(t *testing.T) {
	t.Parallel()
	c := newCarts()
	const n = 3 * maxCarts
	for i := range n {
		c.filled(HashShopper(fmt.Sprint(i)), int64(i))
	}
	if len(c.since) > maxCarts {
		t.Errorf("%d carts are followed", len(c.since))
	}
	if all := int64(len(c.since)) * c.scale(); math.Abs(float64(all)/n-1) > 0.02 {
		t.Errorf("%d carts are taken for %d", n, all)
	}
}

func BenchmarkObserve(b *testing.B) {
	l, now := NewLive(), time.Now()
	batch := sample(8192)
	for i := range batch.Times {
		batch.Times[i] = now.UnixMicro()
		batch.Shoppers[i] = HashShopper(fmt.Sprint(i))
		batch.Products[i] = int64(i*i) % 5000
	}
	for b.Loop() {
		l.Observe(now, batch)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/8192, "ns/event")
}

func BenchmarkSnapshot(b *testing.B) {
	l, now := NewLive(), time.Now()
	batch := sample(8192)
	for i := range batch.Times {
		batch.Times[i] = now.Add(-time.Duration(i%3600) * time.Second).UnixMicro()
	}
	l.Observe(now, batch)
	for b.Loop() {
		l.Snapshot(now)
	}
}

// What is handed over while nothing takes it away is bounded.
func TestCollectorIsBounded(t *testing.T) {
	t.Parallel()
	c := NewCollector(nowhere{}, CollectorOptions{MaxWaiting: 100, Patience: 50 * time.Millisecond})
	var some []Event
	for range 60 {
		some = append(some, Event{ID: NewID(), Time: noon, Kind: KindView})
	}
	c.Track(some...)
	if err := c.Add(t.Context(), some); err != ErrBusy {
		t.Errorf("more than may wait: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c.Close(ctx)
	c.Close(ctx)
	if err := c.Add(t.Context(), some); err != ErrClosed {
		t.Errorf("after the end: %v", err)
	}
	if c.waiting != 0 {
		t.Errorf("%d still wait", c.waiting)
	}
}
