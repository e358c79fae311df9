package main

import (
	"context"
	"fmt"
	"os"
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
func benchSync(ctx context.Context) (result, error) { return withCluster(ctx, 2, compareSync) }

func compareSync(ctx context.Context, c *cluster) (r result, err error) {
	p, err := c.pool(ctx, c.CatalogPrimary, syncCallers)
	if err != nil {
		return r, err
	}
	if _, err := p.Exec(ctx, "CREATE TABLE s (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text NOT NULL)"); err != nil {
		return r, err
	}
	var ours, anchor []float64
	for range syncRounds {
		a, err := commits(ctx, p)
		if err != nil {
			return r, err
		}
		f := c.StartFailover(c.sup, local.FailoverOptions{})
		if err := awaitSync(ctx, f); err != nil {
			return r, err
		}
		o, err := commits(ctx, p)
		f.Stop()
		if err != nil {
			return r, err
		}
		fmt.Fprintf(os.Stderr, "alone %.0f/s, with a standby %.0f/s\n", a, o)
		ours, anchor = append(ours, o), append(anchor, a)
	}
	return result{Unit: "commits/s", Ours: median(ours), Anchor: median(anchor), Ratio: median(ours) / median(anchor),
		Spread: spread(ours), Runs: syncRounds, Details: map[string]any{"callers": syncCallers}}, nil
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
	n, took, err := hammer(ctx, syncCallers, syncTime, func(ctx context.Context) error {
		_, err := p.Exec(ctx, "INSERT INTO s (v) VALUES ('a small row')")
		return err
	})
	return float64(n) / took.Seconds(), err
}
