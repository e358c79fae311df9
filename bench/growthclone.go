package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"

	"github.com/stampede-shop/stampede/shard"
)

// bought is one order that was made up, and who has it.
type bought struct{ user, order string }

// rounds of the pattern are sent together: few and large COPYs.
const cloneRounds = 5

// clone makes at least n orders more, spread over the last year, and gives some of them. Nothing is forced to disk meanwhile.
func (p *pattern) clone(ctx context.Context, s *pgServer, n int) (some []bought, err error) {
	if err := careless(ctx, s); err != nil {
		return nil, err
	}
	start := time.Now()
	step := 365 * 24 * time.Hour / time.Duration(n)
	batches := make(chan map[string][]bytes.Buffer, 1)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(batches)
		for done := 0; done < n; {
			out := p.buffers()
			for range cloneRounds {
				some = append(some, p.round(out, start.Add(time.Duration(done-n)*step), step)...)
				done += len(p.orders)
			}
			select {
			case batches <- out:
			case <-gctx.Done():
				return gctx.Err()
			}
		}
		return nil
	})
	g.Go(func() error {
		for out := range batches {
			if err := p.send(gctx, out); err != nil {
				return err
			}
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if err := p.shop.balance(ctx); err != nil {
		return nil, err
	}
	fmt.Fprintf(os.Stderr, "%d orders loaded in %v\n", n, time.Since(start).Round(time.Second))
	return some, careful(ctx, s)
}

func (p *pattern) buffers() map[string][]bytes.Buffer {
	out := map[string][]bytes.Buffer{}
	for _, node := range p.shop.cluster.Nodes() {
		out[node.ID] = make([]bytes.Buffer, len(p.tables))
	}
	return out
}

// round writes every order of the pattern once, under ids of the given time and after; it gives some of them.
func (p *pattern) round(out map[string][]bytes.Buffer, from time.Time, step time.Duration) (some []bought) {
	n := len(p.orders)
	ids, owners := make([][3][]byte, n), make([][3]string, n)
	for i := range ids {
		at := from.Add(time.Duration(i) * step)
		ids[i] = [3][]byte{byOrder: uuidAt(at), byUser: uuidAt(at.Add(-time.Minute))}
		for _, what := range []place{byOrder, byUser} {
			owners[i][what], _ = p.shop.cluster.Locate(string(ids[i][what])) // keys are not empty: it is found
		}
	}
	for _, r := range p.rows {
		home := r.home
		if r.by != byOther {
			home = owners[r.order][r.by]
		}
		b := &out[home][r.table]
		for _, part := range r.parts {
			b.Write(part.text)
			b.Write(ids[r.order][part.then])
		}
	}
	for i := 0; i < n; i += 10 {
		some = append(some, bought{string(ids[i][byUser]), string(ids[i][byOrder])})
	}
	return some
}

// send copies to all shards at once.
func (p *pattern) send(ctx context.Context, out map[string][]bytes.Buffer) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, node := range p.shop.cluster.Nodes() {
		g.Go(func() error {
			return onConn(ctx, node, func(c *pgconn.PgConn) error {
				for i, t := range p.tables {
					if out[node.ID][i].Len() == 0 {
						continue
					}
					if _, err := c.CopyFrom(ctx, &out[node.ID][i], "COPY "+t.name+" ("+t.columns+") FROM STDIN"); err != nil {
						return fmt.Errorf("%s of %s: %w", t.name, node.ID, err)
					}
				}
				return nil
			})
		})
	}
	return g.Wait()
}

// balance lets the stock have received what was sold, and brings the planner's statistics up to date.
func (b *benchShop) balance(ctx context.Context) error {
	all, end, err := b.planned(ctx)
	if err != nil {
		return err
	}
	defer end()
	return all.OnAll(ctx, balanceOn)
}

func balanceOn(ctx context.Context, n shard.Node) error {
	for _, sql := range []string{
		`UPDATE stock s SET received = s.available + r.units
			FROM (SELECT product_id, sum(quantity) AS units FROM reservations WHERE state IN ('held', 'committed') GROUP BY product_id) r
			WHERE r.product_id = s.product_id`,
		"VACUUM ANALYZE",
	} {
		if _, err := n.Pool.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// careless and careful switch durability off and on; what was written in between is brought to the disk by hand.
func careless(ctx context.Context, s *pgServer) error {
	return setAll(ctx, s, "SET fsync = off", "SET full_page_writes = off", "SET synchronous_commit = off", "SET autovacuum = off",
		"SET max_wal_size = '8GB'")
}

func careful(ctx context.Context, s *pgServer) error {
	if err := setAll(ctx, s, "RESET ALL"); err != nil {
		return err
	}
	syscall.Sync()
	return s.Admin(ctx, "postgres", func(c *pgx.Conn) error {
		var fsync, commit string
		if err := c.QueryRow(ctx, "SELECT current_setting('fsync'), current_setting('synchronous_commit')").Scan(&fsync, &commit); err != nil {
			return err
		}
		if fsync != "on" || commit == "off" {
			return fmt.Errorf("durability is not back: fsync %s, synchronous_commit %s", fsync, commit)
		}
		return nil
	})
}

// setAll changes settings of the server while it runs.
func setAll(ctx context.Context, s *pgServer, changes ...string) error {
	return s.Admin(ctx, "postgres", func(c *pgx.Conn) error {
		for _, sql := range changes {
			if _, err := c.Exec(ctx, "ALTER SYSTEM "+sql); err != nil {
				return err
			}
		}
		_, err := c.Exec(ctx, "SELECT pg_reload_conf()")
		if err == nil {
			_, err = c.Exec(ctx, "CHECKPOINT")
		}
		return err
	})
}

// orderBytes is what an order of three lines takes on disk in all tables and indexes, with room for the log.
const orderBytes = 6000

// room fails when a folder's file system has less than that many bytes to spare.
func room(dir string, bytes uint64) error {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return err
	}
	if free := st.Bavail * uint64(st.Bsize); free < bytes { //nolint:gosec,unconvert // a block has a size; its type differs by system
		return fmt.Errorf("%s has %d GiB free and %d are needed: set TMPDIR to a larger disk", dir, free>>30, bytes>>30)
	}
	return nil
}
