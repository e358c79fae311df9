package shard_test

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stampede-shop/stampede/shard"
)

// The newest of all shards, without reading more of any than is needed.
func ExampleMerge() {
	ring, _ := shard.NewRing(shard.Info{ID: "a"}, shard.Info{ID: "b"})
	pools := map[string]*pgxpool.Pool{}
	for _, id := range ring.IDs() {
		pools[id], _ = pgxpool.New(context.Background(), "host=127.0.0.1 port=1 dbname="+id) // connects when it is used
		defer pools[id].Close()
	}
	c, err := shard.New(ring, pools, shard.Options{})
	if err != nil {
		panic(err)
	}
	newest := func(_ context.Context, n shard.Node) iter.Seq2[int, error] { // see Rows for a query
		return func(yield func(int, error) bool) {
			for _, v := range map[string][]int{"a": {9, 4, 1}, "b": {8, 7, 2}}[n.ID] {
				if !yield(v, nil) {
					return
				}
			}
		}
	}
	var got []int
	for v, err := range shard.Merge(context.Background(), c, shard.MergeOptions[int]{Compare: func(a, b int) int { return cmp.Compare(b, a) }, Limit: 4}, newest) {
		if err != nil {
			panic(err)
		}
		got = append(got, v)
	}
	fmt.Println(got, slices.IsSorted(got))
	// Output: [9 8 7 4] false
}
