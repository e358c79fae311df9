package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/internal/local/localtest"
	"github.com/stampede-shop/stampede/internal/shop"
)

// Checkouts seen from outside say this of stock: what was confirmed was taken, on each shard at one moment; who was refused was told
// what was left at one moment, and what other shards had granted meanwhile was given back before the answer; a cancelled order gave its
// units back before the answer. Whoever was not told the outcome may have taken units, and given them back, at any time.

// attempt is one run of the saga with its own ears: which order ids it made up, and whether something was left to the worker.
type attempt struct {
	saga   *shop.Checkouts
	orders []string
	later  atomic.Bool
}

// attempt makes a saga that dies at a point ("" for none); one that dies is at once old enough for the worker to take over.
func (w *world) attempt(point string) *attempt {
	a := &attempt{}
	a.saga = w.saga(func(at string) {
		if at == point {
			panic(died{at})
		}
	})
	if point != "" {
		a.saga.Now = func() time.Time { return time.Now().Add(-time.Minute) }
	}
	a.saga.NewID = func() string {
		a.orders = append(a.orders, newID())
		return a.orders[len(a.orders)-1]
	}
	a.saga.Log = slog.New(listener{&a.later})
	return a
}

// run buys; dead tells whether the saga died before it could answer.
func (a *attempt) run(ctx context.Context, req shop.CheckoutRequest) (r shop.CheckoutResult, err error, dead bool) {
	defer func() {
		if p := recover(); p != nil {
			if _, ours := p.(died); !ours {
				panic(p)
			}
			dead = true
		}
	}()
	r, err = a.saga.Run(ctx, req)
	return r, err, false
}

// listener hears that something was left to the worker.
type listener struct{ heard *atomic.Bool }

func (l listener) Enabled(context.Context, slog.Level) bool { return true }
func (l listener) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l listener) WithGroup(string) slog.Handler            { return l }
func (l listener) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "left to the worker") {
		l.heard.Store(true)
	}
	return nil
}

// buyer is a client who buys for one new shopper after the other.
type buyer struct {
	*stockHistory
	t        testing.TB
	client   int
	products []shop.Product
	lost     *atomic.Int64 // how many more may die
	bought   *sync.Map     // order id: buyer's user id
	open     []undecided
}

// undecided is a checkout whose buyer was not told what became of it.
type undecided struct {
	order string
	lines map[int64]int64
	took  bool // it is known that it took the units
	call  int64
}

// took and gave note what a checkout did to stock.
func (b *buyer) took(order string, lines map[int64]int64, verdict string, short map[int64]int64, call, ret int64) {
	b.note(b.client, stockOp{kind: "reserve", order: order, lines: lines}, verdict, short, call, ret)
}

func (b *buyer) gave(kind, order string, lines map[int64]int64, call, ret int64) {
	b.note(b.client, stockOp{kind: kind, order: order, lines: lines}, "done", nil, call, ret)
}

// spared are the lines on shards that refused nothing: these shards granted theirs.
func (b *buyer) spared(lines, short map[int64]int64) map[int64]int64 {
	granted, refused := map[int64]int64{}, b.split(short)
	for at, some := range b.split(lines) {
		if refused[at] == nil {
			maps.Copy(granted, some)
		}
	}
	return granted
}

// decide reads, when all is over, what became of checkouts whose buyers do not know. When it happened nobody knows.
func (b *buyer) decide(end int64) {
	for _, u := range b.open {
		var took, gave = map[int64]int64{}, map[int64]int64{}
		for id, n := range u.lines {
			switch state, units := b.w.claimOf(b.t, u.order, id); {
			case units == 0: // a tombstone, or nothing at all
			case state == "released":
				took[id], gave[id] = n, n
			default:
				took[id] = n
			}
		}
		if !u.took && len(took) > 0 {
			b.took(u.order, took, "held", nil, u.call, end)
		}
		b.gave("release", u.order, gave, u.call, end)
	}
}

// claimOf reads a reservation.
func (w *world) claimOf(t testing.TB, order string, product int64) (state string, units int64) {
	node, err := w.cluster.OnShard(shop.ProductKey(product))
	check(t, err)
	err = node.Pool.QueryRow(t.Context(), `SELECT state, quantity FROM reservations WHERE order_id = $1 AND product_id = $2`, order, product).
		Scan(&state, &units)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		t.Fatal(err)
	}
	return state, units
}

func (b *buyer) visit() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	user, lines := newID(), map[int64]int64{}
	for len(lines) < 1+rand.N(2) {
		p := b.products[rand.N(len(b.products))]
		if lines[p.ID] > 0 {
			continue
		}
		lines[p.ID] = 1 + rand.Int64N(2)
		if _, err := b.w.AddLine(ctx, user, newID(), shop.LineOf(p, lines[p.ID]), p.Currency); err != nil {
			b.t.Errorf("add to cart: %v", err)
			return
		}
	}
	point := ""
	if rand.N(6) == 0 && b.lost.Add(-1) >= 0 {
		point = shop.CrashPoints[rand.N(len(shop.CrashPoints))]
	}
	req := keyed(user, "key", "h")
	req.Payment = shop.PaymentMethod{Method: "test", Outcome: []string{"approve", "approve", "approve", "decline", "late"}[rand.N(5)]}
	if b.once(ctx, point, req, lines) == shop.OrderPending { // asking again tells
		b.once(ctx, "", req, lines)
	}
}

// once asks once and records what came of it.
func (b *buyer) once(ctx context.Context, point string, req shop.CheckoutRequest, lines map[int64]int64) shop.OrderStatus {
	a := b.w.attempt(point)
	call := b.h.now()
	r, err, dead := a.run(ctx, req)
	ret := b.h.now()
	order := r.Order.ID
	if order == "" && len(a.orders) > 0 {
		order = a.orders[len(a.orders)-1]
	}
	if a.later.Load() {
		b.t.Errorf("order %s: something was left to the worker, without need", order)
	}
	var e *shop.Error
	switch errors.As(err, &e); {
	case dead || shop.CodeOf(err) == shop.CodeUnavailable && point != "": // the worker was faster, or is at it
		b.open = append(b.open, undecided{order, lines, false, call})
	case err == nil && r.Order.Status == shop.OrderConfirmed:
		b.bought.Store(order, req.UserID)
		b.took(order, lines, "held", nil, call, ret)
		if rand.N(3) == 0 {
			b.cancel(ctx, req.UserID, order, lines)
		}
	case err == nil && r.Order.Status == shop.OrderPending:
		b.took(order, lines, "held", nil, call, ret)
		if point != "" {
			b.open = append(b.open, undecided{order, lines, true, call})
		}
	case shop.CodeOf(err) == shop.CodeOutOfStock:
		short := map[int64]int64{}
		for _, l := range e.Lines {
			short[l.ProductID] = l.Available
		}
		b.took(order, lines, "short", short, call, ret)
		b.gave("release", order, b.spared(lines, short), call, ret)
	case shop.CodeOf(err) == shop.CodePaymentDeclined:
		b.took(order, lines, "held", nil, call, ret)
		b.gave("release", order, lines, call, ret)
	default:
		b.t.Errorf("checkout %s, to die at %q: %+v, %v", order, point, r, err)
	}
	return r.Order.Status
}

func (b *buyer) cancel(ctx context.Context, user, order string, lines map[int64]int64) {
	a := b.w.attempt("")
	call := b.h.now()
	if _, err := a.saga.Cancel(ctx, user, order); err != nil {
		b.t.Errorf("cancel: %v", err)
	}
	b.bought.Delete(order)
	b.gave("return", order, lines, call, b.h.now())
}

// Shoppers buy the last units, are declined, hang in the middle, cancel; some of their processes die at every point; a worker recovers
// what they left while the others go on; an administrator restocks. Every shard answered all of them as if it did one thing at a time.
func TestHistoryOfCheckouts(t *testing.T) { bothWays(t, checkHistoryOfCheckouts) }

func checkHistoryOfCheckouts(t *testing.T, w *world) {
	var recovered atomic.Int64
	defer w.worker(t, &recovered)()
	localtest.Rounds(t, 5, func(int) {
		initial, products := map[int64]int64{}, []shop.Product{}
		for range 3 {
			p := w.product(t, 2+rand.Int64N(5))
			products, initial[p.ID] = append(products, p), w.left(t, p)
		}
		s := w.stockHistory(initial)
		var lost atomic.Int64
		var bought sync.Map
		lost.Store(4)
		var wg sync.WaitGroup
		buyers := make([]*buyer, 5)
		for client := range buyers {
			buyers[client] = &buyer{stockHistory: s, t: t, client: client, products: products, lost: &lost, bought: &bought}
			wg.Go(func() {
				b := buyers[client]
				for range 4 {
					b.visit()
				}
			})
		}
		wg.Go(func() {
			c := &caller{stockHistory: s, t: t, client: 5, ids: slices.Sorted(maps.Keys(initial)), torn: func() bool { return false }}
			for range 12 {
				c.call([]string{"read", "read", "set"}[rand.N(3)])
			}
		})
		wg.Wait()
		w.settle(t)
		end := s.h.now()
		for _, b := range buyers {
			b.decide(end)
		}
		(&caller{stockHistory: s, t: t, client: 5, ids: slices.Sorted(maps.Keys(initial))}).call("read")
		s.explained(t)
		bought.Range(func(order, user any) bool {
			if o, err := w.Order(t.Context(), user.(string), order.(string)); err != nil || o.Status != shop.OrderConfirmed {
				t.Errorf("order %s was confirmed and is %s, %v", order, o.Status, err)
			}
			return true
		})
	})
	if recovered.Load() == 0 {
		t.Error("nothing was left to the worker")
	}
	w.clean(t)
}

// worker recovers and sweeps over and over, as the one of the platform does now and then, until stopped.
func (w *world) worker(t *testing.T, recovered *atomic.Int64) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	s := w.saga(nil)
	wg.Go(func() {
		for ctx.Err() == nil {
			expired, err := w.ExpiredCheckouts(context.Background(), 100)
			for _, c := range expired {
				err = errors.Join(err, s.Recover(context.Background(), c))
				recovered.Add(1)
			}
			_, serr := w.SweepReservations(context.Background(), 100)
			if err = errors.Join(err, serr); err != nil {
				t.Error(fmt.Errorf("worker: %w", err))
			}
			select {
			case <-ctx.Done():
			case <-time.After(10 * time.Millisecond): // the pace of a worker
			}
		}
	})
	return func() { cancel(); wg.Wait() }
}

// settle does everything that the worker would do in the end.
func (w *world) settle(t testing.TB) {
	t.Helper()
	s := w.saga(nil)
	w.expire(t)
	w.recover(t, s)
	w.drain(t, s)
	w.expire(t)
	_, err := w.SweepReservations(t.Context(), 10_000)
	check(t, err)
}
