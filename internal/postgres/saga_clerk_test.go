package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/internal/shop"
)

// clerk does things in the real shop and in the model, and compares.
type clerk struct {
	*world
	pay      shop.PaymentProvider
	fatalf   func(format string, args ...any) // does not return
	later    bool                             // the saga's CommitLater
	deaf     string                           // events of this topic get lost
	reached  map[string]int                   // crash points, over all runs
	products [goods]shop.Product
	users    [shoppers]string
	names    map[string]string // of order ids, in messages
	made     []string          // order ids, in the order of their names
	may      []till            // all ways in which the shop may stand
	asked    [shoppers][]request
	fresh    []string // names of the ids that the present action made up
}

// setUp gives the clerk new products and shoppers, placed alike in every run, so that a run can be repeated.
func (c *clerk) setUp(ctx context.Context, stock units) {
	c.names = map[string]string{}
	begin := till{left: stock}
	for g, at := range []string{"shard1", "shard2", "shard1"} {
		id := lastProduct.Add(1)
		for c.shardOf(shop.ProductKey(id)) != at {
			id = lastProduct.Add(1)
		}
		c.products[g] = shop.Product{ID: id, SKU: fmt.Sprint("SKU-", id), Name: fmt.Sprint("Product ", id), Price: 100, Currency: "USD"}
		begin.price[g] = 100
		c.world.products.put(c.products[g])
		c.must(c.SetAvailable(ctx, "model", id, stock[g]))
	}
	for i, at := range []string{"shard1", "shard3"} {
		for c.users[i] = newID(); c.shardOf(c.users[i]) != at; {
			c.users[i] = newID()
		}
	}
	c.may = []till{begin}
}

func (c *clerk) shardOf(key string) string {
	at, err := c.cluster.Locate(key)
	c.must(err)
	return at
}

func (c *clerk) must(err error) {
	if err != nil {
		c.fatalf("%v", err)
	}
}

// name is what an order is called in messages.
func (c *clerk) name(id string) string {
	if n := c.names[id]; n != "" {
		return n
	}
	return "an order of nobody's"
}

func (c *clerk) idOf(name string) string {
	for id, n := range c.names {
		if n == name {
			return id
		}
	}
	return ""
}

func (c *clerk) goodOf(product int64) int {
	return slices.IndexFunc(c.products[:], func(p shop.Product) bool { return p.ID == product })
}

// saga is the checkout of a process that dies at a point. Its clock is ahead, so that it takes whoever has not told a buyer by
// now for dead.
func (c *clerk) saga(point string) *shop.Checkouts {
	s := c.world.saga(func(at string) {
		c.reached[at]++
		if at == point {
			panic(died{at})
		}
	})
	s.Pay, s.CommitLater = c.pay, c.later
	s.Now = func() time.Time { return time.Now().Add(time.Hour) }
	s.NewID = func() string {
		id := newID()
		c.made = append(c.made, id)
		c.names[id] = fmt.Sprint("o", len(c.made))
		c.fresh = append(c.fresh, c.names[id])
		return id
	}
	return s
}

// do has something done for a shopper, by the shop and by the model, and keeps the ways in which the shop may now stand. There
// must be one.
func (c *clerk) do(ctx context.Context, i int, what string, real func() string, model func(*play) string) {
	c.fresh = nil
	answer, point := dying(real)
	seen := c.look(ctx, i)
	next, allowed := map[string]till{}, map[string]bool{}
	for _, s := range c.may {
		for _, way := range c.courses(s, i, model) {
			for _, m := range way.possible(answer, point) {
				if shown := m.shows(i, c.fresh); shown != seen {
					allowed[shown] = true
					continue
				}
				next[fmt.Sprint(m.till)] = m.till
			}
			if point == "" && way.answer != answer {
				allowed[fmt.Sprintf("the answer %q", way.answer)] = true
			}
		}
	}
	if len(next) == 0 {
		c.fatalf("%s: answered %q, died at %q; now the shop shows\n%s\ninstead of\n%s", what, answer, point, seen,
			strings.Join(slices.Sorted(maps.Keys(allowed)), "\n"))
	}
	c.may = c.may[:0]
	for _, text := range slices.Sorted(maps.Keys(next)) {
		c.may = append(c.may, next[text])
	}
}

// dying does something that may die at a crash point.
func dying(fn func() string) (answer, point string) {
	defer func() {
		if r := recover(); r != nil {
			d, ours := r.(died)
			if !ours {
				panic(r)
			}
			point = d.point
		}
	}()
	return fn(), ""
}

// courses are all ways that the model may go from a till.
func (c *clerk) courses(s till, i int, model func(*play) string) (ways []course) {
	for _, w := range []whims{{}, {generous: true}, {quick: true}, {generous: true, quick: true}} {
		p := &play{till: s.clone(), whims: w, i: i, fresh: c.fresh, bought: map[string]bool{},
			shard: func(g int) string { return c.shardOf(shop.ProductKey(c.products[g].ID)) }}
		p.mark("")
		p.answer = model(p)
		p.mark("")
		ways = append(ways, p.course)
	}
	return ways
}

// possible are the moments at which a course may have left the shop. A point that the model does not know may be anywhere.
func (w course) possible(answer, point string) (at []moment) {
	if point == "" {
		if answer != w.answer {
			return nil
		}
		return w.moments[len(w.moments)-1:]
	}
	if !slices.Contains(modelled, point) {
		return w.moments
	}
	for _, m := range w.moments {
		if m.point == point {
			return append(at, m)
		}
	}
	return nil
}

// modelled are the crash points that the model knows the meaning of.
var modelled = []string{"opened", "reserved", "refused", "charged", "unknown", "confirmed", "committed", "failed", "refunded", "compensated",
	"settled", "cancelled"}

// look is what can be seen of a shopper and of the stock; compare till.shows.
func (c *clerk) look(ctx context.Context, i int) string {
	var ids []int64
	for _, p := range c.products {
		ids = append(ids, p.ID)
	}
	stock, err := c.Available(ctx, ids)
	c.must(err)
	cart, err := c.Cart(ctx, c.users[i])
	c.must(err)
	var s till
	me := &s.who[i]
	for g, p := range c.products {
		s.left[g] = stock[p.ID]
	}
	me.cart, me.price = c.unitsOf(cart.Items)
	me.version = cart.Version
	if cart.LastOrderID != "" {
		me.bought = c.name(cart.LastOrderID)
	}
	text, gone := s.shows(i, nil), ""
	for _, o := range c.ordersOf(ctx, i) {
		text += " " + o
	}
	for _, name := range c.fresh {
		o, err := c.Order(ctx, c.users[i], c.idOf(name))
		switch {
		case shop.CodeOf(err) == shop.CodeNotFound:
			gone += " no " + name
		case err != nil:
			c.must(err)
		case o.Status == shop.OrderFailed:
			text += " " + c.showOrder(o)
		}
	}
	return text + gone
}

// ordersOf are a shopper's orders as they are listed, oldest first.
func (c *clerk) ordersOf(ctx context.Context, i int) (all []string) {
	page, err := c.Orders(ctx, c.users[i], 100, "")
	c.must(err)
	for _, o := range slices.Backward(page.Orders) {
		all = append(all, c.showOrder(o))
	}
	return all
}

func (c *clerk) showOrder(o shop.Order) string {
	lines, _ := c.unitsOf(o.Items)
	return show(c.name(o.ID), o.Status, lines, o.Total)
}

func (c *clerk) unitsOf(lines []shop.Line) (n, price units) {
	for _, l := range lines {
		g := c.goodOf(l.ProductID)
		n[g], price[g] = l.Quantity, l.UnitPrice
	}
	return n, price
}

// told is an answer as the model gives it.
func (c *clerk) told(o shop.Order, err error) string {
	var e *shop.Error
	switch {
	case err == nil:
		return fmt.Sprintf("%s %s=%d", o.Status, c.name(o.ID), o.Total)
	case !errors.As(err, &e):
		return err.Error()
	}
	text := string(e.Code)
	slices.SortFunc(e.Lines, func(a, b shop.LineError) int { return int(a.ProductID - b.ProductID) })
	switch e.Code {
	case shop.CodeOutOfStock:
		for _, l := range e.Lines {
			text += fmt.Sprintf(" p%d has %d", c.goodOf(l.ProductID), l.Available)
		}
	case shop.CodePriceChanged:
		for _, l := range e.Lines {
			text += fmt.Sprintf(" p%d %d>%d", c.goodOf(l.ProductID), l.OldPrice, l.NewPrice)
		}
	case shop.CodePaymentDeclined, shop.CodeUnavailable, shop.CodeConflict, shop.CodeEmptyCart:
		if e.OrderID != "" {
			text += " " + c.name(e.OrderID)
		}
	}
	return text
}
