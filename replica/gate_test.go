package replica_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stampede-shop/stampede/internal/local/localtest"
	"github.com/stampede-shop/stampede/replica"
)

func gated(t *testing.T, g *replica.Gate, dsn string) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	cfg.MaxConns = 8
	p, err := g.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// A pool full of connections to a primary that is gone: whoever tries a second time has waited for the next primary.
func TestGateWaitsOutAFailover(t *testing.T) {
	t.Parallel()
	pair := localtest.Replicated(t)
	g := replica.NewGate(replica.GateOptions{Wait: time.Minute})
	t.Cleanup(g.Close)
	p := gated(t, g, anyOf(t, pair.PrimaryDSN, pair.ReplicaDSN))
	write := func(ctx context.Context) error {
		_, err := p.Exec(ctx, "INSERT INTO n VALUES (1)")
		return err
	}
	if _, err := p.Exec(t.Context(), "CREATE TABLE n (v int NOT NULL)"); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 { // as many connections
		wg.Go(func() { _, _ = p.Exec(t.Context(), "SELECT pg_sleep(0.05)") })
	}
	wg.Wait()
	replayed := pool(t, pair.ReplicaDSN)
	f := &fixture{Pair: pair, t: t}
	f.eventually("the standby has the table", func() bool {
		_, err := replayed.Exec(t.Context(), "SELECT FROM n")
		return err == nil
	})
	pair.Primary.Kill()
	results := make(chan int, 32)
	for range cap(results) {
		go func() {
			tries := 1
			for err := write(t.Context()); err != nil && tries < 10; err = write(t.Context()) {
				tries++
			}
			results <- tries
		}()
	}
	f.exec(pool(t, pair.Replica.AdminDSN()), "SELECT pg_promote(true)")
	for range cap(results) {
		if tries := <-results; tries > 2 {
			t.Errorf("a write took %d tries", tries)
		}
	}
	if g.Fence().Timeline() != 2 {
		t.Errorf("timeline %d", g.Fence().Timeline())
	}
}

// Nobody waits longer than their own context, or than the Gate does; afterwards it works again.
func TestGateWaitIsBounded(t *testing.T) {
	t.Parallel()
	pair := localtest.Replicated(t)
	g := replica.NewGate(replica.GateOptions{Wait: 2 * time.Second})
	t.Cleanup(g.Close)
	p := gated(t, g, pair.PrimaryDSN)
	try := func(ctx context.Context) error {
		_, err := p.Exec(ctx, "SELECT 1")
		return err
	}
	if err := try(t.Context()); err != nil {
		t.Fatal(err)
	}
	pair.Primary.Kill()
	f := &fixture{Pair: pair, t: t}
	broken := func() bool { return try(t.Context()) != nil } // sessions outlive their server for a moment
	f.eventually("the connection is broken", broken)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := try(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with 20 ms of patience: %v", err)
	}
	if err := try(t.Context()); !errors.Is(err, replica.ErrNoPrimary) {
		t.Errorf("with more patience than the gate: %v", err)
	}
	pair.Primary.Restart(t)
	f.eventually("it works after the restart", func() bool { return try(t.Context()) == nil })
	pair.Primary.Kill()
	f.eventually("the connection is broken again", broken)
	g.Close()
	g.Close()
	if err := try(t.Context()); err == nil || errors.Is(err, replica.ErrNoPrimary) {
		t.Errorf("after Close: %v", err)
	}
}
