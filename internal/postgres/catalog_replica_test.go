package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stampede-shop/stampede/internal/local/localtest"
	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/replica"
)

// replicated is a catalogue with one replica; the primary reads one thing at a time in its place.
func replicated(t *testing.T) (*localtest.Pair, *postgres.Catalog, *replica.Set) {
	t.Helper()
	pair := localtest.Replicated(t)
	if err := postgres.MigrateCatalog(t.Context(), pair.PrimaryDSN); err != nil {
		t.Fatal(err)
	}
	gate := replica.NewGate(replica.GateOptions{})
	t.Cleanup(gate.Close)
	cfg, err := pgxpool.ParseConfig(pair.PrimaryDSN)
	if err != nil {
		t.Fatal(err)
	}
	primary, err := gate.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(primary.Close)
	one, err := pgxpool.New(t.Context(), pair.ReplicaDSN)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(one.Close)
	set := replica.New(primary, []replica.Replica{{Name: "one", Pool: one}}, replica.Options{Name: "catalog", Gate: gate,
		Interval: 50 * time.Millisecond, CheckTimeout: 20 * time.Second, MaxLatency: time.Minute, PrimaryReadLimit: 1, PrimaryReadQueue: -1, ReadWait: 100 * time.Millisecond})
	t.Cleanup(set.Close)
	return pair, postgres.NewCatalog(set, postgres.CatalogOptions{}), set
}

// A write is seen by this process and noted for its session; reads go to the replica once it is there.
func TestCatalogReadsItsWrites(t *testing.T) {
	t.Parallel()
	_, c, set := replicated(t)
	ctx, wrote := replica.WithCollector(t.Context())
	p, err := c.CreateProduct(ctx, "tester", shop.NewProduct{SKU: "A", Name: "Name", Price: 100, Currency: "EUR"})
	if err != nil {
		t.Fatal(err)
	}
	at := wrote.Token().LSN("catalog")
	if at == 0 || at == replica.MaxLSN || set.Required() != at {
		t.Errorf("the session must see %v, the process %v", at, set.Required())
	}
	for range 20 {
		if got, err := c.Product(t.Context(), p.ID); err != nil || got.Name != p.Name {
			t.Fatalf("%+v %v", got, err)
		}
	}
	deadline := time.Now().Add(time.Minute)
	for set.Status()[1].Reads == 0 {
		if _, err := c.Product(t.Context(), p.ID); err != nil || time.Now().After(deadline) {
			t.Fatalf("%v; %+v", err, set.Status())
		}
	}
}

// Without replicas, and with the primary's budget spent, a read is told when to come back.
func TestCatalogBrownout(t *testing.T) {
	t.Parallel()
	pair, c, set := replicated(t)
	pair.Replica.Kill()
	deadline := time.Now().Add(time.Minute)
	for set.Status()[1].Healthy && time.Now().Before(deadline) {
		if err := c.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	tx, err := set.Primary().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback(context.Background()) }) // the pool waits for it
	if _, err := tx.Exec(t.Context(), "LOCK TABLE products"); err != nil {
		t.Fatal(err)
	}
	results := make(chan error, 4)
	for range cap(results) {
		go func() {
			_, err := c.Product(t.Context(), 1)
			results <- err
		}()
	}
	refused := 0
	for range cap(results) {
		err := <-results
		var known *shop.Error
		switch {
		case !errors.As(err, &known) || known.Code != shop.CodeUnavailable: // one has the budget, and waits for the lock until its time is over
			t.Error(err)
		case errors.Is(err, replica.ErrOverloaded) && known.RetryAfter >= time.Second:
			refused++
		}
	}
	if refused != cap(results)-1 {
		t.Errorf("%d of %d reads were refused", refused, cap(results))
	}
}

// With nobody left to ask, readers are told to come back.
func TestCatalogWithoutServers(t *testing.T) {
	t.Parallel()
	pair, c, _ := replicated(t)
	if err := c.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	pair.Replica.Kill()
	pair.Primary.Kill()
	deadline := time.Now().Add(time.Minute)
	for failures := 0; failures < 5; { // sessions outlive their server for a moment
		_, err := c.Product(t.Context(), 1)
		switch code := shop.CodeOf(err); {
		case code == shop.CodeUnavailable:
			failures++
		case code != shop.CodeNotFound || time.Now().After(deadline):
			t.Fatal(err)
		}
	}
}
