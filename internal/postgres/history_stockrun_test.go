package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/stampede-shop/stampede/internal/local/localtest"
	"github.com/stampede-shop/stampede/internal/shop"
)

// stockHistory is a history for each shard; the calls of all of them are in one list.
type stockHistory struct {
	w       *world
	h       history
	initial map[int64]int64
	shards  map[string][]int   // places in h.ops
	at      func(int64) string // the shard of a product
}

func (w *world) stockHistory(initial map[int64]int64) *stockHistory {
	return &stockHistory{w: w, initial: initial, shards: map[string][]int{}, at: func(id int64) string {
		at, _ := w.cluster.Locate(shop.ProductKey(id)) // fails without shards only
		return at
	}}
}

// split divides something by product among the shards.
func (s *stockHistory) split(all map[int64]int64) map[string]map[int64]int64 {
	parts := map[string]map[int64]int64{}
	for id, n := range all {
		at := s.at(id)
		if parts[at] == nil {
			parts[at] = map[int64]int64{}
		}
		parts[at][id] = n
	}
	return parts
}

// note records a call on each shard that it concerns. short is what was told of short lines, or what was read.
func (s *stockHistory) note(client int, op stockOp, verdict string, seen map[int64]int64, call, ret int64) {
	parts, told := s.split(op.lines), s.split(seen)
	for at, lines := range parts {
		part, out := op, stockOut{verdict: verdict, left: told[at]}
		part.lines = lines
		if out.left == nil {
			out.left = map[int64]int64{}
		}
		if verdict == "short" && len(out.left) == 0 {
			out.verdict = "held" // it is another shard that was short
		}
		s.h.mu.Lock()
		s.shards[at] = append(s.shards[at], len(s.h.ops))
		s.h.ops = append(s.h.ops, porcupine.Operation{ClientId: client, Input: part, Output: out, Call: call, Return: ret})
		s.h.mu.Unlock()
	}
}

// of returns the history of a shard and its model.
func (s *stockHistory) of(shard string) (porcupine.Model, []porcupine.Operation) {
	left := s.split(s.initial)[shard]
	if left == nil {
		left = map[int64]int64{}
	}
	var ops []porcupine.Operation
	for _, i := range s.shards[shard] {
		ops = append(ops, s.h.ops[i])
	}
	return stockModel(left), ops
}

// explained checks the history of every shard, and that one with a false reading would have been noticed.
func (s *stockHistory) explained(t testing.TB) {
	t.Helper()
	for _, at := range slices.Sorted(maps.Keys(s.shards)) {
		m, ops := s.of(at)
		explained(t, m, ops)
		for i, o := range ops {
			if out := o.Output.(stockOut); o.Input.(stockOp).kind == "read" && len(out.left) > 0 {
				ops = slices.Clone(ops)
				out.left = maps.Clone(out.left)
				for id := range out.left {
					out.left[id] += 1000
				}
				ops[i].Output = out
				if porcupine.CheckOperationsTimeout(m, ops, checkWithin) != porcupine.Illegal {
					t.Fatalf("a false reading was not noticed:\n%s", told(m, ops))
				}
				break
			}
		}
	}
}

// caller makes calls of one kind after the other and records them.
type caller struct {
	*stockHistory
	t      testing.TB
	client int
	orders map[string]map[int64]int64
	ids    []int64
	torn   func() bool // whether this call is to be cut off
}

// verdictOf reads an answer; torn answers tell nothing.
func verdictOf(t testing.TB, err error, torn bool) (verdict string, short map[int64]int64) {
	var e *shop.Error
	switch {
	case err == nil:
		return "done", nil
	case errors.As(err, &e) && e.Code == shop.CodeConflict:
		return "conflict", nil
	case errors.As(err, &e) && e.Code == shop.CodeOutOfStock:
		short = map[int64]int64{}
		for _, l := range e.Lines {
			short[l.ProductID] = l.Available
		}
		return "short", short
	case !torn:
		t.Errorf("a call failed: %v", err)
	}
	return "unknown", nil
}

func (c *caller) call(kind string) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	torn := kind != "read" && c.torn()
	if torn {
		ctx, cancel = context.WithTimeout(ctx, rand.N(1500*time.Microsecond))
		defer cancel()
	}
	op, seen := stockOp{kind: kind, lines: map[int64]int64{}}, map[int64]int64(nil)
	call := c.h.now()
	var err error
	switch kind {
	case "read":
		seen, err = c.w.Available(ctx, c.ids)
		op.lines = seen
	case "set":
		id, n := c.ids[rand.N(len(c.ids))], rand.Int64N(4)
		op.lines[id] = n
		err = c.w.SetAvailable(ctx, "history", id, n)
	default:
		op.order = slices.Collect(maps.Keys(c.orders))[rand.N(len(c.orders))]
		op.lines = c.orders[op.order]
		ids := slices.Collect(maps.Keys(op.lines))
		switch kind {
		case "reserve":
			var lines []shop.Line
			for id, n := range op.lines {
				lines = append(lines, shop.Line{ProductID: id, Quantity: n})
			}
			err = c.w.Reserve(ctx, hold(op.order, lines...))
		case "release":
			err = c.w.Release(ctx, op.order, ids)
		case "return":
			err = c.w.Return(ctx, op.order, ids)
		case "commit":
			err = c.w.Commit(ctx, op.order, ids)
		}
	}
	ret := c.h.now()
	verdict, short := verdictOf(c.t, err, torn)
	if kind == "reserve" && verdict == "done" {
		verdict = "held"
	}
	if short != nil {
		seen = short
	}
	if verdict == "unknown" {
		ret = never
	}
	c.note(c.client, op, verdict, seen, call, ret)
}

// Several clients reserve, release, commit and return the same few orders of the same few units, restock and look, and some of their
// calls are cut off: every shard answered as if it did one thing at a time.
func TestHistoryOfStock(t *testing.T) { bothWays(t, checkHistoryOfStock) }

func checkHistoryOfStock(t *testing.T, w *world) {
	localtest.Rounds(t, 8, func(int) { w.stockRound(t, 3, nil) })
	w.clean(t)
}

// stockRound makes a history of orders with up to so many lines, and checks it. at is the shard of a product; nil asks the cluster.
func (w *world) stockRound(t *testing.T, maxLines int, at func(int64) string) {
	initial := map[int64]int64{}
	for range 3 {
		n := 1 + rand.Int64N(4)
		initial[w.product(t, n).ID] = n
	}
	s := w.stockHistory(initial)
	if at != nil {
		s.at = at
	}
	ids := slices.Sorted(maps.Keys(initial))
	orders := map[string]map[int64]int64{}
	for i := range 8 {
		lines := map[int64]int64{}
		for len(lines) < 1+i%maxLines {
			lines[ids[rand.N(len(ids))]] = 1 + rand.Int64N(2)
		}
		orders[fmt.Sprintf("history-%s-%d", newID(), i)] = lines
	}
	var tears atomic.Int64
	tears.Store(3) // each is a call without an end: what has to be tried doubles
	torn := func() bool { return rand.N(12) == 0 && tears.Add(-1) >= 0 }
	var wg sync.WaitGroup
	for client := range 5 {
		wg.Go(func() {
			c := &caller{stockHistory: s, t: t, client: client, orders: orders, ids: ids, torn: torn}
			for range 12 {
				c.call([]string{"reserve", "reserve", "reserve", "reserve", "release", "commit", "return", "read", "read", "set"}[rand.N(10)])
			}
		})
	}
	wg.Wait()
	s.explained(t)
	for order, lines := range orders { // nobody bought anything
		check(t, w.Release(t.Context(), order, slices.Collect(maps.Keys(lines))))
		check(t, w.Return(t.Context(), order, slices.Collect(maps.Keys(lines))))
	}
}
