package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stampede-shop/stampede/internal/local"
)

const (
	syncCallers = 16
	syncRounds  = 3
	syncTime    = 3 * time.Second
)

// benchSync commits one small row a transaction, 16 callers, on a primary with two replicas: waiting for any one of them (ours), and
// for none (anchor). The price of losing nothing when the primary is lost.
func benchSync(ctx context.Context) (_ result, err error) {
	c, err := startCluster(ctx, 2)
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	p, err := pgxpool.New(ctx, c.CatalogPrimary+fmt.Sprintf("&pool_max_conns=%d", syncCallers))
	if err != nil {
		return result{}, err
	}
	defer p.Close()
	if _, err := p.Exec(ctx, "CREATE TABLE s (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text NOT NULL)"); err != nil {
		return result{}, err
	}
	var ours, anchor []float64
	for range syncRounds {
		a, err := commits(ctx, p)
		if err != nil {
			return result{}, err
		}
		f := c.StartFailover(c.sup, local.FailoverOptions{})
		if err := awaitSync(ctx, f); err != nil {
			return result{}, err
		}
		o, err := commits(ctx, p)
		f.Stop()
		if err != nil {
			return result{}, err
		}
		fmt.Fprintf(os.Stderr, "alone %.0f/s, with a standby %.0f/s\n", a, o)
		ours, anchor = append(ours, o), append(anchor, a)
	}
	return result{Unit: "commits/s", Ours: middle(ours), Anchor: middle(anchor), Ratio: middle(ours) / middle(anchor),
		Spread: (slices.Max(ours) - slices.Min(ours)) / middle(ours), Runs: syncRounds, Details: map[string]any{"callers": syncCallers}}, nil
}

func awaitSync(ctx context.Context, f *local.Failover) error {
	for {
		if st := f.Status()[0]; st.Sync && len(st.Standbys) == 2 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func commits(ctx context.Context, p *pgxpool.Pool) (float64, error) {
	tctx, cancel := context.WithTimeout(ctx, syncTime)
	defer cancel()
	var n atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, syncCallers)
	start := time.Now()
	for range syncCallers {
		wg.Go(func() {
			for tctx.Err() == nil {
				if _, err := p.Exec(ctx, "INSERT INTO s (v) VALUES ('a small row')"); err != nil {
					errs <- err
					return
				}
				n.Add(1)
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	select {
	case err := <-errs:
		return 0, err
	default:
		return float64(n.Load()) / took.Seconds(), nil
	}
}
