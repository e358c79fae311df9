package postgres_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/anishathalye/porcupine"

	"github.com/stampede-shop/stampede/internal/shop"
)

// What one shopper with several tabs is promised, as a shop that does one thing at a time: a checkout opens on the cart as it is at one
// moment and, at a later one, becomes an order of exactly these lines, which leave the cart with it; meanwhile no other checkout of the
// shopper is open; all who ask with one key are told of one order.

// tabOp is a call of a tab, or a moment inside of one.
type tabOp struct {
	kind    string // add, look (at the cart), open and confirm (moments), told, refused (with an order), cancel, see (an order)
	product int64
	units   int64
	order   string
	lines   map[int64]int64 // open: what the order came to have
	key     string
}

// tabOut is what the tab learnt.
type tabOut struct {
	version int64
	lines   map[int64]int64
	status  shop.OrderStatus
}

// desk is all there is of one shopper. It is not changed once made.
type desk struct {
	version int64
	cart    map[int64]int64
	open    string
	orders  map[string]shop.OrderStatus
	lines   map[string]map[int64]int64
	keys    map[string]string
	text    string // the same for equal desks
}

func sorted[K cmp.Ordered, V any](m map[K]V) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(m)) {
		fmt.Fprintf(&b, "%v=%v ", k, m[k])
	}
	return b.String()
}

func (d desk) with(change func(*desk)) desk {
	n := d
	n.cart, n.orders, n.lines, n.keys = maps.Clone(d.cart), maps.Clone(d.orders), maps.Clone(d.lines), maps.Clone(d.keys)
	change(&n)
	n.text = fmt.Sprintf("v%d %s| open %s| %s| %s", n.version, sorted(n.cart), n.open, sorted(n.orders), sorted(n.keys))
	return n
}

// bind notes which order a key stands for.
func (d desk) bind(key, order string) (bool, desk) {
	if key == "" || d.keys[key] == order {
		return true, d
	}
	if d.keys[key] != "" {
		return false, d
	}
	return true, d.with(func(n *desk) { n.keys[key] = order })
}

// step tells whether a call can have been answered so, and the desk after it.
func (d desk) step(op tabOp, out tabOut) (bool, desk) {
	switch op.kind {
	case "add":
		after := d.with(func(n *desk) { n.version++; n.cart[op.product] += op.units })
		return out.version == after.version && maps.Equal(out.lines, after.cart), after
	case "look":
		return out.version == d.version && maps.Equal(out.lines, d.cart), d
	case "open":
		_, before := d.orders[op.order]
		return d.open == "" && !before && maps.Equal(op.lines, d.cart), d.with(func(n *desk) { n.open = op.order; n.lines[op.order] = op.lines })
	case "confirm":
		return d.open == op.order, d.confirm(op.order)
	case "told":
		bound, after := d.bind(op.key, op.order)
		return bound && d.orders[op.order] == out.status, after
	case "refused":
		bound, after := d.bind(op.key, op.order)
		_, bought := d.orders[op.order]
		return bound && !bought, after
	case "empty":
		return len(d.cart) == 0, d
	case "see":
		return d.orders[op.order] == out.status, d
	}
	// cancel
	return d.orders[op.order] != "", d.with(func(n *desk) { n.orders[op.order] = shop.OrderCancelled })
}

func (d desk) confirm(order string) desk {
	return d.with(func(n *desk) {
		n.open, n.version = "", n.version+1
		n.orders[order] = shop.OrderConfirmed
		for id, units := range d.lines[order] {
			if n.cart[id] -= units; n.cart[id] <= 0 {
				delete(n.cart, id)
			}
		}
	})
}

// tabModel is of one shopper who begins with nothing.
var tabModel = porcupine.Model{
	Init: func() any {
		return desk{cart: map[int64]int64{}, orders: map[string]shop.OrderStatus{}, lines: map[string]map[int64]int64{}, keys: map[string]string{}}.
			with(func(*desk) {})
	},
	Step:  func(state, in, out any) (bool, any) { return state.(desk).step(in.(tabOp), out.(tabOut)) },
	Equal: func(a, b any) bool { return a.(desk).text == b.(desk).text },
	DescribeOperation: func(in, out any) string {
		op, o := in.(tabOp), out.(tabOut)
		return fmt.Sprintf("%s %+v -> %+v", op.kind, op, o)
	},
	DescribeState: func(s any) string { return s.(desk).text },
}
