package postgres_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stampede-shop/stampede/internal/shop"
)

// The model of TestSagaFollowsItsModel: what a checkout promises, one request at a time. A request takes the shop through moments; one
// that dies leaves it at any of them, and what is seen afterwards tells at which. What it does not tell (whether the provider heard of
// a charge) stays open: the model then holds several tills.

// So many of each are enough for everything to happen.
const (
	goods    = 3 // two of them on one shard
	shoppers = 2
	keysEach = 2
)

// units are of each product.
type units [goods]int64

// deal is a checkout that was opened.
type deal struct {
	order   string // as named in messages: o1, o2 …
	version int64  // of the cart
	lines   units
	total   int64
	outcome string // what the provider will say
	state   string // open, confirmed, cancelled, or why it failed
	short   string // the lines that failed it
	held    units
	money   string // "", captured, declined, cancelled, refunded
	unknown bool   // the shopper was told that it is pending
	expired bool
}

const dealOpen, dealConfirmed, dealCancelled = "open", "confirmed", "cancelled"

func (d deal) failed() bool {
	return d.state != dealOpen && d.state != dealConfirmed && d.state != dealCancelled
}

// pledge is what an idempotency key stands for.
type pledge struct{ order, body string }

// customer is one shopper: the cart, what it came to, and what the keys stand for.
type customer struct {
	cart, price units
	version     int64
	bought      string // the order that the last thing done to this cart made of it
	told        bool   // and whether its buyer was told
	keys        [keysEach]pledge
	deals       []deal
}

// till is one way in which the shop may stand.
type till struct {
	left, price units
	who         [shoppers]customer
}

func (s till) clone() till {
	for i := range s.who {
		s.who[i].deals = slices.Clone(s.who[i].deals)
	}
	return s
}

// shows is what can be seen of a shopper and of the stock; fresh are order ids that were just made up.
func (s till) shows(i int, fresh []string) string {
	c := s.who[i]
	var b strings.Builder
	fmt.Fprintf(&b, "left %v, cart v%d:", s.left, c.version)
	for g, n := range c.cart {
		if n > 0 {
			fmt.Fprintf(&b, " %d of p%d at %d;", n, g, c.price[g])
		}
	}
	fmt.Fprintf(&b, " bought as %q; orders:", c.bought)
	for _, d := range c.deals {
		if !d.failed() {
			fmt.Fprintf(&b, " %s", show(d.order, d.status(), d.lines, d.total))
		}
	}
	for _, d := range c.deals { // these are not listed
		if d.failed() && slices.Contains(fresh, d.order) {
			fmt.Fprintf(&b, " %s", show(d.order, shop.OrderFailed, d.lines, d.total))
		}
	}
	for _, id := range fresh {
		if !slices.ContainsFunc(c.deals, func(d deal) bool { return d.order == id }) {
			fmt.Fprintf(&b, " no %s", id)
		}
	}
	return b.String()
}

func show(order string, status shop.OrderStatus, lines units, total int64) string {
	return fmt.Sprintf("%s %s %v=%d;", order, status, lines, total)
}

func (d deal) status() shop.OrderStatus {
	switch {
	case d.state == dealOpen:
		return shop.OrderPending
	case d.failed():
		return shop.OrderFailed
	}
	return shop.OrderStatus(d.state)
}

// moment is the shop at one moment; point is the crash point that it is at, if it is at one.
type moment struct {
	till
	point string
}

// course is one way that a request may go.
type course struct {
	moments []moment
	answer  string
}

// whims are what a request's course may depend on besides the till.
type whims struct {
	generous bool // a buyer who was never told is told of the order, instead of that the cart is empty
	quick    bool // a checkout is opened before prices are looked at
}

// play makes a course.
type play struct {
	till
	course
	whims
	i      int              // the shopper
	fresh  []string         // order ids made up by the request
	shard  func(int) string // of a product
	bought map[string]bool  // confirmed in this play
}

// mark ends a moment.
func (p *play) mark(point string) {
	p.moments = append(p.moments, moment{p.till.clone(), point})
}

func (p *play) me() *customer { return &p.who[p.i] }

func (p *play) deal(order string) *deal {
	for i := range p.me().deals {
		if d := &p.me().deals[i]; d.order == order {
			return d
		}
	}
	return nil
}

// current is the shopper's open checkout, nil if there is none.
func (p *play) current() *deal {
	for i := range p.me().deals {
		if d := &p.me().deals[i]; d.state == dealOpen {
			return d
		}
	}
	return nil
}

// reserve takes what an open checkout has not yet: on each shard all lines, or none. It tells which were short.
func (p *play) reserve(d *deal) string {
	refused, short := map[string]bool{}, ""
	for g, n := range d.lines {
		if d.held[g] == 0 && n > p.left[g] {
			refused[p.shard(g)] = true
			short += fmt.Sprintf(" p%d has %d", g, p.left[g])
		}
	}
	for g, n := range d.lines {
		if d.held[g] == 0 && !refused[p.shard(g)] {
			d.held[g], p.left[g] = n, p.left[g]-n
		}
	}
	return short
}

// undo gives back what a deal took.
func (p *play) undo(d *deal) {
	switch d.money {
	case "captured":
		d.money = "refunded"
	case "":
		d.money = "cancelled"
	}
	p.mark("refunded")
	p.release(d)
}

func (p *play) release(d *deal) {
	for g, n := range d.held {
		p.left[g] += n
	}
	d.held = units{}
}

func (p *play) fail(d *deal, why shop.Code, short string) {
	d.state, d.short = string(why), short
	p.mark("failed")
	p.undo(d)
	p.mark("compensated")
}

func (p *play) confirm(d *deal) {
	c := p.me()
	d.state, c.bought, c.told = dealConfirmed, d.order, false
	c.version++
	for g, n := range d.lines {
		if c.cart[g] -= n; c.cart[g] <= 0 {
			c.cart[g], c.price[g] = 0, 0
		}
	}
	p.bought[d.order] = true
	p.mark("confirmed")
	p.mark("committed")
}

// verdict is the answer of a checkout that is over.
func (d *deal) verdict() string {
	switch {
	case !d.failed():
		return fmt.Sprintf("%s %s=%d", d.state, d.order, d.total)
	case d.state == string(shop.CodeOutOfStock):
		return d.state + d.short
	}
	return d.state + " " + d.order
}

// drive brings a checkout as far as it goes.
func (p *play) drive(d *deal) string {
	if d.state != dealOpen {
		return d.verdict()
	}
	if short := p.reserve(d); short != "" {
		p.mark("refused")
		p.fail(d, shop.CodeOutOfStock, short)
		return d.verdict()
	}
	p.mark("reserved")
	silent := d.outcome == "timeout" || d.outcome == "late" && d.money == ""
	if d.money == "" && d.outcome != "timeout" {
		d.money = map[string]string{"approve": "captured", "late": "captured", "decline": "declined"}[d.outcome]
	}
	if silent {
		p.mark("unknown")
		d.unknown = true
		return fmt.Sprintf("pending %s=%d", d.order, d.total)
	}
	p.mark("charged")
	switch d.money {
	case "captured":
		p.confirm(d)
		p.me().told = true
	case "declined":
		p.fail(d, shop.CodePaymentDeclined, "")
	default:
		p.fail(d, shop.CodeUnavailable, "")
	}
	return d.verdict()
}

// recovered is what the worker does with an open checkout that expired.
func (p *play) recovered(order string) string {
	d := p.deal(order)
	if d.money == "" {
		d.money = "cancelled"
	}
	p.mark("settled")
	switch {
	case d.money == "captured":
		p.confirm(d)
	case d.money == "declined" || d.unknown:
		p.fail(d, shop.CodePaymentDeclined, "")
	default:
		p.fail(d, shop.CodeUnavailable, "")
	}
	return ""
}
