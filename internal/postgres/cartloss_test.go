package postgres_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/local/localtest"
	"github.com/stampede-shop/stampede/internal/shop"
)

// editedCart is one shopper's cart, and how often an edit of it was acknowledged.
type editedCart struct {
	user  string
	edits int64
}

// editCarts has shoppers add to their carts side by side.
func (g *grid) editCarts(t *testing.T) []*editedCart {
	t.Helper()
	var all []*editedCart
	var wg sync.WaitGroup
	p := g.plain.product(t, 1000)
	for i := range 4 {
		e, w := &editedCart{user: newID()}, []*world{g.plain, g.batched}[i%2]
		all = append(all, e)
		wg.Go(func() {
			for range 50 {
				if _, err := w.AddLine(t.Context(), e.user, newID(), shop.LineOf(p, 1), p.Currency); err != nil {
					t.Error(err)
					return
				}
				e.edits++
			}
		})
	}
	wg.Wait()
	return all
}

// cartsMayLose is what docs/adr/0006 promises: a crash of the database server loses the cart edits of its last second at most.
const cartsMayLose = time.Second

// cartLoss edits carts, waits until no edit may be lost, cuts the power, and tells how many edits are lost.
func (g *grid) cartLoss(t *testing.T) (lost int64) {
	t.Helper()
	carts := g.editCarts(t)
	time.Sleep(cartsMayLose) // not a wait for something: it is what the promise is about
	g.servers[0].KillAll(t)
	g.restart(t, g.servers)
	for _, e := range carts {
		cart, err := g.plain.Cart(t.Context(), e.user)
		check(t, err)
		if cart.ItemCount != cart.Version {
			t.Errorf("a cart of version %d holds %d units", cart.Version, cart.ItemCount)
		}
		lost += e.edits - cart.Version
	}
	return lost
}

// writesSoon has the settings of `up`.
var writesSoon = localtest.PostgresOptions{Settings: map[string]string{"wal_writer_delay": "20ms"}}

// A crash of the server loses at most the last moment of cart edits, and no order.
func TestPowerCutLosesLittleOfCarts(t *testing.T) {
	t.Parallel()
	g := newGrid(t, writesSoon, 1)
	w := g.batched
	p, slowest := w.product(t, 100), time.Duration(0)
	orders := map[string]string{} // by shopper
	for range 5 {
		user := w.fill(t, p)
		r, err := w.saga(nil).Run(t.Context(), buy(user))
		check(t, err)
		orders[user] = r.Order.ID
	}
	for i := range 20 {
		[]*world{g.plain, g.batched}[i%2].fill(t, p)
		_, made := w.log(t)
		told := time.Now()
		localtest.Eventually(t, "the edit is on disk", func() bool { written, _ := w.log(t); return written >= made })
		slowest = max(slowest, time.Since(told))
	}
	t.Logf("edits of carts were on disk %v after they were answered, or sooner", slowest)
	lost := g.cartLoss(t)
	for tries := 0; lost > 0 && tries < 2; tries++ { // is this machine so busy that the log's writer waits, too?
		lost = g.cartLoss(t)
	}
	if lost > 0 {
		t.Errorf("%d edits older than %v were lost", lost, cartsMayLose)
	}
	for user, id := range orders {
		if o, err := w.Order(t.Context(), user, id); err != nil || o.Status != shop.OrderConfirmed {
			t.Errorf("order %s: %+v, %v", id, o, err)
		}
	}
	w.settle(t)
	w.clean(t)
}

// Adding to a cart waits for no disk: on a server that writes its log only when it must, an edit is answered before it is written. The
// same crash then loses edits, which shows that it would be noticed. A checkout is on disk when it is answered, and all before it.
func TestCartEditsDoNotWaitForTheDisk(t *testing.T) {
	t.Parallel()
	g := newGrid(t, writesLate, 1)
	for _, w := range []*world{g.plain, g.batched} {
		p := w.product(t, 1000)
		user := w.fill(t, p)
		for range 20 {
			_, err := w.AddLine(t.Context(), user, newID(), shop.LineOf(p, 1), p.Currency)
			check(t, err)
			if written, made := w.log(t); written >= made {
				t.Errorf("an edit was on disk when it was answered (%d bytes of log)", made)
			}
		}
		_, made := w.log(t)
		_, err := w.saga(nil).Run(t.Context(), buy(user))
		check(t, err)
		if written, _ := w.log(t); written < made {
			t.Errorf("an order was answered with %d bytes of log before it not yet written", made-written)
		}
	}
	if lost := g.cartLoss(t); lost == 0 {
		t.Error("no edit was lost by a server that had not written them")
	}
}

// log tells how much of the write-ahead log is on disk, and how much there is.
func (w *world) log(t testing.TB) (written, made int64) {
	t.Helper()
	n := w.cluster.Nodes()[0]
	check(t, n.Pool.QueryRow(t.Context(), `SELECT pg_current_wal_flush_lsn() - '0/0'::pg_lsn, pg_current_wal_insert_lsn() - '0/0'::pg_lsn`).Scan(&written, &made))
	return written, made
}
