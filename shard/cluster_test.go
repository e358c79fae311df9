package shard_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stampede-shop/stampede/shard"
)

// pools are never connected: nothing here queries them.
func pools(tb testing.TB, ids ...string) map[string]*pgxpool.Pool {
	tb.Helper()
	m := map[string]*pgxpool.Pool{}
	for _, id := range ids {
		p, err := pgxpool.New(context.Background(), "host=127.0.0.1 port=1 dbname="+id)
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(p.Close)
		m[id] = p
	}
	return m
}

func cluster(tb testing.TB, o shard.Options) *shard.Cluster {
	tb.Helper()
	c, err := shard.New(four(tb), pools(tb, "shard1", "shard2", "shard3", "shard4"), o)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func TestClusterFindsTheOwner(t *testing.T) {
	t.Parallel()
	c := cluster(t, shard.Options{})
	n, err := c.OnShard("42")
	if err != nil || n.ID != "shard2" || n.Pool.Config().ConnConfig.Database != "shard2" {
		t.Errorf("OnShard(42) = %s, %v; want shard2 with its own pool", n.ID, err)
	}
	if _, err := c.OnShard(""); !errors.Is(err, shard.ErrEmptyKey) {
		t.Errorf("an empty key gave %v", err)
	}
	if _, ok := c.Node("nobody"); ok {
		t.Error("a node that does not exist was found")
	}
}

func TestMapAndPoolsMustAgree(t *testing.T) {
	t.Parallel()
	if _, err := shard.New(four(t), pools(t, "shard1", "shard2", "shard3"), shard.Options{}); !errors.Is(err, shard.ErrNoPool) || !strings.Contains(err.Error(), "shard4") {
		t.Errorf("a missing pool gave %v", err)
	}
	if _, err := shard.New(four(t), pools(t, "shard1", "shard2", "shard3", "shard4", "extra"), shard.Options{}); !errors.Is(err, shard.ErrNoPool) || !strings.Contains(err.Error(), "extra") {
		t.Errorf("a pool too many gave %v", err)
	}
}

func TestOnAllRunsInParallelAndJoinsFailures(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	c := cluster(t, shard.Options{Registerer: reg})
	var all sync.WaitGroup
	all.Add(4)
	boom := errors.New("boom")
	err := c.OnAll(t.Context(), func(ctx context.Context, n shard.Node) error {
		all.Done()
		all.Wait() // returns only if all four run at once
		if n.ID == "shard2" || n.ID == "shard4" {
			return fmt.Errorf("%w on %s", boom, n.Pool.Config().ConnConfig.Database)
		}
		return nil
	})
	if !errors.Is(err, boom) {
		t.Fatalf("got %v", err)
	}
	for _, part := range []string{"shard shard2: boom on shard2", "shard shard4: boom on shard4"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	var one *shard.Error
	if !errors.As(err, &one) || one.Shard != "shard2" {
		t.Errorf("the first failure is %+v, want shard2's", one)
	}
	if families, err := reg.Gather(); err != nil || len(families) != 2 {
		t.Errorf("metrics: %d families, %v", len(families), err)
	}
}

func TestOnAllGivesEachShardADeadline(t *testing.T) {
	t.Parallel()
	c := cluster(t, shard.Options{Timeout: 20 * time.Millisecond})
	var mu sync.Mutex
	var fine []string
	err := c.OnAll(t.Context(), func(ctx context.Context, n shard.Node) error {
		if n.ID == "shard3" {
			<-ctx.Done()
			return context.Cause(ctx)
		}
		mu.Lock()
		defer mu.Unlock()
		fine = append(fine, n.ID)
		return nil
	})
	if err == nil || err.Error() != "shard shard3: no answer within 20ms" {
		t.Errorf("got %v", err)
	}
	if slices.Sort(fine); !slices.Equal(fine, []string{"shard1", "shard2", "shard4"}) {
		t.Errorf("finished: %v", fine)
	}
}

func TestOnAllPassesPanicsOn(t *testing.T) {
	t.Parallel()
	c := cluster(t, shard.Options{})
	defer func() {
		p, ok := recover().(*shard.Panic)
		if !ok || p.Shard != "shard1" || p.Value != "oops" || !strings.Contains(p.Error(), "cluster_test.go") {
			t.Errorf("recovered %v", p)
		}
	}()
	_ = c.OnAll(t.Context(), func(_ context.Context, n shard.Node) error {
		if n.ID == "shard1" {
			panic("oops")
		}
		return nil
	})
	t.Error("the panic was swallowed")
}

func TestOnAllSurvivesGoexit(t *testing.T) {
	t.Parallel()
	err := cluster(t, shard.Options{}).OnAll(t.Context(), func(_ context.Context, n shard.Node) error {
		if n.ID == "shard4" {
			runtime.Goexit()
		}
		return nil
	})
	if err == nil || !strings.HasPrefix(err.Error(), "shard shard4:") {
		t.Errorf("got %v", err)
	}
}

func TestBalance(t *testing.T) {
	t.Parallel()
	b, err := shard.BalanceOf(four(t), slices.Values([]string{"alice", "bob", "42"}))
	if err != nil || b.Keys != 3 || b.Shares[0] != (shard.Share{ID: "shard1", Keys: 2, Fraction: 2. / 3}) || b.Shares[1].Keys != 1 || b.Shares[3].Keys != 0 {
		t.Errorf("got %+v, %v", b, err)
	}
	if b.Worst < 2.66 || b.Worst > 2.67 { // 2 keys where 0.75 would be fair
		t.Errorf("worst = %v", b.Worst)
	}
	if _, err := shard.BalanceOf(four(t), slices.Values([]string{""})); !errors.Is(err, shard.ErrEmptyKey) {
		t.Errorf("an empty key gave %v", err)
	}
}

func ExampleRing() {
	r, err := shard.NewRing(shard.Info{ID: "shard1"}, shard.Info{ID: "shard2"}, shard.Info{ID: "shard3"}, shard.Info{ID: "shard4"})
	if err != nil {
		panic(err)
	}
	for _, key := range []string{"alice", "bob", "42"} {
		id, _ := r.Locate(key)
		fmt.Printf("%s\t%s\n", key, id)
	}
	// Output:
	// alice	shard1
	// bob	shard1
	// 42	shard2
}
