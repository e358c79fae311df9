package postgres_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/internal/shop"
)

func hold(order string, lines ...shop.Line) shop.Reservation {
	return shop.Reservation{OrderID: order, UserID: "u-" + order, Lines: lines, ExpiresAt: time.Now().Add(time.Minute)}
}

func TestStock(t *testing.T) { bothWays(t, checkStock) }

func checkStock(t *testing.T, w *world) {
	t.Run("life of a reservation", func(t *testing.T) { stockLife(t, w) })
	t.Run("a release that comes first wins", func(t *testing.T) { stockTombstone(t, w) })
	t.Run("all short lines are named", func(t *testing.T) { stockShort(t, w) })
	t.Run("events at changes of class", func(t *testing.T) { stockEvents(t, w) })
	t.Run("seeds", func(t *testing.T) { stockSeeds(t, w) })
	t.Run("one product, many buyers", func(t *testing.T) { stockRush(t, w) })
	t.Run("many products, no deadlock", func(t *testing.T) { stockCrossing(t, w) })
}

func stockLife(t *testing.T, w *world) {
	ctx, p, order := t.Context(), w.product(t, 10), newID()
	ids := []int64{p.ID}
	for range 2 {
		check(t, w.Reserve(ctx, hold(order, shop.LineOf(p, 4))))
		if n := w.left(t, p); n != 6 {
			t.Fatalf("%d left", n)
		}
	}
	for range 2 {
		check(t, w.Commit(ctx, order, ids))
	}
	check(t, w.Release(ctx, order, ids)) // too late: it is sold
	if n := w.left(t, p); n != 6 {
		t.Fatalf("%d left after commit", n)
	}
	for range 2 {
		check(t, w.Return(ctx, order, ids))
		if n := w.left(t, p); n != 10 {
			t.Fatalf("%d left after return", n)
		}
	}
	check(t, w.Commit(ctx, order, ids))
	wantCode(t, w.Reserve(ctx, hold(order, shop.LineOf(p, 4))), shop.CodeConflict)
	check(t, w.SetAvailable(ctx, "admin", p.ID, 3))
	if n := w.left(t, p); n != 3 {
		t.Fatalf("%d left after set", n)
	}
	if err := w.SetAvailable(ctx, "admin", p.ID, -1); shop.CodeOf(err) != shop.CodeInvalid {
		t.Fatal(err)
	}
	left, err := w.Available(ctx, []int64{p.ID, 1 << 60})
	check(t, err)
	if n, ok := left[1<<60]; !ok || n != 0 {
		t.Fatalf("unknown product: %v", left)
	}
	early := newID() // returned before the commit arrived
	check(t, w.Reserve(ctx, hold(early, shop.LineOf(p, 1))))
	check(t, w.Return(ctx, early, ids))
	check(t, w.Commit(ctx, early, ids))
	if n := w.left(t, p); n != 3 {
		t.Fatalf("%d left", n)
	}
}

func stockTombstone(t *testing.T, w *world) {
	ctx, p, q, order := t.Context(), w.product(t, 5), w.product(t, 5), newID()
	ids := []int64{p.ID, q.ID}
	check(t, w.Release(ctx, order, ids))
	wantCode(t, w.Reserve(ctx, hold(order, shop.LineOf(p, 1), shop.LineOf(q, 1))), shop.CodeConflict)
	wantCode(t, w.Commit(ctx, order, ids), shop.CodeConflict)
	if w.left(t, p) != 5 || w.left(t, q) != 5 {
		t.Fatal("units went to a released order")
	}
}

func stockShort(t *testing.T, w *world) {
	ctx, order := t.Context(), newID()
	var lines []shop.Line
	var ids []int64
	for i := range int64(12) { // over all shards; every third is short
		p := w.product(t, i%3)
		lines, ids = append(lines, shop.LineOf(p, 1)), append(ids, p.ID)
	}
	lines = append(lines, shop.Line{ProductID: 1 << 59, Name: "never stocked", Quantity: 1})
	err := w.Reserve(ctx, hold(order, lines...))
	wantCode(t, err, shop.CodeOutOfStock)
	var short *shop.Error
	errors.As(err, &short)
	if len(short.Lines) != 5 {
		t.Fatalf("%+v", short.Lines)
	}
	for i, l := range short.Lines {
		if l.Requested != 1 || l.Available != 0 || l.Name == "" || (i > 0 && l.ProductID < short.Lines[i-1].ProductID) {
			t.Fatalf("%+v", short.Lines)
		}
	}
	check(t, w.Release(ctx, order, ids))
	left, err := w.Available(ctx, ids)
	check(t, err)
	for i, id := range ids {
		if left[id] != int64(i%3) {
			t.Fatalf("product %d has %d left", id, left[id])
		}
	}
}

func stockEvents(t *testing.T, w *world) {
	ctx, p := t.Context(), w.product(t, 12)
	key := shop.ProductKey(p.ID)
	events := func() int64 {
		return w.count(t, key, `SELECT count(*) FROM outbox WHERE topic = 'stock.level' AND key = $1`, key)
	}
	last := func() (n int64) {
		return w.count(t, key, `SELECT (payload->>'available')::bigint FROM outbox WHERE key = $1 ORDER BY id DESC LIMIT 1`, key)
	}
	steps := []struct {
		do        func() error
		events    int64
		available int64
	}{
		{func() error { return nil }, 1, 12}, // the first SetAvailable
		{func() error { return w.Reserve(ctx, hold("a"+key, shop.LineOf(p, 1))) }, 1, 12},
		{func() error { return w.Reserve(ctx, hold("b"+key, shop.LineOf(p, 1))) }, 2, 10},
		{func() error { return w.Reserve(ctx, hold("c"+key, shop.LineOf(p, 9))) }, 2, 10},
		{func() error { return w.Reserve(ctx, hold("d"+key, shop.LineOf(p, 1))) }, 3, 0},
		{func() error { return w.Release(ctx, "d"+key, []int64{p.ID}) }, 4, 1},
		{func() error { return w.Commit(ctx, "c"+key, []int64{p.ID}) }, 4, 1},
		{func() error { return w.Return(ctx, "c"+key, []int64{p.ID}) }, 4, 1},
		{func() error { return w.Return(ctx, "b"+key, []int64{p.ID}) }, 5, 11},
		{func() error { return w.SetAvailable(ctx, "admin", p.ID, 0) }, 6, 0},
	}
	for i, s := range steps {
		check(t, s.do())
		if events() != s.events || last() != s.available {
			t.Fatalf("step %d: %d events, the last says %d; want %d, %d", i, events(), last(), s.events, s.available)
		}
	}
	versions := w.count(t, key, `SELECT count(DISTINCT payload->>'level_version') FROM outbox WHERE key = $1`, key)
	if versions != 6 || w.count(t, key, `SELECT level_version FROM stock WHERE product_id = $1`, p.ID) != 6 {
		t.Fatalf("%d versions", versions)
	}
	for n := int64(-1); n < 14; n++ { // the database classes as the domain does
		a, b := shop.AvailabilityOf(n), shop.AvailabilityOf(n+1)
		differ := w.count(t, key, `SELECT (availability_class($1) <> availability_class($2))::int`, n, n+1) == 1
		if differ != (a != b) {
			t.Fatalf("between %d and %d: differ %t", n, n+1, differ)
		}
	}
}

func stockSeeds(t *testing.T, w *world) {
	ctx, known := t.Context(), w.product(t, 1)
	seeds := []postgres.StockSeed{{ProductID: known.ID, Units: 50}}
	for i := range int64(7000) {
		seeds = append(seeds, postgres.StockSeed{ProductID: 1_000_000 + i, Units: 7})
	}
	check(t, w.SeedStock(ctx, seeds))
	left, err := w.Available(ctx, []int64{known.ID, 1_000_000, 1_006_999})
	check(t, err)
	if left[known.ID] != 1 || left[1_000_000] != 7 || left[1_006_999] != 7 {
		t.Fatalf("left %v", left)
	}
	err = w.SeedStock(ctx, []postgres.StockSeed{{ProductID: 5, Units: -1}})
	wantCode(t, err, shop.CodeInvalid)
}

func stockRush(t *testing.T, w *world) {
	ctx, p := t.Context(), w.product(t, 50)
	var granted, refused atomic.Int64
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			switch err := w.Reserve(ctx, hold(fmt.Sprintf("rush-%d", i), shop.LineOf(p, 1))); shop.CodeOf(err) {
			case "":
				granted.Add(1)
			case shop.CodeOutOfStock:
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if granted.Load() != 50 || refused.Load() != 150 || w.left(t, p) != 0 {
		t.Fatalf("%d granted, %d refused, %d left", granted.Load(), refused.Load(), w.left(t, p))
	}
}

// Orders over the same products in opposite order, reserving, joining, releasing and returning at once.
func stockCrossing(t *testing.T, w *world) {
	ctx := t.Context()
	var lines []shop.Line
	var ids []int64
	for range 8 {
		p := w.product(t, 1000)
		lines, ids = append(lines, shop.LineOf(p, 1)), append(ids, p.ID)
	}
	back := make([]shop.Line, len(lines))
	for i, l := range lines {
		back[len(lines)-1-i] = l
	}
	var wg sync.WaitGroup
	for i := range 40 {
		order := fmt.Sprintf("cross-%d", i)
		wg.Go(func() { _ = w.Reserve(ctx, hold(order, lines...)) })
		wg.Go(func() { _ = w.Reserve(ctx, hold(order, back...)) })
		wg.Go(func() {
			if err := w.Release(ctx, order, ids); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	left, err := w.Available(ctx, ids)
	check(t, err)
	for _, id := range ids {
		if left[id] != 1000 {
			t.Errorf("product %d has %d left", id, left[id])
		}
	}
}

// A model of one product's reservations: whatever is called in whatever order, units are never lost or made.
func TestStockFollowsItsModel(t *testing.T) { bothWays(t, checkStockFollowsItsModel) }

func checkStockFollowsItsModel(t *testing.T, w *world) {
	ctx := t.Context()
	var round atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		products := []shop.Product{w.product(t, 6), w.product(t, 6)}
		available := map[int64]int64{products[0].ID: 6, products[1].ID: 6}
		type key struct {
			order   string
			product int64
		}
		state, quantity := map[key]string{}, map[key]int64{}
		prefix := fmt.Sprintf("model-%d-", round.Add(1))
		draw := func() (string, shop.Product, key) {
			order := prefix + rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "order")
			p := rapid.SampledFrom(products).Draw(rt, "product")
			return order, p, key{order, p.ID}
		}
		giveBack := func(k key, to string) {
			available[k.product] += quantity[k]
			state[k] = to
		}
		rt.Repeat(map[string]func(*rapid.T){
			"reserve": func(rt *rapid.T) {
				order, p, k := draw()
				n := rapid.Int64Range(1, 4).Draw(rt, "quantity")
				want := shop.Code("")
				switch {
				case state[k] == "released" || state[k] == "returned":
					want = shop.CodeConflict
				case state[k] != "":
				case available[p.ID] < n:
					want = shop.CodeOutOfStock
				default:
					state[k], quantity[k] = "held", n
					available[p.ID] -= n
				}
				wantCode(t, w.Reserve(ctx, hold(order, shop.LineOf(p, n))), want)
			},
			"commit": func(*rapid.T) {
				order, p, k := draw()
				want := shop.Code("")
				switch state[k] {
				case "held":
					state[k] = "committed"
				case "", "released":
					want = shop.CodeConflict
				}
				wantCode(t, w.Commit(ctx, order, []int64{p.ID}), want)
			},
			"release": func(*rapid.T) {
				order, p, k := draw()
				switch state[k] {
				case "held":
					giveBack(k, "released")
				case "":
					state[k] = "released"
				}
				check(t, w.Release(ctx, order, []int64{p.ID}))
			},
			"return": func(*rapid.T) {
				order, p, k := draw()
				if state[k] == "held" || state[k] == "committed" {
					giveBack(k, "returned")
				}
				check(t, w.Return(ctx, order, []int64{p.ID}))
			},
			"set": func(rt *rapid.T) {
				_, p, _ := draw()
				n := rapid.Int64Range(0, 8).Draw(rt, "available")
				available[p.ID] = n
				check(t, w.SetAvailable(ctx, "model", p.ID, n))
			},
			"": func(*rapid.T) {
				for id, n := range available {
					if got := w.left(t, shop.Product{ID: id}); got != n {
						t.Fatalf("product %d has %d left, the model %d", id, got, n)
					}
				}
			},
		})
	})
	report, err := postgres.Audit(ctx, nil, w.Shards, postgres.AuditOptions{Settle: -1})
	check(t, err)
	for _, r := range report.Rules {
		if r.Name == "stock-balance" && (r.Broken > 0 || r.Checked == 0) {
			t.Fatalf("%+v", r)
		}
	}
}
