package postgres_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/shard"
)

// doomed is what a process is told that is to be killed in the middle of its work: this test binary, run again.
type doomed struct {
	Shards   map[string]string // id: DSN
	Batched  bool
	Point    string // where it kills itself; "" waits for the parent to do it
	Passes   int64  // how often it passes the point before
	Worker   bool   // recovers instead of buying
	Users    []string
	Outcomes []string
	Products []shop.Product
}

const doomedEnv = "STAMPEDE_TEST_DOOMED"

// init, because nothing of what a test binary usually begins with may happen in such a process.
func init() {
	raw := os.Getenv(doomedEnv)
	if raw == "" {
		return
	}
	var d doomed
	err := json.Unmarshal([]byte(raw), &d)
	if err == nil {
		err = d.live()
	}
	fmt.Fprintln(os.Stderr, "it lived on:", err)
	os.Exit(3)
}

// live works until it is killed, and tells its parent, line by line, which orders it has acknowledged.
func (d doomed) live() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	w, err := d.world(ctx)
	if err != nil {
		return err
	}
	var passed atomic.Int64
	s := w.saga(func(at string) {
		if at == d.Point && passed.Add(1) > d.Passes {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // nothing happens between the signal and death
		}
	})
	fmt.Println("ready")
	if d.Worker {
		expired, err := w.ExpiredCheckouts(ctx, 1000)
		for _, c := range expired {
			if err == nil {
				err = s.Recover(ctx, c)
			}
		}
		return err
	}
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			for at := i; at < len(d.Users); at += 6 {
				req := keyed(d.Users[at], "key", "h")
				req.Payment = shop.PaymentMethod{Method: "test", Outcome: d.Outcomes[at%len(d.Outcomes)]}
				if r, err := s.Run(ctx, req); err == nil && r.Order.Status == shop.OrderConfirmed {
					if at%4 == 0 { // before it is told: whatever comes of it, it is this order
						_, _ = s.Cancel(ctx, d.Users[at], r.Order.ID)
					}
					fmt.Println("confirmed", r.Order.ID, d.Users[at]) // one write, not buffered
				}
			}
		})
	}
	wg.Wait()
	fmt.Println("done")
	if d.Point == "" {
		<-ctx.Done()
	}
	return nil
}

// world opens the parent's world.
func (d doomed) world(ctx context.Context) (*world, error) {
	var infos []shard.Info
	pools := map[string]*pgxpool.Pool{}
	for id, dsn := range d.Shards {
		cfg, err := pgxpool.ParseConfig(dsn)
		if err != nil {
			return nil, err
		}
		cfg.ConnConfig.RuntimeParams["application_name"] = doomedEnv
		pool, err := pgxpool.NewWithConfig(ctx, cfg)
		if err != nil {
			return nil, err
		}
		pools[id], infos = pool, append(infos, shard.Info{ID: id})
	}
	ring, err := shard.NewRing(infos...)
	if err != nil {
		return nil, err
	}
	cluster, err := shard.New(ring, pools, shard.Options{})
	if err != nil {
		return nil, err
	}
	s := postgres.NewShards(cluster, postgres.ShardOptions{})
	w := &world{stores: s, Shards: s, cluster: cluster, pay: postgres.NewTestPay(cluster, postgres.TestPayOptions{Wait: -1}),
		products: &shelf{all: map[int64]shop.Product{}}}
	if d.Batched {
		b := postgres.NewBatched(s, postgres.BatchedOptions{})
		w.stores, w.pay = b, postgres.NewBatchedTestPay(b, postgres.TestPayOptions{Wait: -1})
	}
	for _, p := range d.Products {
		w.products.put(p)
	}
	return w, nil
}
