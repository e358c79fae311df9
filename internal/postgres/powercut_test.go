package postgres_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/local/localtest"
	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/internal/shop"
)

// writesLate is a server that puts its log on disk only when it must: whatever a commit did not wait for is lost for certain.
var writesLate = localtest.PostgresOptions{Settings: map[string]string{"wal_writer_delay": "10s", "wal_writer_flush_after": "1GB",
	"wal_buffers": "64MB", "autovacuum": "off"}}

// grid is a shop on database servers of its own, whose power can be cut. Its stores go on, one by one and batched.
type grid struct {
	servers        []*localtest.PostgresServer
	plain, batched *world
	crash          atomic.Pointer[func(string)] // of the batched stores
}

func newGrid(t *testing.T, o localtest.PostgresOptions, servers int) *grid {
	t.Helper()
	g := &grid{}
	for range servers {
		g.servers = append(g.servers, localtest.PostgresWith(t, o))
	}
	g.plain = newWorldOn(t, g.servers...)
	batched := *g.plain
	batched.batch(t, postgres.BatchedOptions{Crash: func(point string) {
		if f := g.crash.Load(); f != nil {
			(*f)(point)
		}
	}})
	g.batched = &batched
	return g
}

// some draws servers: one, or sometimes all.
func (g *grid) some() []*localtest.PostgresServer {
	if rand.N(5) == 0 {
		return g.servers
	}
	i := rand.N(len(g.servers))
	return g.servers[i : i+1]
}

// restart brings servers back.
func (g *grid) restart(t *testing.T, servers []*localtest.PostgresServer) {
	t.Helper()
	for _, s := range servers {
		s.Restart(t)
	}
	for _, n := range g.plain.cluster.Nodes() {
		n.Pool.Reset() // what is connected to the dead
	}
}

// keyOn makes keys until one belongs to a server.
func (g *grid) keyOn(server int, next func() string) string {
	for {
		key := next()
		// newWorldOn deals the shards out in turn
		if at, _ := g.plain.cluster.Locate(key); int(at[len(at)-1]-'1')%len(g.servers) == server {
			return key
		}
	}
}

// Database servers lose everything that was not on disk, under load: one of two, or both. No order that was acknowledged is lost, and
// the books agree.
func TestPowerCutLosesNoOrder(t *testing.T) {
	t.Parallel()
	g := newGrid(t, writesLate, 2)
	localtest.Rounds(t, 3, func(int) {
		const stock = 40
		var products []shop.Product
		for range 5 {
			products = append(products, g.plain.product(t, stock))
		}
		d := newDiary()
		d.lossy = true
		stop := g.sellUntilDark(products, d)
		localtest.Eventually(t, "orders come in", func() bool { return d.answers() > 30 })
		victims := g.some()
		for _, s := range victims {
			s.KillAll(t)
		}
		stop()
		g.restart(t, victims)
		g.batched.takeOver(t, d)
		g.plain.settle(t)
		g.plain.reconcile(t, d, products, stock)
	})
}

// sellUntilDark lets shoppers in until their requests fail.
func (g *grid) sellUntilDark(products []shop.Product, d *diary) (stop func()) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	stopped := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 8 {
		v := visit{w: []*world{g.plain, g.batched}[i%2], write: d.write, later: i%4 < 2}
		wg.Go(func() {
			for v.run(ctx, newID(), products) == nil {
				select {
				case <-stopped:
					return
				default:
				}
			}
		})
	}
	return func() { close(stopped); wg.Wait(); cancel() }
}

// The power is cut exactly between two steps of a checkout, with nobody else about whose commits would put on disk what this checkout's
// own did not: at the buyer's server, which keeps the checkout, at that of the stock, or at both; the charge is at either.
func TestPowerCutBetweenAnyTwoSteps(t *testing.T) {
	t.Parallel()
	g := newGrid(t, writesLate, 2)
	localtest.Rounds(t, 1, func(int) {
		for _, point := range slices.Concat(shop.CrashPoints, postgres.BatchCrashPoints) {
			// a short run makes sure of the points before which something must be on disk
			sure := slices.Contains([]string{"opened", "reserved", "charged", "confirmed", "batch-open", "batch-stock", "batch-pay", "batch-close"}, point)
			if sure || rand.N(3) == 0 || localtest.Soaking(t) > 0 {
				g.cutAt(t, g.batched, point)
			}
			if slices.Contains(shop.CrashPoints, point) && (sure || localtest.Soaking(t) > 0) {
				g.cutAt(t, g.plain, point)
			}
		}
	})
}

func (g *grid) cutAt(t *testing.T, w *world, point string) {
	t.Helper()
	stock, victims := int64(100), g.some()
	if point == "batch-ration" || point == "refused" {
		stock = 1 // or nobody comes there
	}
	var id int64
	g.keyOn(1, func() string { id = lastProduct.Add(1); return shop.ProductKey(id) })
	p, d := w.stocked(t, id, stock), newDiary()
	d.lossy = true
	var cut atomic.Bool
	v := g.visitTo(w, d, point, func() {
		if cut.CompareAndSwap(false, true) {
			for _, s := range victims {
				s.KillAll(t)
			}
		}
	})
	for tries := 0; !cut.Load(); tries++ {
		if tries > 100 {
			t.Fatalf("nobody came to %q", point)
		}
		err := v.run(t.Context(), g.keyOn(0, newID), []shop.Product{p})
		if point == "settled" && err == nil {
			err = v.recover(t.Context())
		}
		if err != nil && !cut.Load() {
			t.Fatal(err)
		}
	}
	g.crash.Store(nil)
	g.restart(t, victims)
	w.takeOver(t, d)
	w.settle(t)
	w.reconcile(t, d, []shop.Product{p}, stock)
	if t.Failed() {
		t.Fatalf("the power was cut at %q on %d servers", point, len(victims))
	}
}

// visitTo is a visit with a good chance to come to a point; there, passed is called.
func (g *grid) visitTo(w *world, d *diary, point string, passed func()) visit {
	crash := func(at string) {
		if at == point {
			passed()
		}
	}
	g.crash.Store(&crash)
	charges := rand.N(2)
	v := visit{w: w, write: d.write, crash: crash, order: func() string { return g.keyOn(charges, newID) }}
	switch point {
	case "failed", "compensated":
		v.outcomes = []string{"decline"}
	case "unknown", "settled":
		v.outcomes = []string{"late", "timeout"}
	case "cancelled":
		v.outcomes = []string{"approve"}
	}
	return v
}
