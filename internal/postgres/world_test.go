package postgres_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stampede-shop/stampede/internal/local/localtest"
	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/shard"
)

// stores is what Shards and Batched have in common.
type stores interface {
	shop.CartStore
	shop.StockStore
	shop.UserStore
	shop.OrderStore
	shop.CheckoutStore
	SeedStock(ctx context.Context, seeds []postgres.StockSeed) error
	SweepReservations(ctx context.Context, limit int) (int, error)
	AbandonedCarts(ctx context.Context, idle time.Duration, limit int) (int, error)
	PurgeOldKeys(ctx context.Context, limit int) (int64, error)
}

// world is a shop on four shards of its own, with a catalogue in memory.
type world struct {
	stores
	Shards   *postgres.Shards
	dsns     map[string]string
	pools    map[string]*pgxpool.Pool // as at first; the cluster may change
	cluster  *shard.Cluster
	pay      *postgres.TestPay
	products *shelf
}

// newWorld makes four empty, migrated shards on the server that all tests share.
func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOn(t, localtest.Postgres(t))
}

// newWorldOn spreads four empty, migrated shards over servers.
func newWorldOn(t *testing.T, servers ...*localtest.PostgresServer) *world {
	t.Helper()
	dsns := map[string]string{}
	var wg sync.WaitGroup
	for i := range 4 {
		dsn := servers[i%len(servers)].Database(t)
		dsns[fmt.Sprintf("shard%d", i+1)] = dsn
		wg.Go(func() {
			if err := postgres.MigrateShard(t.Context(), dsn); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	w, err := openWorld(dsns, 8)
	check(t, err)
	t.Cleanup(w.close)
	return w
}

// openWorld opens the shop on migrated shards, as each of its processes does, with so many connections to each.
func openWorld(dsns map[string]string, connections int32) (*world, error) {
	w := &world{dsns: dsns, products: &shelf{all: map[int64]shop.Product{}}}
	w.pools = map[string]*pgxpool.Pool{}
	var infos []shard.Info
	for _, id := range slices.Sorted(maps.Keys(dsns)) {
		cfg, err := pgxpool.ParseConfig(dsns[id])
		if err != nil {
			return nil, err
		}
		cfg.MaxConns = connections
		postgres.TuneShardPool(cfg)
		if w.pools[id], err = pgxpool.NewWithConfig(context.Background(), cfg); err != nil {
			return nil, err
		}
		infos = append(infos, shard.Info{ID: id})
	}
	ring, err := shard.NewRing(infos...)
	if err != nil {
		return nil, err
	}
	if w.cluster, err = shard.New(ring, w.pools, shard.Options{}); err != nil {
		return nil, err
	}
	w.Shards = postgres.NewShards(w.cluster, postgres.ShardOptions{Timeout: 20 * time.Second})
	w.stores, w.pay = w.Shards, postgres.NewTestPay(w.cluster, postgres.TestPayOptions{Wait: -1})
	return w, nil
}

func (w *world) close() {
	for _, p := range w.pools {
		p.Close()
	}
}

// bothWays runs a test over stores that work one by one and over stores that share transactions, each on shards of its
// own.
func bothWays(t *testing.T, test func(*testing.T, *world)) {
	t.Helper()
	t.Parallel()
	t.Run("plain", func(t *testing.T) {
		t.Parallel()
		test(t, newWorld(t))
	})
	t.Run("batched", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.batch(t, postgres.BatchedOptions{})
		test(t, w)
	})
}

// batch makes the world's stores and its payments share transactions.
func (w *world) batch(t *testing.T, o postgres.BatchedOptions) *postgres.Batched {
	b := postgres.NewBatched(w.Shards, o)
	t.Cleanup(func() { check(t, b.Close(context.Background())) })
	w.stores, w.pay = b, postgres.NewBatchedTestPay(b, postgres.TestPayOptions{Wait: -1})
	return b
}

// saga is the checkout over this world; crash may be nil.
func (w *world) saga(crash func(string)) *shop.Checkouts {
	return &shop.Checkouts{Store: w.stores, Orders: w, Stock: w, Carts: w, Products: w.products, Pay: w.pay, NewID: newID,
		Now: time.Now, Crash: crash}
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

var lastProduct atomic.Int64

// product puts a new product on the shelf and gives it stock.
func (w *world) product(t testing.TB, stock int64) shop.Product {
	t.Helper()
	return w.stocked(t, lastProduct.Add(1), stock)
}

// stocked is product for a product with a given id.
func (w *world) stocked(t testing.TB, id, stock int64) shop.Product {
	t.Helper()
	p := shop.Product{ID: id, SKU: fmt.Sprintf("SKU-%d", id), Name: fmt.Sprintf("Product %d", id), Price: 100 + id, Currency: "USD"}
	w.products.put(p)
	check(t, w.SetAvailable(t.Context(), "test", id, stock))
	return p
}

// fill puts one unit of each product into a new user's cart.
func (w *world) fill(t testing.TB, products ...shop.Product) (userID string) {
	t.Helper()
	userID = newID()
	for _, p := range products {
		_, err := w.AddLine(t.Context(), userID, newID(), shop.LineOf(p, 1), p.Currency)
		check(t, err)
	}
	return userID
}

func (w *world) left(t testing.TB, p shop.Product) int64 {
	t.Helper()
	left, err := w.Available(t.Context(), []int64{p.ID})
	check(t, err)
	return left[p.ID]
}

// drain does by hand what relay and worker do with the outbox, and returns how many events there were.
func (w *world) drain(t testing.TB, c *shop.Checkouts) map[string]int {
	t.Helper()
	seen := map[string]int{}
	for _, e := range w.events(t) {
		seen[e.Topic]++
		check(t, w.handle(t.Context(), c, e))
	}
	return seen
}

// event is a row of an outbox.
type event struct {
	Topic   string
	Payload []byte
}

// events takes all there are out of the outboxes.
func (w *world) events(t testing.TB) (all []event) {
	t.Helper()
	for _, n := range w.cluster.Nodes() {
		found, err := n.Pool.Query(t.Context(), `DELETE FROM outbox RETURNING topic, payload`)
		check(t, err)
		some, err := pgx.CollectRows(found, pgx.RowToStructByPos[event])
		check(t, err)
		all = append(all, some...)
	}
	return all
}

// handle does what the worker does with an event.
func (w *world) handle(ctx context.Context, c *shop.Checkouts, e event) error {
	var oe shop.OrderEvent
	if err := json.Unmarshal(e.Payload, &oe); err != nil {
		return err
	}
	switch e.Topic {
	case shop.TopicOrderConfirmed:
		return w.Commit(ctx, oe.OrderID, oe.ProductIDs)
	case shop.TopicOrderCancelled:
		return c.UndoCancelled(ctx, oe)
	case shop.TopicCheckoutFailed:
		return c.Undo(ctx, oe)
	}
	return nil
}

// exec runs SQL on the shard of a key.
func (w *world) exec(t testing.TB, key, sql string, args ...any) {
	t.Helper()
	n, err := w.cluster.OnShard(key)
	check(t, err)
	tag, err := n.Pool.Exec(t.Context(), sql, args...)
	check(t, err)
	if tag.RowsAffected() == 0 {
		t.Fatalf("no row hit by %s", sql)
	}
}

// count runs a query for one number on the shard of a key.
func (w *world) count(t testing.TB, key, sql string, args ...any) (n int64) {
	t.Helper()
	node, err := w.cluster.OnShard(key)
	check(t, err)
	check(t, node.Pool.QueryRow(t.Context(), sql, args...).Scan(&n))
	return n
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t testing.TB, err error, code shop.Code) {
	t.Helper()
	if got := shop.CodeOf(err); got != code {
		t.Fatalf("got %q (%v), want %q", got, err, code)
	}
}

// shelf is a catalogue in memory.
type shelf struct {
	mu  sync.Mutex
	all map[int64]shop.Product
}

func (s *shelf) put(p shop.Product) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all[p.ID] = p
}

func (s *shelf) Product(_ context.Context, id int64) (shop.Product, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.all[id]
	if !ok {
		return p, shop.NotFound("product", id)
	}
	return p, nil
}

func (s *shelf) Products(ctx context.Context, ids []int64) (out []shop.Product, err error) {
	for _, id := range ids {
		if p, err := s.Product(ctx, id); err == nil {
			out = append(out, p)
		}
	}
	return out, nil
}

func (s *shelf) ListProducts(context.Context, shop.ProductQuery) (shop.ProductPage, error) {
	return shop.ProductPage{}, shop.Errorf(shop.CodeInternal, "not on this shelf")
}
