package duckstore_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stampede-shop/stampede/analytics"
	"github.com/stampede-shop/stampede/analytics/duckstore"
)

// runsOf is a batch whose columns have runs of chance lengths, of the same value and of none: what files encode in several ways.
func runsOf(rng *rand.Rand, n int) *analytics.Batch {
	b := &analytics.Batch{Received: noon.Add(time.Duration(rng.IntN(1e6)) * time.Millisecond).UnixMicro()}
	var product, shopper, query, kind, order int // what they are for how many events more
	var e analytics.Event
	again := func(left *int, renew func()) {
		if *left--; *left < 0 {
			*left = rng.IntN([]int{2, 9, 100, 3000}[rng.IntN(4)])
			renew()
		}
	}
	for i := range n {
		again(&product, func() { e.Product = int64(rng.IntN(3)) })
		again(&shopper, func() { e.Shopper = uint64(rng.IntN(2)) * rng.Uint64() })
		again(&query, func() { e.Query = []string{"", fmt.Sprint("words ", rng.IntN(700))}[rng.IntN(2)] })
		again(&kind, func() { e.Kind = analytics.Kind(1 + rng.IntN(len(analytics.KindNames())-1)) })
		again(&order, func() { e.Order = []analytics.ID{{}, analytics.NewID()}[rng.IntN(2)] })
		e.ID, e.Time, e.Amount = analytics.NewID(), noon.Add(time.Duration(i)*time.Second), rng.Int64N(1e6)
		b.Add(&e)
	}
	return b
}

// Whatever runs there are in the columns, files read as the table does: as a whole, by kind, and by what statistics say.
func TestFilesHoldRuns(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(6, 11))
	table, files := open(t, duckstore.Options{Land: -1}), open(t, duckstore.Options{Land: 1})
	for round := range 8 {
		var batches []*analytics.Batch
		for range 1 + rng.IntN(4) {
			batches = append(batches, runsOf(rng, 1+rng.IntN([]int{20, 3000, 40_000, 130_000}[rng.IntN(4)])))
		}
		for _, s := range []*duckstore.Store{table, files} {
			if err := s.Append(t.Context(), batches, analytics.Place{}); err != nil {
				t.Fatal(err)
			}
		}
		for _, q := range []string{
			"SELECT kind, count(*), count(product), count(shopper), count(query), count(order_id), min(time), max(time), bit_xor(hash(id, time, received, shopper, product, order_id, query, amount))::VARCHAR FROM events GROUP BY kind ORDER BY kind",
			"SELECT bit_xor(hash(id))::VARCHAR, sum(amount)::BIGINT FROM events WHERE kind = 'view' AND product = 2",
			"SELECT query, count(*) FROM events WHERE kind > 'checkout' AND query IS NOT NULL AND shopper IS NULL GROUP BY query ORDER BY query",
			"SELECT min(kind), max(kind), min(time), max(time), min(received), max(received) FROM events",
		} {
			if diff := cmp.Diff(query(t, table, q), query(t, files, q)); diff != "" {
				t.Fatalf("round %d: %s: %s", round, q, diff)
			}
		}
	}
}

// A file says which kinds are in which row group, and has them in order.
func TestFilesAreSortedByKind(t *testing.T) {
	t.Parallel()
	s := open(t, duckstore.Options{Land: 1})
	if err := s.Append(t.Context(), []*analytics.Batch{batchOf(200_000, noon), batchOf(90_000, noon)}, analytics.Place{}); err != nil {
		t.Fatal(err)
	}
	got := query(t, s, "SELECT kind, count(*), min(file_row_number), max(file_row_number) FROM read_parquet("+s.LandedFiles()+", file_row_number=true) GROUP BY kind ORDER BY kind")
	if diff := cmp.Diff([][]any{{"order", int64(29_000), int64(0), int64(28_999)}, {"view", int64(261_000), int64(29_000), int64(289_999)}}, got); diff != "" {
		t.Error(diff)
	}
	got = query(t, s, "SELECT stats_min_value, stats_max_value FROM parquet_metadata("+s.LandedFiles()+") WHERE path_in_schema = 'kind' ORDER BY row_group_id")
	if diff := cmp.Diff([][]any{{"order", "view"}, {"view", "view"}, {"view", "view"}}, got); diff != "" {
		t.Error(diff)
	}
}

// Each shopper is found, and in a few row groups only: the others say that they do not have it.
func TestShoppersAreFound(t *testing.T) {
	t.Parallel()
	s := open(t, duckstore.Options{Land: 1})
	rng := rand.New(rand.NewPCG(2, 2))
	var some []uint64
	for range 4 {
		b := batchOf(30_000, noon)
		for i := range b.Shoppers {
			b.Shoppers[i] = rng.Uint64()
		}
		some = append(some, b.Shoppers[:50]...)
		if err := s.Append(t.Context(), []*analytics.Batch{b}, analytics.Place{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, shopper := range some {
		if got := query(t, s, fmt.Sprintf("SELECT count(*) FROM events WHERE shopper = %d", shopper)); got[0][0] != int64(1) {
			t.Errorf("%d: %v", shopper, got)
		}
	}
	excluded := 0
	for range 50 {
		got := query(t, s, fmt.Sprintf("SELECT count(*) FILTER (bloom_filter_excludes), count(*) FROM parquet_bloom_probe(%s, 'shopper', %d)", s.LandedFiles(), rng.Uint64()>>1))
		excluded += int(got[0][0].(int64))
		if got[0][1] != int64(4) {
			t.Fatalf("%v row groups", got)
		}
	}
	if excluded < 190 {
		t.Errorf("%d of 200 row groups say that they do not have a shopper whom they do not have", excluded)
	}
}
