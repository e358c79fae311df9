package main

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/internal/postgres/catalogdb"
	"github.com/stampede-shop/stampede/replica"
)

const (
	readCallers = 64
	readConns   = 12 // to a node, as the platform has unless told otherwise
	readRounds  = 6
	readFor     = 2 * time.Second
)

// benchRead reads one random product of 10⁴, 10⁵ and 10⁶, nothing cached by us, with 64 callers: from a replica by the catalogue, as a
// request does whose caches all miss, and with the same statement by its bare pool, taking turns. The figures are p99 with the most
// products, in milliseconds.
func benchRead(ctx context.Context) (result, error) { return withCluster(ctx, 1, compareReads) }

func compareReads(ctx context.Context, c *cluster) (r result, err error) {
	rd, err := openReads(ctx, c)
	if err != nil {
		return r, err
	}
	defer rd.set.Close()
	t := newTable("products", "reads by", "per s", "p50 ms", "p95 ms", "p99 ms", "spread of p99 %", "MiB")
	have := 0
	for _, n := range growthProducts {
		if _, err := rd.catalog.Import(ctx, newItems(have, n), postgres.ImportOptions{}); err != nil {
			return r, err
		}
		have = n
		if err := rd.settle(ctx); err != nil {
			return r, err
		}
		ours, anchor, err := rd.turns(ctx)
		if err != nil {
			return r, err
		}
		for i, s := range []*turns{ours, anchor} {
			name := []string{"catalogue", "bare pool"}[i]
			t.add(n, name, median(s.rate), span(s.p50), span(s.p95), span(s.p99), 100*spread(s.p99), mib(rd.size))
		}
		r = result{Unit: "ms, p99", Ours: median(ours.p99), Anchor: median(anchor.p99), Spread: spread(ours.p99), Runs: readRounds}
		r.Ratio = r.Ours / r.Anchor
		r.Details = map[string]any{"callers": readCallers, "products": n, "reads_s": median(ours.rate), "anchor_reads_s": median(anchor.rate)}
	}
	t.print()
	r.Details["columns"], r.Details["rows"] = t.head, t.rows
	return r, nil
}

// turns is what the rounds of one way of reading gave, times in milliseconds.
type turns struct{ rate, p50, p95, p99 []float64 }

func (s *turns) add(t timing) {
	s.rate, s.p50 = append(s.rate, t.rate), append(s.p50, ms(t.p50))
	s.p95, s.p99 = append(s.p95, ms(t.p95)), append(s.p99, ms(t.p99))
}

// span is the median of milliseconds.
func span(v []float64) time.Duration { return time.Duration(median(v) * float64(time.Millisecond)) }

// reads is a catalogue and the bare pool of its replica.
type reads struct {
	primary, replica *pgxpool.Pool
	set              *replica.Set
	catalog          *postgres.Catalog
	ids              []int64
	size             int64
}

func openReads(ctx context.Context, c *cluster) (*reads, error) {
	rd := &reads{}
	var err error
	if rd.primary, err = c.pool(ctx, c.CatalogPrimary, readConns); err != nil {
		return nil, err
	}
	line := &replica.Line{}
	if rd.replica, err = c.poolOver(ctx, line, c.CatalogReplicas[0].DSN, readConns); err != nil {
		return nil, err
	}
	if err := postgres.MigrateCatalog(ctx, c.CatalogPrimary); err != nil {
		return nil, err
	}
	rd.set = replica.New(rd.primary, []replica.Replica{{Name: c.CatalogReplicas[0].Name, Pool: rd.replica, Line: line}}, patient())
	rd.catalog = growingCatalog(rd.set)
	return rd, nil
}

// settle waits until the replica has all that was imported and is read from, and has read every product once.
func (rd *reads) settle(ctx context.Context) error {
	err := rd.primary.QueryRow(ctx, "SELECT pg_database_size(current_database())").Scan(&rd.size)
	if err != nil {
		return err
	}
	for node := replica.PrimaryName; node == replica.PrimaryName; {
		err := rd.set.View(ctx, func(ctx context.Context, db replica.Reader) error {
			node = db.Node()
			rd.ids, err = productIDs(ctx, db)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// turns lets both ways of reading take turns, each first as often as second.
func (rd *reads) turns(ctx context.Context) (ours, anchor *turns, err error) {
	ours, anchor = &turns{}, &turns{}
	bare := catalogdb.New(rd.replica)
	ways := []struct {
		to *turns
		do func(context.Context) error
	}{
		{ours, func(ctx context.Context) error { _, err := rd.catalog.Product(ctx, rd.one()); return err }},
		{anchor, func(ctx context.Context) error { _, err := bare.GetProduct(ctx, rd.one()); return err }},
	}
	for _, w := range ways { // warm up: statements are prepared, connections open
		if _, err := hammerTimed(ctx, readCallers, readFor/4, w.do); err != nil {
			return nil, nil, err
		}
	}
	for range readRounds {
		slices.Reverse(ways)
		for _, w := range ways {
			t, err := hammerTimed(ctx, readCallers, readFor, w.do)
			if err != nil {
				return nil, nil, err
			}
			w.to.add(t)
		}
	}
	return ours, anchor, nil
}

// one is a random product.
func (rd *reads) one() int64 { return rd.ids[rand.IntN(len(rd.ids))] }

// productIDs lists all products, and reads all of each, so that whoever comes next finds them in memory.
func productIDs(ctx context.Context, db interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}) ([]int64, error) {
	rows, err := db.Query(ctx, "SELECT id FROM products WHERE octet_length(description) >= 0")
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}
