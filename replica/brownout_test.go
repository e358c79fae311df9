package replica_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/replica"
)

// Without replicas a crowd of readers gets as much of the primary as was set aside for them, the rest is sent away at once, and
// writes go on.
func TestBrownout(t *testing.T) {
	t.Parallel()
	for name, out := range map[string]struct{ away, back func(f *fixture) }{
		"gone": {func(f *fixture) { f.Replica.Kill() }, func(f *fixture) { f.Replica.Restart(t) }},
		"late": {(*fixture).pauseReplay, func(f *fixture) { f.exec(f.admin, "SELECT pg_wal_replay_resume()") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const limit = 3
			f := setup(t, replica.Options{MaxLagBytes: 64 << 10, PrimaryReadLimit: limit, PrimaryReadQueue: 4, PrimaryReadWait: 20 * time.Millisecond})
			out.away(f)
			f.exec(f.set.Primary(), "CREATE TABLE filler AS SELECT repeat('x', 100) FROM generate_series(1, 5000)")
			f.eventually("the replica is out", func() bool { return !f.set.Status()[1].Healthy })
			f.crowd(t, limit)
			out.back(f)
			f.eventually("the replica serves the crowd again", func() bool {
				var refused atomic.Int64
				var wg sync.WaitGroup
				for range 48 {
					wg.Go(func() {
						if _, _, err := f.tryRead(); errors.Is(err, replica.ErrOverloaded) {
							refused.Add(1)
						} else if err != nil {
							t.Error(err)
						}
					})
				}
				wg.Wait()
				return refused.Load() == 0
			})
		})
	}
}

// crowd reads from 48 goroutines for as long as 20 writes take.
func (f *fixture) crowd(t *testing.T, limit int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var served, refused, running, most atomic.Int64
	var wg sync.WaitGroup
	for range 48 {
		wg.Go(func() {
			for ctx.Err() == nil {
				err := f.set.View(ctx, func(ctx context.Context, db replica.Reader) error {
					most.Store(max(most.Load(), running.Add(1)))
					defer running.Add(-1)
					var v int
					return db.QueryRow(ctx, "SELECT v FROM n, pg_sleep(0.01)").Scan(&v)
				})
				var over *replica.Overload
				switch {
				case err == nil:
					served.Add(1)
				case errors.As(err, &over) && over.RetryAfter >= time.Second:
					refused.Add(1)
					select { // whoever is sent away comes back a little later, and does not spin
					case <-ctx.Done():
					case <-time.After(5 * time.Millisecond):
					}
				case ctx.Err() == nil:
					t.Error(err)
				}
			}
		})
	}
	for i := range 20 {
		err := f.set.Write(t.Context(), func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "UPDATE n SET v = $1", i)
			return err
		})
		if err != nil {
			t.Errorf("a write: %v", err)
		}
	}
	f.eventually("some reads are served, others refused", func() bool { return served.Load() > 20 && refused.Load() > 20 })
	cancel()
	wg.Wait()
	if most.Load() > int64(limit) {
		t.Errorf("%d reads at once on the primary, which gives %d", most.Load(), limit)
	}
}
