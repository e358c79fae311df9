package jobs

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/stampede-shop/stampede/internal/local/localtest"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/queue"
)

func TestMain(m *testing.M) { localtest.Main(m) }

// world is a shop of fakes: it takes down what it is asked to do, and fails the first time where told to.
type world struct {
	mu     sync.Mutex
	calls  []string
	fails  map[string]int // how often a call fails before it succeeds
	orders map[string]shop.Order
	users  map[string]shop.User
	carts  map[string]shop.Cart
	stuck  []shop.Checkout // expired checkouts
}

func newWorld() *world {
	return &world{fails: map[string]int{}, orders: map[string]shop.Order{}, users: map[string]shop.User{}, carts: map[string]shop.Cart{}}
}

// did takes a call down, or fails it.
func (w *world) did(call string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fails[call] > 0 {
		w.fails[call]--
		return errors.New("not now")
	}
	w.calls = append(w.calls, call)
	return nil
}

func (w *world) count(call string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.calls {
		if c == call {
			n++
		}
	}
	return n
}

func (w *world) Recover(_ context.Context, c shop.Checkout) error {
	if err := w.did("recover " + c.OrderID); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stuck = slices.DeleteFunc(w.stuck, func(o shop.Checkout) bool { return o.OrderID == c.OrderID })
	return nil
}
func (w *world) Undo(_ context.Context, e shop.OrderEvent) error { return w.did("undo " + e.OrderID) }
func (w *world) UndoCancelled(_ context.Context, e shop.OrderEvent) error {
	return w.did("undo cancelled " + e.OrderID)
}
func (w *world) Commit(_ context.Context, id string, _ []int64) error { return w.did("commit " + id) }
func (w *world) Order(_ context.Context, _, id string) (shop.Order, error) {
	return lookUp(w, w.orders, "order", id)
}
func (w *world) User(_ context.Context, id string) (shop.User, error) {
	return lookUp(w, w.users, "user", id)
}
func (w *world) Cart(_ context.Context, id string) (shop.Cart, error) {
	return lookUp(w, w.carts, "cart", id)
}
func (w *world) ExpiredCheckouts(context.Context, int) ([]shop.Checkout, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.stuck), nil
}
func (w *world) SweepReservations(context.Context, int) (int, error) { return 0, w.did("sweep") }
func (w *world) AbandonedCarts(_ context.Context, idle time.Duration, _ int) (int, error) {
	return 0, w.did("abandoned " + idle.String())
}
func (w *world) PurgeOldKeys(context.Context, int) (int64, error) { return 0, w.did("purge old") }
func (w *world) SetAvailability(_ context.Context, id int64, a shop.Availability, version int64) (bool, error) {
	if id == 404 {
		return false, shop.NotFound("product", id)
	}
	return version > 1, w.did(shop.ProductKey(id) + " is " + string(a))
}
func (w *world) purgeTags(_ context.Context, tags, positions []string) error {
	for _, p := range positions {
		if err := w.did("must see " + p); err != nil {
			return err
		}
	}
	for _, t := range tags {
		if err := w.did("purge " + t); err != nil {
			return err
		}
	}
	return nil
}

func lookUp[T any](w *world, in map[string]T, what, id string) (T, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v, ok := in[id]
	if !ok {
		return v, shop.NotFound(what, id)
	}
	return v, nil
}

func (w *world) deps(t *testing.T, js jetstream.JetStream) Deps {
	return Deps{JetStream: js, Checkouts: w, Stock: w, Orders: w, Users: w, Carts: w, Sweeps: w, Catalog: w, Purge: w.purgeTags,
		Mail: MailOptions{Dir: t.TempDir(), From: "Stampede <shop@example.com>"},
		Now:  func() time.Time { return time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC) }}
}

func natsJS(t *testing.T) jetstream.JetStream {
	t.Helper()
	nc, err := queue.Connect(localtest.NATS(t), queue.ConnectOptions{})
	must(t, err)
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	must(t, err)
	must(t, queue.EnsureStreams(t.Context(), js, queue.StreamOptions{MaxBytes: 16 << 20, DeadMaxBytes: 8 << 20}))
	return js
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}
