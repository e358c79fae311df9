package postgres_test

import (
	"fmt"

	"github.com/stampede-shop/stampede/internal/shop"
)

// request is a shopper asking to buy the cart.
type request struct {
	key     int // -1: none
	outcome string
	arrived bool // it says when it arrived
}

// body is what the request's hash is of.
func (q request) body() string { return q.outcome }

// ask is what a request comes to.
func (p *play) ask(q request) string {
	c := p.me()
	if q.key >= 0 {
		if k := c.keys[q.key]; k.order != "" && p.deal(k.order).state != string(shop.CodeUnavailable) {
			if k.body != q.body() {
				return string(shop.CodeIdempotencyMismatch)
			}
			return p.drive(p.deal(k.order))
		}
	}
	for {
		if c.cart == (units{}) {
			return p.emptyCart(q)
		}
		if stale := p.stale(); stale != "" {
			return p.refusePrices(q, stale)
		}
		d := p.current()
		switch {
		case d == nil:
			return p.drive(p.open(q))
		case d.version == c.version: // somebody is at it: join
			p.bind(q, d)
			return p.drive(d)
		}
		if p.drive(d); d.state == dealOpen {
			return string(shop.CodeConflict) + " " + d.order
		}
	}
}

// open records a new checkout of the cart, under the id that was made up last.
func (p *play) open(q request) *deal {
	c := p.me()
	d := deal{version: c.version, lines: c.cart, outcome: q.outcome, state: dealOpen}
	if len(p.fresh) > 0 { // else the shop had no id to open it under: what follows will not be seen
		d.order = p.fresh[len(p.fresh)-1]
	}
	for g, n := range c.cart {
		d.total += n * c.price[g]
	}
	c.deals = append(c.deals, d)
	opened := &c.deals[len(c.deals)-1]
	p.bind(q, opened)
	return opened
}

// bind makes the request's key stand for a deal.
func (p *play) bind(q request, d *deal) {
	if q.key >= 0 {
		p.me().keys[q.key] = pledge{d.order, q.body()}
	}
	p.mark("opened")
}

// emptyCart tells what became of what was in the cart; whoever asked before the buyer was told is given the order.
func (p *play) emptyCart(q request) string {
	c := p.me()
	if c.bought == "" {
		return string(shop.CodeEmptyCart)
	}
	if q.arrived && (p.bought[c.bought] || !c.told && p.generous) {
		p.mark("opened") // joined
		return p.drive(p.deal(c.bought))
	}
	return string(shop.CodeEmptyCart) + " " + c.bought
}

// stale are the lines whose prices are not those of the catalogue.
func (p *play) stale() (text string) {
	c := p.me()
	for g, n := range c.cart {
		if n > 0 && c.price[g] != p.price[g] {
			text += fmt.Sprintf(" p%d %d>%d", g, c.price[g], p.price[g])
		}
	}
	return text
}

// refusePrices brings the cart up to date instead of buying it.
func (p *play) refusePrices(q request, stale string) string {
	var d *deal
	if p.quick && p.current() == nil && len(p.fresh) > 0 {
		d = p.open(q)
	}
	c := p.me()
	for g, n := range c.cart {
		if n > 0 {
			c.price[g] = p.price[g]
		}
	}
	c.version++
	c.bought = ""
	p.mark("")
	if d != nil {
		p.fail(d, shop.CodeUnavailable, "")
	}
	return string(shop.CodePriceChanged) + stale
}

// cancel takes an order back.
func (p *play) cancel(order string) string {
	d := p.deal(order)
	switch {
	case d.state == dealConfirmed:
		d.state = dealCancelled
		p.mark("cancelled")
		p.undo(d)
		return d.verdict()
	case d.state == dealCancelled:
		return d.verdict()
	}
	return string(shop.CodeNotCancellable)
}

// handled is what the worker does with an event about an order.
func (p *play) handled(topic, order string) {
	d := p.deal(order)
	if topic == shop.TopicCheckoutFailed || topic == shop.TopicOrderCancelled {
		p.undo(d)
	}
}

// add and remove edit the cart.
func (p *play) add(g int, n int64) string {
	c := p.me()
	c.cart[g], c.price[g] = c.cart[g]+n, p.price[g]
	p.edited()
	return ""
}

func (p *play) remove(g int) string {
	c := p.me()
	if c.cart[g] == 0 {
		return string(shop.CodeNotFound)
	}
	c.cart[g], c.price[g] = 0, 0
	p.edited()
	return ""
}

func (p *play) edited() {
	c := p.me()
	c.version++
	c.bought = ""
}
