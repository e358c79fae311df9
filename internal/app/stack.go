package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stampede-shop/stampede/analytics"
	"github.com/stampede-shop/stampede/cache"
	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/app/edgerole"
	"github.com/stampede-shop/stampede/internal/app/governor"
	"github.com/stampede-shop/stampede/internal/app/roleops"
	"github.com/stampede-shop/stampede/internal/app/warming"
	"github.com/stampede-shop/stampede/internal/cached"
	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/queue"
	"github.com/stampede-shop/stampede/replica"
	"github.com/stampede-shop/stampede/shard"
	"github.com/stampede-shop/stampede/shard/move"
)

// stack is what API and worker share: the databases, the caches in front of them, the queue, and the shop on top.
// close releases everything in reverse order of opening and is safe to call twice.
type stack struct {
	cfg     config.Config
	log     *slog.Logger
	reg     prometheus.Registerer
	catalog *postgres.Catalog
	shards  *postgres.Shards
	tune    func(*pgxpool.Config) // of shards' pools; nil where whole tables are read
	stores  stores                // shards, or batched
	batched *postgres.Batched     // nil without group commit
	cluster *shard.Cluster
	db      *databases
	set     *replica.Set // of the catalogue
	store   *cache.Store
	edges   *queue.Bus // where edges are purged
	nc      *nats.Conn
	js      jetstream.JetStream

	products  *cached.Products
	stock     *cached.Stock
	users     *cached.Users
	writer    *cached.Catalog
	campaigns *cached.Campaigns
	setStock  shop.StockStore // stores, for administrators
	checkouts *shop.Checkouts
	warm      *warming.Warming     // of an API process
	events    *analytics.Collector // of clients; nil: none are collected
	tracked   *analytics.Collector // of the platform itself; likewise
	chaos     *chaosRole           // nil: it behaves
	governor  *governor.Governor   // of an API process

	measured atomic.Pointer[roleops.Measuring] // hears of the caches; nil until there is one
	gapStore atomic.Pointer[cache.Store]       // store, for the bus, which runs before there is one
	topology *move.Follower
	late     lateRelays
	closers  []func()
}

// openStack connects to everything cfg names. Redis and NATS may be down: they are reconnected in the background.
func openStack(ctx context.Context, cfg config.Config, name string, log *slog.Logger, reg prometheus.Registerer) (*stack, error) {
	s := &stack{cfg: cfg, log: log, reg: reg, tune: postgres.TuneShardPool, chaos: newChaosRole(cfg, name)}
	for _, step := range []func(context.Context) error{
		s.openDatabases, s.openCatalog, s.openShards, s.unwatchFirst, func(ctx context.Context) error { return s.openQueue(ctx, name) },
		func(context.Context) error { s.topology = s.followTopology(name, &s.late); return nil },
		func(context.Context) error { return s.openCache(name) }, func(context.Context) error { return s.openEdges(name) }, s.openShop,
	} {
		if err := step(ctx); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

func (s *stack) close() {
	for i := len(s.closers) - 1; i >= 0; i-- {
		s.closers[i]()
	}
	s.closers = nil
}

func (s *stack) onClose(f func()) { s.closers = append(s.closers, f) }

func (s *stack) openDatabases(context.Context) error {
	if s.cfg.Catalog.Primary == "" {
		return fmt.Errorf("catalog.primary: %w: give the DSN of the catalogue database", config.ErrNotConfigured)
	}
	s.db = newDatabases(s.cfg, s.log, s.reg)
	s.onClose(s.db.close)
	return nil
}

func (s *stack) openShards(ctx context.Context) error {
	if len(s.cfg.Shards) == 0 {
		return fmt.Errorf("shards: %w: name at least one as {id, dsn}", config.ErrNotConfigured)
	}
	ring, err := s.cfg.Ring()
	if err != nil {
		return err
	}
	pools := map[string]*pgxpool.Pool{}
	for _, sc := range s.cfg.Shards {
		if sc.DSN == "" {
			return fmt.Errorf("shards: %s has no dsn", sc.ID)
		}
		p, err := s.db.writer(ctx, sc.ID, sc.DSN, s.tune)
		if err != nil {
			return err
		}
		s.onClose(p.Close)
		pools[sc.ID] = p
	}
	if s.cluster, err = shard.New(ring, pools, shard.Options{}); err != nil {
		return err
	}
	s.shards = postgres.NewShards(s.cluster, postgres.ShardOptions{Log: s.log})
	return s.watchShards(ctx, pools)
}

// watchShards watches the servers of shards that are not the catalogue's too.
func (s *stack) watchShards(ctx context.Context, pools map[string]*pgxpool.Pool) error {
	for _, sc := range s.cfg.Shards {
		if len(sc.Replicas) == 0 || s.db.watched(pools[sc.ID]) {
			continue
		}
		replicas, err := s.db.readers(ctx, sc.ID, sc.Replicas)
		if err != nil {
			return err
		}
		s.onClose(func() { closeAll(replicas) })
		s.db.watch(pools[sc.ID], replicas)
	}
	return nil
}

func (s *stack) openCatalog(ctx context.Context) error {
	primary, err := s.db.writer(ctx, catalogName, s.cfg.Catalog.Primary, nil)
	if err != nil {
		return err
	}
	s.onClose(primary.Close)
	replicas, err := s.db.readers(ctx, catalogName, s.cfg.Catalog.Replicas)
	if err != nil {
		return err
	}
	s.onClose(func() { closeAll(replicas) })
	if s.set, err = s.db.watch(primary, replicas).Set(catalogName, primary, replicas); err != nil {
		return err
	}
	s.catchUp(ctx)
	return nil
}

// catalogName is the catalogue's database in tokens, metrics and logs.
const catalogName = "catalog"

// unwatchFirst makes closing begin with what looks at the databases.
func (s *stack) unwatchFirst(context.Context) error {
	s.onClose(s.db.unwatch)
	return nil
}

// catchUp makes this process's catalogue reads at least as new as the catalogue is now: after a start, or a gap in what it
// was told, a replica that lags must not answer with what is older. Without a primary there is nothing newer to see.
func (s *stack) catchUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if lsn, err := s.set.CommitLSN(ctx); err == nil {
		s.set.Require(lsn)
	}
}

func (s *stack) openQueue(_ context.Context, name string) (err error) {
	if s.cfg.NATS.URL == "" {
		return fmt.Errorf("nats.url: %w: give the queue's address, such as nats://127.0.0.1:4222", config.ErrNotConfigured)
	}
	if s.nc, err = queue.Connect(s.cfg.NATS.URL, queue.ConnectOptions{Name: name, Log: s.log}); err != nil {
		return err
	}
	s.onClose(s.nc.Close)
	s.js, err = jetstream.New(s.nc)
	return err
}

const metaLSN = "lsn" // of an invalidation: reads must have seen this position of the catalogue's log

func (s *stack) openCache(name string) error {
	bus, err := queue.NewBus(s.nc, "stampede.invalidate", name+"-"+roleops.NewID(),
		queue.BusOptions{Log: s.log, Registerer: s.reg, OnGap: s.missedMessages})
	if err != nil {
		return err
	}
	s.onClose(bus.Close)
	s.store, err = cache.NewStore(cache.Options{Redis: s.cfg.Redis.Addrs(), Bus: bus, Logger: s.log, Registerer: s.reg,
		OnInvalidate: func(inv cache.Invalidation) { s.require(inv.Meta[metaLSN]) }, Unheard: s.catchUp, Observe: s.askedCache})
	if err != nil {
		return err
	}
	s.gapStore.Store(s.store)
	s.onClose(s.store.Close)
	return nil
}

// require makes this process's catalogue reads see at least lsn, so that a purge is not undone by a lagging replica.
func (s *stack) require(lsn string) {
	if l, err := replica.ParseLSN(lsn); err == nil {
		s.set.Require(l)
	}
}

// purge drops tags from every tier and process, the edges last.
func (s *stack) purge(ctx context.Context, tags []string) error {
	return s.purgeEverywhere(ctx, edgerole.PurgeRequest{Tags: tags})
}

// purgeCaches drops tags from L2 and from L1 of every process; what is read afterwards is at least as new as the catalogue is
// now. Without the catalogue's position it still drops them, and says so.
func (s *stack) purgeCaches(ctx context.Context, tags []string) error {
	inv := cache.Invalidation{Tags: tags}
	lsn, err := s.set.CommitLSN(ctx)
	if err == nil {
		inv.Meta = map[string]string{metaLSN: lsn.String()}
	}
	return errors.Join(err, s.store.InvalidateMeta(ctx, inv))
}

// purgeSeen is purge where it is known what has to be seen: positions of the catalogue's log. The catalogue is not asked then, and may
// be away; one of them being empty means that it is not known.
func (s *stack) purgeSeen(ctx context.Context, tags, positions []string) error {
	var at replica.LSN
	for _, p := range positions {
		l, err := replica.ParseLSN(p)
		if err != nil {
			return s.purge(ctx, tags)
		}
		at = max(at, l)
	}
	if at == 0 {
		return s.purge(ctx, tags)
	}
	return s.store.InvalidateMeta(ctx, cache.Invalidation{Tags: tags, Meta: map[string]string{metaLSN: at.String()}})
}

// missedMessages runs after this process may have missed invalidations: nothing it holds is trusted any more, and what it
// reads from now on is at least as new as the catalogue is now.
func (s *stack) missedMessages() {
	s.catchUp(context.Background())
	if store := s.gapStore.Load(); store != nil {
		store.Forget()
	}
}

func (s *stack) openShop(context.Context) error {
	s.catalog = postgres.NewCatalog(s.set, postgres.CatalogOptions{})
	s.products = cached.NewProducts(s.catalog, s.store, cached.Options{})
	s.stock = cached.NewStock(s.shards, s.store, cached.Options{})
	s.users = cached.NewUsers(s.shards, s.store, cached.Options{})
	s.writer = cached.NewCatalog(s.catalog, s.purge, cached.Options{Log: s.log})
	s.campaigns = cached.NewCampaigns(s.catalog, s.store, s.purge, cached.Options{Log: s.log})
	s.openStores()
	s.exportClock()
	s.setStock = cached.NewStockStore(s.stores, s.purge, cached.Options{Log: s.log})
	s.checkouts = &shop.Checkouts{Store: s.stores, Orders: s.stores, Stock: s.stores, Carts: s.stores, CommitLater: s.cfg.Checkout.GroupCommit,
		PurchaseLimit: int64(s.cfg.Checkout.PurchaseLimit),
		Products:      s.products, Pay: s.timed(s.chaos.payments(s.payments())), NewID: roleops.NewID, Now: s.chaos.now, Log: s.log, Crash: crashPoint()}
	return nil
}

// stores are what shoppers write to on the shards.
type stores interface {
	shop.CartStore
	shop.StockStore
	shop.OrderStore
	shop.CheckoutStore
}

const batchesEnd = 5 * time.Second

// openStores chooses between a transaction for each step of each checkout, and shared ones.
func (s *stack) openStores() {
	s.stores = s.shards
	if !s.cfg.Checkout.GroupCommit {
		return
	}
	s.batched = postgres.NewBatched(s.shards, postgres.BatchedOptions{Slots: s.cfg.Checkout.Slots, Registerer: s.reg, Log: s.log,
		Crash: crashPoint()})
	s.stores = s.batched
	s.onClose(func() {
		ctx, cancel := context.WithTimeout(context.Background(), batchesEnd)
		defer cancel()
		if err := s.batched.Close(ctx); err != nil {
			s.log.Warn("steps of checkouts were cut off; they are taken up again by others", "error", err)
		}
	})
}
