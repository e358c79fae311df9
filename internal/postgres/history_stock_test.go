package postgres_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/anishathalye/porcupine"
)

// What shop.StockStore promises, as a shop that does one thing at a time: a shard takes all lines that an order has there, or none, at
// one moment between call and return. Shards agree on nothing, so each is a history of its own.

// stockOp is the part of a call that concerns one shard.
type stockOp struct {
	kind  string // reserve, release, return, commit, set, read
	order string
	lines map[int64]int64 // product: quantity; for set, the new number
}

// stockOut is what a caller learnt of a stockOp.
type stockOut struct {
	verdict string          // held, short, done; conflict when some shard said so, unknown when nobody knows
	left    map[int64]int64 // read: all products; short: what was told of the short ones
}

// lot is an order's claim on units of one product.
type lot struct {
	order   string
	product int64
}

// claim is a lot's state and size.
type claim struct {
	state string // held, committed, released, returned; none is not in the map
	units int64
}

// books are one shard's. They are not changed once made.
type books struct {
	left   map[int64]int64
	claims map[lot]claim
	text   string // the same for equal books
}

func (b books) with(change func(left map[int64]int64, claims map[lot]claim)) books {
	n := books{left: maps.Clone(b.left), claims: maps.Clone(b.claims)}
	change(n.left, n.claims)
	var s strings.Builder
	for _, id := range slices.Sorted(maps.Keys(n.left)) {
		fmt.Fprintf(&s, "%d: %d left; ", id, n.left[id])
	}
	lots := slices.SortedFunc(maps.Keys(n.claims), func(a, b lot) int {
		return cmp.Or(strings.Compare(a.order, b.order), cmp.Compare(a.product, b.product))
	})
	for _, l := range lots {
		fmt.Fprintf(&s, "%s/%d %s %d; ", l.order, l.product, n.claims[l].state, n.claims[l].units)
	}
	n.text = s.String()
	return n
}

// reserve tells what a reservation comes to, and the books after it.
func (b books) reserve(op stockOp) (verdict string, short map[int64]int64, after books) {
	short = map[int64]int64{}
	for id, n := range op.lines {
		switch before := b.claims[lot{op.order, id}].state; {
		case before == "released" || before == "returned":
			return "gone", nil, b
		case before == "" && b.left[id] < n:
			short[id] = b.left[id]
		}
	}
	if len(short) > 0 {
		return "short", short, b
	}
	return "held", nil, b.with(func(left map[int64]int64, claims map[lot]claim) {
		for id, n := range op.lines {
			if l := (lot{op.order, id}); claims[l].state == "" {
				claims[l] = claim{"held", n}
				left[id] -= n
			}
		}
	})
}

// move is release, return and commit.
func (b books) move(op stockOp) books {
	return b.with(func(left map[int64]int64, claims map[lot]claim) {
		for id := range op.lines {
			l := lot{op.order, id}
			c := claims[l]
			switch {
			case op.kind == "commit" && c.state == "held":
				claims[l] = claim{"committed", c.units}
			case op.kind == "release" && c.state == "":
				claims[l] = claim{"released", 0} // a reservation that comes later is too late
			case op.kind == "release" && c.state == "held":
				claims[l] = claim{"released", c.units}
				left[id] += c.units
			case op.kind == "return" && (c.state == "held" || c.state == "committed"):
				claims[l] = claim{"returned", c.units}
				left[id] += c.units
			}
		}
	})
}

// sold tells whether all lines of an order are.
func (b books) sold(op stockOp) bool {
	for id := range op.lines {
		if s := b.claims[lot{op.order, id}].state; s != "committed" && s != "returned" {
			return false
		}
	}
	return true
}

// step returns the books that may follow a call that was answered so; none when it cannot have been.
func (b books) step(op stockOp, out stockOut) []any {
	only := func(possible bool, after books) []any {
		if !possible {
			return nil
		}
		return []any{after}
	}
	switch op.kind {
	case "read":
		return only(maps.Equal(out.left, b.restrict(out.left)), b)
	case "set":
		after := b.with(func(left map[int64]int64, _ map[lot]claim) { maps.Copy(left, op.lines) })
		if out.verdict == "unknown" {
			return []any{b, after}
		}
		return []any{after}
	case "reserve":
		verdict, short, after := b.reserve(op)
		switch out.verdict {
		case "unknown":
			return []any{b, after}
		case "conflict": // here or elsewhere
			return []any{after}
		}
		return only(verdict == out.verdict && maps.Equal(short, out.left), after)
	}
	after := b.move(op)
	if out.verdict == "unknown" {
		return []any{b, after}
	}
	return only(op.kind != "commit" || out.verdict == "conflict" || after.sold(op), after)
}

func (b books) restrict(to map[int64]int64) map[int64]int64 {
	some := map[int64]int64{}
	for id := range to {
		some[id] = b.left[id]
	}
	return some
}

// stockModel is of one shard that begins with so much of each product.
func stockModel(left map[int64]int64) porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init: func() []any {
			return []any{books{claims: map[lot]claim{}, left: left}.with(func(map[int64]int64, map[lot]claim) {})}
		},
		Step:  func(state, in, out any) []any { return state.(books).step(in.(stockOp), out.(stockOut)) },
		Equal: func(a, b any) bool { return a.(books).text == b.(books).text },
		DescribeOperation: func(in, out any) string {
			op, o := in.(stockOp), out.(stockOut)
			return fmt.Sprintf("%s %s %v -> %s %v", op.kind, op.order, op.lines, o.verdict, o.left)
		},
		DescribeState: func(s any) string { return s.(books).text },
	}
	return m.ToModel()
}
