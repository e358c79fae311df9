package postgres_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stampede-shop/stampede/internal/shop"
)

// note is one line of a diary: what a shopper is about to do, and what a shopper was told. A process that is killed has written down
// whatever it told anybody.
type note struct {
	Kind    string // arrives, asks, opens (an order id was made up), hears, cancels, cancelled; dies, of the process
	User    string
	Order   string
	Outcome string          // arrives: what the provider will say
	Lines   map[int64]int64 // arrives: what is wanted of which product
	Answer  string          // hears: a status or an error's code; dies: where
	Flight  int64           // dies: how many shoppers are waiting for an answer
}

// diary is what is known of shoppers from outside.
type diary struct {
	mu       sync.Mutex
	visitors map[string]*visitor
	deaths   []note
	told     int  // answers to checkouts
	lossy    bool // edits of carts may have been lost
}

// visitor is one shopper, who wants to buy one cart once, however often it takes to ask.
type visitor struct {
	user, outcome string
	lines         map[int64]int64
	orders        []string        // ids made up for this shopper
	heard         map[string]bool // orders told to be confirmed
	asked         bool            // has a cart, and asked
	answered      bool            // and had an answer to the last request
	cancelling    bool
	cancelled     bool
}

func newDiary() *diary { return &diary{visitors: map[string]*visitor{}} }

func (d *diary) write(n note) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n.Kind == "dies" {
		d.deaths = append(d.deaths, n)
		return
	}
	v := d.visitors[n.User]
	if v == nil {
		v = &visitor{user: n.User, heard: map[string]bool{}}
		d.visitors[n.User] = v
	}
	switch n.Kind {
	case "arrives":
		v.outcome, v.lines = n.Outcome, n.Lines
	case "asks":
		v.asked, v.answered = true, false
	case "opens":
		v.orders = append(v.orders, n.Order)
	case "hears":
		d.told++
		v.answered = true
		if n.Answer == string(shop.OrderConfirmed) {
			v.heard[n.Order] = true
		}
	case "cancels":
		v.cancelling = true
	case "cancelled":
		v.cancelled = true
	}
}

// all are the visitors so far.
func (d *diary) all() (all []*visitor) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, v := range d.visitors {
		all = append(all, v)
	}
	return all
}

func (d *diary) answers() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.told
}

// visit is one shopper's way through a shop that may die at any moment: whatever the shop says is written down.
type visit struct {
	w        *world
	later    bool // the sagas' CommitLater
	crash    func(point string)
	write    func(note)
	outcomes []string      // what the provider may say; nil: all
	order    func() string // makes an order id; nil: newID
	calm     bool          // nobody has two tabs, nobody cancels
}

var allOutcomes = []string{"approve", "approve", "approve", "decline", "late", "timeout"}

// saga is the checkout as a shopper meets it.
func (v visit) saga(user string) *shop.Checkouts {
	s := v.w.saga(v.crash)
	s.CommitLater = v.later
	s.NewID = func() string {
		id := newID()
		if v.order != nil {
			id = v.order()
		}
		v.write(note{Kind: "opens", User: user, Order: id})
		return id
	}
	return s
}

// run fills a shopper's cart and buys it: in two tabs at once at times, and sometimes the order is cancelled. An error is a failure that
// shoppers should not see from a shop that is alive.
func (v visit) run(ctx context.Context, user string, products []shop.Product) error {
	wanted, outcomes := map[int64]int64{}, v.outcomes
	if outcomes == nil {
		outcomes = allOutcomes
	}
	outcome := outcomes[rand.N(len(outcomes))]
	var lines []shop.Line
	for _, i := range rand.Perm(len(products))[:1+rand.N(min(3, len(products)))] {
		p := products[i]
		wanted[p.ID] = 1 + rand.Int64N(2)
		lines = append(lines, shop.LineOf(p, wanted[p.ID]))
	}
	v.write(note{Kind: "arrives", User: user, Outcome: outcome, Lines: wanted})
	for _, l := range lines {
		if _, err := v.w.AddLine(ctx, user, newID(), l, "USD"); err != nil {
			return err
		}
	}
	v.write(note{Kind: "asks", User: user})
	if v.calm || rand.N(4) > 0 {
		return v.ask(ctx, user, outcome)
	}
	other := make(chan error, 1)
	go func() { other <- v.ask(ctx, user, outcome) }()
	err := v.ask(ctx, user, outcome)
	if oerr := <-other; err == nil {
		err = oerr
	}
	return err
}

// ask asks for the cart, always under one key, and writes the answer down.
func (v visit) ask(ctx context.Context, user, outcome string) error {
	req := keyed(user, "click", outcome)
	req.Payment = shop.PaymentMethod{Method: "test", Outcome: outcome}
	s := v.saga(user)
	r, err := s.Run(ctx, req)
	answer := string(r.Order.Status)
	var e *shop.Error
	switch code := shop.CodeOf(err); {
	case code == "":
	case code == shop.CodeOutOfStock, code == shop.CodePaymentDeclined, code == shop.CodeEmptyCart,
		code == shop.CodeUnavailable && errors.As(err, &e) && e.OrderID != "": // undone
		answer = string(code)
	default:
		return err
	}
	v.write(note{Kind: "hears", User: user, Order: r.Order.ID, Answer: answer})
	if r.Order.Status != shop.OrderConfirmed || v.calm || rand.N(6) > 0 {
		return nil
	}
	v.write(note{Kind: "cancels", User: user})
	if _, err = s.Cancel(ctx, user, r.Order.ID); err == nil {
		v.write(note{Kind: "cancelled", User: user})
	}
	return err
}

// recover is what a worker does with everything that is open, as if it had expired.
func (v visit) recover(ctx context.Context) error {
	err := v.w.age(ctx)
	expired, lerr := v.w.ExpiredCheckouts(ctx, 1000)
	for _, c := range expired {
		err = errors.Join(err, v.saga(c.UserID).Recover(ctx, c))
	}
	return errors.Join(err, lerr)
}

// reconcile fails the test unless the shop, with everything settled, agrees with the diary: what was told to be bought is, once; who was
// declined, or timed out, paid nothing and has nothing; stock and money are those of the orders that stand.
func (w *world) reconcile(t testing.TB, d *diary, products []shop.Product, stock int64) {
	t.Helper()
	sold := map[int64]int64{}
	for _, v := range d.all() {
		for _, l := range w.bought(t, v, d.lossy) {
			sold[l.ProductID] += l.Quantity
		}
	}
	for _, p := range products {
		if left := w.left(t, p); left != stock-sold[p.ID] {
			t.Errorf("of product %d there were %d, %d are sold and %d left", p.ID, stock, sold[p.ID], left)
		}
	}
	w.clean(t)
}

// bought are the lines of the order that a visitor has in the end.
func (w *world) bought(t testing.TB, v *visitor, lossy bool) (lines []shop.Line) {
	t.Helper()
	page, err := w.Orders(t.Context(), v.user, 100, "")
	check(t, err)
	if never := v.outcome == "decline" || v.outcome == "timeout"; len(page.Orders) > 1 || never && len(page.Orders) > 0 {
		t.Errorf("a shopper (%s) has %d orders: %+v", v.outcome, len(page.Orders), page.Orders)
	}
	orders := map[string]shop.Order{}
	for _, o := range page.Orders {
		orders[o.ID] = o
		if o.Status == shop.OrderPending || !lossy && !sameLines(o.Items, v.lines) {
			t.Errorf("order %s is %s, of %+v; wanted was %v", o.ID, o.Status, o.Items, v.lines)
		}
		if o.Status == shop.OrderConfirmed {
			lines = append(lines, o.Items...)
		}
	}
	cart, err := w.Cart(t.Context(), v.user)
	check(t, err)
	if v.asked && !lossy && (len(cart.Items) == 0) != (len(orders) == 1) {
		t.Errorf("a shopper with %d orders has this cart: %+v", len(orders), cart)
	}
	for id := range v.heard {
		if s := orders[id].Status; s != shop.OrderConfirmed && (s != shop.OrderCancelled || !v.cancelling) || s == shop.OrderConfirmed && v.cancelled {
			t.Errorf("order %s was told to be confirmed (and cancelled: %t) and is %q", id, v.cancelled, s)
		}
	}
	for _, id := range v.orders {
		w.paidFor(t, id, orders[id])
	}
	return lines
}

// paidFor fails the test unless money moved for an order that stands, and for no other.
func (w *world) paidFor(t testing.TB, id string, o shop.Order) {
	t.Helper()
	ch, err := w.pay.Settle(t.Context(), id)
	check(t, err)
	stands := o.Status == shop.OrderConfirmed
	if (ch.Status == shop.ChargeCaptured) != stands || stands && (ch.Amount != o.Total || ch.Currency != o.Currency) {
		t.Errorf("order %s of %d is %q, and the charge of %d is %s", id, o.Total, o.Status, ch.Amount, ch.Status)
	}
}

func sameLines(lines []shop.Line, wanted map[int64]int64) bool {
	for _, l := range lines {
		if wanted[l.ProductID] != l.Quantity {
			return false
		}
	}
	return len(lines) == len(wanted)
}
