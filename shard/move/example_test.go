package move_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stampede-shop/stampede/shard"
	"github.com/stampede-shop/stampede/shard/move"
)

// What every process that uses the shards does at its start: its cluster then follows the map, also through moves.
func ExampleFollow() {
	ctx := context.Background()
	coordinator, err := pgxpool.New(ctx, "postgres://shop@10.0.0.1/catalogue") // with the tables of CoordinatorSQL
	if err != nil {
		log.Fatal(err)
	}
	defer coordinator.Close()
	first := move.Topology{Shards: []move.Shard{ // counts only if there is no topology yet
		{ID: "shard1", DSN: "postgres://shop@10.0.0.1/shard1"},
		{ID: "shard2", DSN: "postgres://shop@10.0.0.2/shard2"},
	}}
	open := func(ctx context.Context, s move.Shard) (*pgxpool.Pool, error) { return pgxpool.New(ctx, s.DSN) }
	pools := map[string]*pgxpool.Pool{}
	for _, s := range first.Shards {
		if pools[s.ID], err = open(ctx, s); err != nil {
			log.Fatal(err)
		}
	}
	m, err := first.Map()
	if err != nil {
		log.Fatal(err)
	}
	cluster, err := shard.New(m, pools, shard.Options{})
	if err != nil {
		log.Fatal(err)
	}
	f := move.Follow(cluster, first, move.FollowerOptions{Coordinator: coordinator, ID: "api-1", Open: open})
	defer f.Close()
	if err := f.Ready(ctx); err != nil {
		log.Fatal(err)
	}
	err = cluster.Do(ctx, "user-42", func(ctx context.Context, n shard.Node) error { // repeated at the new owner, should the key move
		_, err := n.Pool.Exec(ctx, `UPDATE carts SET version = version + 1 WHERE user_id = $1`, "user-42")
		return err
	})
	fmt.Println(err)
}

// A third shard is brought in while all processes go on. Whoever runs this may die: the next Run goes on.
func ExampleMover() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	coordinator, err := pgxpool.New(ctx, "postgres://shop@10.0.0.1/catalogue")
	if err != nil {
		log.Fatal(err)
	}
	defer coordinator.Close()
	st, err := move.NewStore(coordinator).Read(ctx)
	if err != nil {
		log.Fatal(err)
	}
	m := move.New(move.Options{
		Coordinator: coordinator,
		Open:        func(ctx context.Context, s move.Shard) (*pgxpool.Pool, error) { return pgxpool.New(ctx, s.DSN) },
		Tables: []move.Table{
			{Name: "carts", Key: "user_id"},
			{Name: "orders", Key: "user_id", Children: []move.Child{{Name: "order_items", Column: "order_id", Parent: "id"}}},
		},
		Report: func(mv move.Move) { fmt.Println(mv.State, mv.Progress.Copied, "rows copied") },
	})
	next := st.Map.With(move.Shard{ID: "shard3", DSN: "postgres://shop@10.0.0.3/shard3"})
	if _, err := m.Begin(ctx, next); err != nil {
		log.Fatal(err) // ErrBusy: finish or abort the one under way first
	}
	mv, err := m.Run(ctx)
	fmt.Println(mv.State, err)
}

// Topologies are values: a change is a new one, and who owns a key under it can be asked before anything moves.
func ExampleTopology() {
	now := move.Topology{Shards: []move.Shard{{ID: "shard1"}, {ID: "shard2"}}}
	next := now.With(move.Shard{ID: "shard3"}).Pin("the-big-customer", "shard3")
	before, _ := now.Map()
	after, err := next.Map()
	if err != nil {
		log.Fatal(err)
	}
	moved := 0
	for i := range 30_000 {
		key := fmt.Sprint("user-", i)
		if a, _ := before.Locate(key); a != "" {
			if b, _ := after.Locate(key); a != b {
				moved++
			}
		}
	}
	owner, _ := after.Locate("the-big-customer")
	fmt.Println(owner, "about a third moves:", moved > 9_000 && moved < 11_000)
	// Output: shard3 about a third moves: true
}
