package app

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/stampede-shop/stampede/cache"
	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/cached"
	"github.com/stampede-shop/stampede/internal/local/localtest"
	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/queue"
	"github.com/stampede-shop/stampede/replica"
)

// fenced are processes on one catalogue whose replica can be held back.
type fenced struct {
	pair    *localtest.Pair
	admin   *pgx.Conn // of the replica
	redis   string
	nats    string
	primary *pgxpool.Pool // as the relay has it
}

func newFenced(t *testing.T) *fenced {
	t.Helper()
	f := &fenced{pair: localtest.Replicated(t), redis: localtest.Redis(t).Addr, nats: localtest.NATS(t)}
	if err := postgres.MigrateCatalog(t.Context(), f.pair.PrimaryDSN); err != nil {
		t.Fatal(err)
	}
	var err error
	if f.admin, err = pgx.Connect(t.Context(), f.pair.Replica.AdminDSN()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.admin.Close(context.WithoutCancel(t.Context())) })
	f.primary = pool(t, f.pair.PrimaryDSN)
	return f
}

func pool(t *testing.T, dsn string) *pgxpool.Pool {
	t.Helper()
	p, err := pgxpool.New(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// process is what an API process or a worker has of the stack when it comes to the catalogue.
func (f *fenced) process(t *testing.T, name string) *stack {
	t.Helper()
	s := &stack{cfg: config.Config{Redis: config.RedisConfig{Addr: f.redis}}, log: slog.New(slog.DiscardHandler)}
	t.Cleanup(s.close)
	s.set = replica.New(pool(t, f.pair.PrimaryDSN), []replica.Replica{{Name: "one", Pool: pool(t, f.pair.ReplicaDSN)}},
		replica.Options{Name: catalogName, Interval: 20 * time.Millisecond, CheckTimeout: 20 * time.Second, MaxLatency: time.Minute, MaxLag: time.Hour, TokenWait: 50 * time.Millisecond, ReadWait: 200 * time.Millisecond})
	s.onClose(s.set.Close)
	var err error
	if s.nc, err = queue.Connect(f.nats, queue.ConnectOptions{Name: name}); err != nil {
		t.Fatal(err)
	}
	s.onClose(s.nc.Close)
	if s.js, err = jetstream.New(s.nc); err != nil {
		t.Fatal(err)
	}
	if err := s.openCache(name); err != nil {
		t.Fatal(err)
	}
	s.catalog = postgres.NewCatalog(s.set, postgres.CatalogOptions{})
	s.products = cached.NewProducts(s.catalog, s.store, cached.Options{})
	return s
}

func (f *fenced) replay(t *testing.T, what string) {
	t.Helper()
	if _, err := f.admin.Exec(t.Context(), "SELECT pg_wal_replay_"+what+"()"); err != nil {
		t.Fatal(err)
	}
}

// changes relays the catalogue's outbox, and passes on what the worker hears of products.
func (f *fenced) changes(t *testing.T, worker *stack) <-chan queue.Message {
	t.Helper()
	if err := queue.EnsureStreams(t.Context(), worker.js, queue.StreamOptions{MaxBytes: 16 << 20, DeadMaxBytes: 8 << 20}); err != nil {
		t.Fatal(err)
	}
	heard := make(chan queue.Message, 16)
	c, err := queue.NewConsumer(worker.js, queue.ConsumerOptions{Durable: "test", Topics: []string{shop.TopicProductChanged},
		Handler: func(_ context.Context, m queue.Message) error { heard <- m; return nil }})
	if err != nil {
		t.Fatal(err)
	}
	c.Start()
	t.Cleanup(c.Stop)
	relay := queue.NewRelay(worker.js, []queue.Source{{Name: catalogName, Pool: f.primary}}, queue.RelayOptions{})
	relay.Start()
	t.Cleanup(relay.Stop)
	return heard
}

// nameAt is what a process that knows nothing of writes reads.
func nameAt(t *testing.T, s *stack, id int64) string {
	t.Helper()
	p, err := s.catalog.Product(t.Context(), id)
	if err != nil && shop.CodeOf(err) != shop.CodeNotFound {
		t.Fatal(err)
	}
	return p.Name
}

// start makes a product that everybody has cached, and then holds the replica back.
func (f *fenced) start(t *testing.T, writer, reader, control *stack, heard <-chan queue.Message) (id int64) {
	t.Helper()
	p, err := writer.catalog.CreateProduct(t.Context(), "tester", shop.NewProduct{SKU: "A", Name: "old", Price: 100, Currency: "EUR"})
	if err != nil {
		t.Fatal(err)
	}
	<-heard
	localtest.Eventually(t, "the replica has it and is read from", func() bool {
		return nameAt(t, control, p.ID) == "old" && control.set.Status()[1].Reads > 0
	})
	for _, s := range []*stack{writer, reader} {
		if got, err := s.products.Product(t.Context(), p.ID); err != nil || got.Name != "old" {
			t.Fatalf("%v, %v", got, err)
		}
	}
	f.replay(t, "pause")
	return p.ID
}

// A product changes while its replica stands still. The event of the outbox says up to where the log has to be seen; whatever was read
// from the replica before it, or is read from it afterwards, is kept nowhere.
func TestNoFillIsOlderThanItsPurge(t *testing.T) {
	t.Parallel()
	f := newFenced(t)
	writer, reader, worker, control := f.process(t, "writer"), f.process(t, "reader"), f.process(t, "worker"), f.process(t, "control")
	heard := f.changes(t, worker)
	id := f.start(t, writer, reader, control, heard)
	tags := cached.ProductTags(id)

	entered, release, filled := make(chan struct{}), make(chan struct{}), make(chan string)
	page := cache.New[string](reader.store, "page", cache.FamilyOptions{})
	go func() { // a fill that reads before the purge and ends after it
		v, _, _ := page.Get(context.WithoutCancel(t.Context()), "k", func(context.Context) (string, []string, error) {
			name := nameAt(t, control, id)
			close(entered)
			<-release
			return name, tags, nil
		})
		filled <- v
	}()
	<-entered
	if _, err := writer.catalog.PatchProduct(t.Context(), "tester", id, []byte(`{"name":"new"}`), 0); err != nil {
		t.Fatal(err)
	}
	if name := nameAt(t, control, id); name != "old" {
		t.Fatalf("the replica is not behind: %q", name)
	}
	if err := worker.purgeSeen(t.Context(), tags, []string{(<-heard).Position}); err != nil {
		t.Fatal(err)
	}
	close(release)
	if v := <-filled; v != "old" {
		t.Fatalf("the fill before the purge read %q", v)
	}
	for _, s := range []*stack{reader, writer, worker} {
		if p, err := s.products.Product(t.Context(), id); err != nil || p.Name != "new" {
			t.Errorf("%q, %v after the purge", p.Name, err)
		}
		v, src, err := cache.New[string](s.store, "page", cache.FamilyOptions{}).Get(t.Context(), "k", func(context.Context) (string, []string, error) {
			return "loaded again", tags, nil
		})
		if v == "old" || err != nil {
			t.Errorf("the old fill is in %v: %v", src, err)
		}
	}
	f.replay(t, "resume")
	localtest.Eventually(t, "the replica is read from again", func() bool {
		before := reader.set.Status()[1].Reads
		return nameAt(t, reader, id) == "new" && reader.set.Status()[1].Reads > before
	})
}

// The primary dies between the commit and the purge: the position comes with the event, so nobody has to ask for it, and the replica's
// older answer is not taken.
func TestPurgeHoldsWithoutThePrimary(t *testing.T) {
	t.Parallel()
	f := newFenced(t)
	writer, reader, worker, control := f.process(t, "writer"), f.process(t, "reader"), f.process(t, "worker"), f.process(t, "control")
	heard := f.changes(t, worker)
	id := f.start(t, writer, reader, control, heard)
	if _, err := writer.catalog.PatchProduct(t.Context(), "tester", id, []byte(`{"name":"new"}`), 0); err != nil {
		t.Fatal(err)
	}
	at := (<-heard).Position
	localtest.Eventually(t, "the replica has received the change", func() bool {
		var has bool
		err := f.admin.QueryRow(t.Context(), "SELECT pg_last_wal_receive_lsn() >= $1::pg_lsn", at).Scan(&has)
		return err == nil && has
	})
	f.pair.Primary.Kill()
	if err := worker.purgeSeen(t.Context(), cached.ProductTags(id), []string{at}); err != nil {
		t.Fatalf("the purge needed the primary: %v", err)
	}
	for range 5 {
		if p, err := reader.products.Product(t.Context(), id); err == nil {
			t.Fatalf("%q although nobody who is there has seen the change", p.Name)
		} else if code := shop.CodeOf(err); code != shop.CodeUnavailable && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("%v (%v)", err, code)
		}
	}
	f.replay(t, "resume")
	localtest.Eventually(t, "the replica answers once it has caught up", func() bool {
		p, err := reader.products.Product(t.Context(), id)
		return err == nil && p.Name == "new"
	})
}
