package move_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stampede-shop/stampede/internal/local/localtest"
	"github.com/stampede-shop/stampede/shard"
	"github.com/stampede-shop/stampede/shard/move"
)

func TestMain(m *testing.M) { localtest.Main(m) }

// The tables of these tests have what makes moving hard: keys of two types, values that must be unique and change hands, children without a
// key, a numbered table, types whose text form loses easily.
const schema = `
CREATE TABLE counters (k text COLLATE "C" PRIMARY KEY, n bigint NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp(), tags text[] NOT NULL DEFAULT '{}', raw bytea, doc jsonb);
CREATE TABLE slots (k text NOT NULL, id bigint NOT NULL, active boolean NOT NULL, PRIMARY KEY (k, id));
CREATE UNIQUE INDEX ON slots (k) WHERE active;
CREATE TABLE notes (id bigint GENERATED ALWAYS AS IDENTITY, k text NOT NULL, body text NOT NULL, PRIMARY KEY (k, id));
CREATE TABLE bills (id text PRIMARY KEY, k text NOT NULL, total float8 NOT NULL);
CREATE TABLE lines (bill text NOT NULL, pos int NOT NULL, what text NOT NULL, PRIMARY KEY (bill, pos));
CREATE TABLE goods (id bigint PRIMARY KEY, left_over bigint NOT NULL);`

var tables = []move.Table{{Name: "counters", Key: "k"}, {Name: "slots", Key: "k"}, {Name: "notes", Key: "k"}, {Name: "goods", Key: "id"},
	{Name: "bills", Key: "k", Children: []move.Child{{Name: "lines", Column: "bill", Parent: "id"}}}}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func connect(tb testing.TB, dsn string) *pgxpool.Pool {
	tb.Helper()
	cfg, err := pgxpool.ParseConfig(dsn)
	check(tb, err)
	cfg.MaxConns = 6
	p, err := pgxpool.NewWithConfig(context.Background(), cfg)
	check(tb, err)
	tb.Cleanup(p.Close)
	return p
}

// world is a coordinator, shards, and processes that use them.
type world struct {
	coordinator string
	dsns        map[string]string
	top         move.Topology
	mu          sync.Mutex
	truth       map[string]int64 // counters that were acknowledged
	notes       map[string]int   // notes that were acknowledged, by key
}

func newWorld(tb testing.TB, shards int, spare ...string) *world {
	tb.Helper()
	w := &world{dsns: map[string]string{}, truth: map[string]int64{}, notes: map[string]int{}}
	w.coordinator = localtest.Postgres(tb).Database(tb)
	_, err := connect(tb, w.coordinator).Exec(tb.Context(), move.CoordinatorSQL)
	check(tb, err)
	for i := range shards {
		id := fmt.Sprintf("shard%d", i+1)
		w.top.Shards = append(w.top.Shards, move.Shard{ID: id, DSN: w.database(tb, id)})
	}
	for _, id := range spare {
		w.database(tb, id)
	}
	return w
}

func (w *world) database(tb testing.TB, id string) string {
	dsn := localtest.Postgres(tb).Database(tb)
	w.dsns[id] = dsn
	_, err := connect(tb, dsn).Exec(tb.Context(), schema)
	check(tb, err)
	return dsn
}

// process is one that follows: its own pools, its own idea of the map.
func (w *world) process(tb testing.TB, name string) (*shard.Cluster, *move.Follower) {
	tb.Helper()
	pools := map[string]*pgxpool.Pool{}
	for _, s := range w.top.Shards {
		pools[s.ID] = connect(tb, s.DSN)
	}
	m, err := w.top.Map()
	check(tb, err)
	c, err := shard.New(m, pools, shard.Options{})
	check(tb, err)
	f := move.Follow(c, w.top, move.FollowerOptions{Coordinator: connect(tb, w.coordinator), ID: name, Every: 200 * time.Millisecond, Lease: 3 * time.Second,
		Open: func(ctx context.Context, s move.Shard) (*pgxpool.Pool, error) { return pgxpool.New(ctx, s.DSN) }})
	tb.Cleanup(f.Close)
	check(tb, f.Ready(tb.Context()))
	return c, f
}

func (w *world) options(tb testing.TB) move.Options {
	return move.Options{Coordinator: connect(tb, w.coordinator), Tables: tables, Window: 40, Batch: 50, Lease: 3 * time.Second, Grace: 50 * time.Millisecond,
		Limits: move.Limits{Share: 0.9, Active: 1000},
		Open:   func(ctx context.Context, s move.Shard) (*pgxpool.Pool, error) { return pgxpool.New(ctx, s.DSN) }}
}

func key(i int) string { return fmt.Sprintf("key-%d", i) }

const keys = 160

// seed gives every key rows in every table.
func (w *world) seed(tb testing.TB, c *shard.Cluster) {
	tb.Helper()
	for i := range keys {
		k := key(i)
		check(tb, c.Do(tb.Context(), k, func(ctx context.Context, n shard.Node) error {
			var b pgx.Batch
			b.Queue(`INSERT INTO counters (k, n, tags, raw, doc) VALUES ($1, 0, ARRAY['a,"b', 'NULL', ''], '\x00ff27', '{"z":1.10,"a":[null,"ü"]}')`, k)
			b.Queue(`INSERT INTO slots VALUES ($1, 1, true)`, k)
			b.Queue(`INSERT INTO notes (k, body) VALUES ($1, 'first')`, k)
			b.Queue(`INSERT INTO bills VALUES ($1, $2, 0.1::float8 + 0.2)`, "bill-"+k, k)
			b.Queue(`INSERT INTO lines SELECT $1, p, 'line' FROM generate_series(1, 3) p`, "bill-"+k)
			return n.Pool.SendBatch(ctx, &b).Close()
		}))
		w.notes[k], w.truth[k] = 1, 0
		id := fmt.Sprint(i)
		check(tb, c.Do(tb.Context(), id, func(ctx context.Context, n shard.Node) error {
			_, err := n.Pool.Exec(ctx, `INSERT INTO goods VALUES ($1, 1000)`, i)
			return err
		}))
	}
}

// write makes one change of each kind to a key and reads it back through another process: a read that misses it is a failure.
func (w *world) write(ctx context.Context, c, other *shard.Cluster, i int, rnd *rand.Rand) error {
	k := key(i)
	err := c.Do(ctx, k, func(ctx context.Context, n shard.Node) error {
		return pgx.BeginFunc(ctx, n.Pool, func(tx pgx.Tx) error {
			tag, err := tx.Exec(ctx, `UPDATE counters SET n = n + 1, at = clock_timestamp() WHERE k = $1`, k)
			if err == nil && tag.RowsAffected() != 1 {
				return fmt.Errorf("%s has no counter on %s", k, n.ID)
			}
			if err != nil {
				return err
			}
			if _, err = tx.Exec(ctx, `UPDATE slots SET active = false WHERE k = $1 AND active`, k); err != nil {
				return err
			}
			if _, err = tx.Exec(ctx, `INSERT INTO slots SELECT $1, max(id) + 1, true FROM slots WHERE k = $1`, k); err != nil {
				return err
			}
			if rnd.IntN(3) == 0 {
				_, err = tx.Exec(ctx, `DELETE FROM slots WHERE k = $1 AND NOT active`, k)
			}
			if err == nil {
				_, err = tx.Exec(ctx, `INSERT INTO notes (k, body) VALUES ($1, 'more')`, k)
			}
			return err
		})
	})
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.truth[k]++
	w.notes[k]++
	want := w.truth[k]
	w.mu.Unlock()
	return other.Do(ctx, k, func(ctx context.Context, n shard.Node) error {
		var got int64
		if err := n.Pool.QueryRow(ctx, `SELECT n FROM counters WHERE k = $1`, k).Scan(&got); err != nil {
			return fmt.Errorf("%s on %s: %w", k, n.ID, err)
		}
		if got < want {
			return fmt.Errorf("%s on %s is %d, after %d was acknowledged", k, n.ID, got, want)
		}
		return nil
	})
}

// load writes from all processes until stopped; stop returns how many writes there were, and the longest.
func (w *world) load(tb testing.TB, clusters ...*shard.Cluster) (stop func() (int64, time.Duration)) {
	ctx, cancel := context.WithCancel(tb.Context())
	var wg sync.WaitGroup
	var n, longest atomic.Int64
	for i := range 2 * len(clusters) {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(i), 7))
			for ctx.Err() == nil {
				one, cancel := context.WithTimeout(tb.Context(), 30*time.Second)
				at := i + 2*len(clusters)*rnd.IntN(keys/(2*len(clusters))) // a key has one writer: truth is exact
				began := time.Now()
				if err := w.write(one, clusters[i%len(clusters)], clusters[rnd.IntN(len(clusters))], at, rnd); err != nil {
					tb.Errorf("a write failed: %v", err)
				}
				if d := int64(time.Since(began)); d > longest.Load() {
					longest.Store(d)
				}
				cancel()
				n.Add(1)
				time.Sleep(8 * time.Millisecond) // not a wait: the pace of the load, on machines that do other things too
			}
		})
	}
	return func() (int64, time.Duration) {
		cancel()
		wg.Wait()
		return n.Load(), time.Duration(longest.Load())
	}
}

// audit checks that every row is on the shard of its key and on no other, that nothing is missing, and that nothing of the move is left.
func (w *world) audit(tb testing.TB, top move.Topology) {
	tb.Helper()
	m, err := top.Map()
	check(tb, err)
	found, notes, goods, bills, lines := map[string]int64{}, map[string]int{}, 0, 0, 0
	for id, dsn := range w.dsns {
		db := connect(tb, dsn)
		at := func(k string) {
			if owner, err := m.Locate(k); err != nil || owner != id {
				tb.Errorf("%s is on %s, belongs to %s", k, id, owner)
			}
		}
		each(tb, db, `SELECT k, n FROM counters`, func(k string, n int64) { at(k); found[k] += n })
		each(tb, db, `SELECT k, count(*) FROM notes GROUP BY k`, func(k string, n int64) { at(k); notes[k] += int(n) })
		each(tb, db, `SELECT id::text, left_over FROM goods`, func(k string, n int64) { at(k); goods++ })
		each(tb, db, `SELECT k, count(*) FILTER (WHERE active) FROM slots GROUP BY k`, func(k string, n int64) {
			if at(k); n != 1 {
				tb.Errorf("%s has %d active slots", k, n)
			}
		})
		each(tb, db, `SELECT k, 1 FROM bills`, func(k string, n int64) { at(k); bills++ })
		each(tb, db, `SELECT b.k, 1 FROM lines l LEFT JOIN bills b ON b.id = l.bill`, func(k string, n int64) { at(k); lines++ })
		each(tb, db, `SELECT k, n FROM counters WHERE tags <> ARRAY['a,"b', 'NULL', ''] OR raw <> '\x00ff27' OR doc <> '{"z":1.10,"a":[null,"ü"]}'`,
			func(k string, _ int64) { tb.Errorf("%s changed on its way", k) })
		each(tb, db, `SELECT nspname, 1 FROM pg_namespace WHERE nspname = 'shard_move' UNION ALL SELECT tgname, 1 FROM pg_trigger WHERE tgname LIKE '%shard_move%'`,
			func(what string, _ int64) { tb.Errorf("%s is left on %s", what, id) })
	}
	if !maps.Equal(found, w.truth) {
		tb.Errorf("%d counters, want %d, or they differ", len(found), len(w.truth))
		for k := range w.truth {
			if found[k] != w.truth[k] {
				tb.Errorf("%s is %d, %d was acknowledged", k, found[k], w.truth[k])
			}
		}
	}
	if !maps.Equal(notes, w.notes) || goods != keys || bills != keys || lines != 3*keys {
		tb.Errorf("%d goods, %d bills, %d lines; notes equal: %t", goods, bills, lines, maps.Equal(notes, w.notes))
	}
}

func each(tb testing.TB, db *pgxpool.Pool, sql string, f func(string, int64)) {
	tb.Helper()
	rows, err := db.Query(tb.Context(), sql)
	check(tb, err)
	var k *string
	var n int64
	_, err = pgx.ForEachRow(rows, []any{&k, &n}, func() error {
		if k == nil {
			tb.Errorf("an orphan: %s", sql)
			return nil
		}
		f(*k, n)
		return nil
	})
	check(tb, err)
}

var errDied = errors.New("died")

// dying runs how, which dies the first time it comes to a point; reached tells whether it did.
func dying(o move.Options, point string, how func(*move.Mover) error) (reached bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			if p != errDied {
				panic(p)
			}
			reached = true
		}
	}()
	var once atomic.Bool
	o.Crash = func(at string) {
		if at == point && once.CompareAndSwap(false, true) {
			panic(errDied)
		}
	}
	return false, how(move.New(o))
}

func ids(top move.Topology) string {
	var list []string
	for _, s := range top.Shards {
		list = append(list, s.ID)
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}
