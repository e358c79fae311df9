package shard_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stampede-shop/stampede/internal/local/localtest"
	"github.com/stampede-shop/stampede/shard"
)

func TestMain(m *testing.M) { localtest.Main(m) }

// realCluster is four databases in which each of n numbers is on the shard that owns it.
func realCluster(t *testing.T, n int) *shard.Cluster {
	t.Helper()
	pg := localtest.Postgres(t)
	pools := map[string]*pgxpool.Pool{}
	for _, id := range four(t).IDs() {
		p, err := pgxpool.New(t.Context(), pg.Database(t))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Close)
		pools[id] = p
	}
	c, err := shard.New(four(t), pools, shard.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.OnAll(t.Context(), func(ctx context.Context, n shard.Node) error {
		_, err := n.Pool.Exec(ctx, "CREATE TABLE numbers (v int PRIMARY KEY)")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	if err := shard.DoEach(t.Context(), c, all, func(v int) string { return fmt.Sprint(v) }, func(ctx context.Context, n shard.Node, some []int) error {
		_, err := n.Pool.Exec(ctx, "INSERT INTO numbers SELECT unnest($1::int[])", some)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return c
}

func numbers(ctx context.Context, n shard.Node) iter.Seq2[int, error] {
	return shard.Rows(ctx, n, func(row shard.Row) (v int, err error) { return v, row.Scan(&v) }, "SELECT v FROM numbers ORDER BY v")
}

func TestQueriesOverShards(t *testing.T) {
	t.Parallel()
	const rows = 1000
	c := realCluster(t, rows)
	if total, err := shard.Count(t.Context(), c, shard.RequireAll, "SELECT count(*) FROM numbers WHERE v < $1", 600); err != nil || total.Sum != 600 || total.Of != 4 {
		t.Errorf("count: %+v, %v", total, err)
	}
	if total, err := shard.Sum(t.Context(), c, shard.RequireAll, func(ctx context.Context, n shard.Node) (sum int64, err error) {
		return sum, n.Pool.QueryRow(ctx, "SELECT coalesce(sum(v), 0) FROM numbers").Scan(&sum)
	}); err != nil || total.Sum != rows*(rows-1)/2 {
		t.Errorf("sum: %+v, %v", total, err)
	}
	for _, limit := range []int{0, 10} {
		var got []int
		for v, err := range shard.Merge(t.Context(), c, shard.MergeOptions[int]{Compare: cmp.Compare[int], Limit: limit, Ahead: 5}, numbers) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, v)
		}
		if want := cmp.Or(limit, rows); len(got) != want || !slices.IsSorted(got) || got[want-1] != want-1 {
			t.Errorf("merge up to %d: %d numbers, %v", limit, len(got), got[:min(len(got), 20)])
		}
	}
	for _, n := range c.Nodes() { // the merge has let go of its connections
		if err := pgx.BeginFunc(t.Context(), n.Pool, func(pgx.Tx) error { return nil }); err != nil || n.Pool.Stat().AcquiredConns() != 0 {
			t.Errorf("%s: %d connections are taken, %v", n.ID, n.Pool.Stat().AcquiredConns(), err)
		}
	}
}

// A shard without the table fails; what the others have is given, and the failure with it.
func TestQueriesHideNoFailure(t *testing.T) {
	t.Parallel()
	c := realCluster(t, 100)
	gone, _ := c.Node("shard3")
	var lost int
	if err := gone.Pool.QueryRow(t.Context(), "SELECT count(*) FROM numbers").Scan(&lost); err != nil {
		t.Fatal(err)
	}
	if _, err := gone.Pool.Exec(t.Context(), "DROP TABLE numbers"); err != nil {
		t.Fatal(err)
	}
	noTable := func(err error) bool {
		var e *shard.Error
		var pg *pgconn.PgError
		return errors.As(err, &e) && e.Shard == "shard3" && errors.As(err, &pg) && pg.Code == "42P01"
	}
	if _, err := shard.Count(t.Context(), c, shard.RequireAll, "SELECT count(*) FROM numbers"); !noTable(err) {
		t.Errorf("all are required: %v", err)
	}
	if total, err := shard.Count(t.Context(), c, shard.BestEffort, "SELECT count(*) FROM numbers"); err != nil || total.Sum != int64(100-lost) || total.Of != 3 || !noTable(total.Failures[0]) {
		t.Errorf("best effort: %+v, %v", total, err)
	}
	got, failures := 0, 0
	for _, err := range shard.Merge(t.Context(), c, shard.MergeOptions[int]{Compare: cmp.Compare[int], Policy: shard.BestEffort}, numbers) {
		switch {
		case noTable(err):
			failures++
		case err != nil:
			t.Error(err)
		default:
			got++
		}
	}
	if got != 100-lost || failures != 1 {
		t.Errorf("merged %d of %d, %d failures", got, 100-lost, failures)
	}
}
