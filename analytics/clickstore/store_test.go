package clickstore_test

import (
	"context"
	"errors"
	"flag"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/stampede-shop/stampede/analytics"
	"github.com/stampede-shop/stampede/analytics/clickstore"
	"github.com/stampede-shop/stampede/analytics/clickstore/internal/chdbtest"
	"github.com/stampede-shop/stampede/analytics/clickstore/internal/chtest"
	"github.com/stampede-shop/stampede/analytics/storetest"
	"github.com/stampede-shop/stampede/internal/local/localtest"
)

func TestMain(m *testing.M) {
	if os.Getenv("STAMPEDE_SOAK") == "" {
		_ = flag.Set("rapid.checks", "25") // each opens a store some ten times; what the command line says counts
	}
	localtest.Main(chdbtest.Main{M: m})
}

// open opens a store of the test's own on a server.
func open(t testing.TB, server *chtest.Server, o clickstore.Options) *clickstore.Store {
	t.Helper()
	o.Address = server.Addr()
	if o.Database == "" {
		o.Database = database(t)
	}
	s, err := clickstore.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// database is a name of the test's own.
func database(t testing.TB) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, t.Name())
}

// engines runs a test against ClickHouse's own engine, where it is there, and against its stand-in.
func engines(t *testing.T, f func(t *testing.T, server *chtest.Server)) {
	t.Parallel()
	t.Run("stand-in", func(t *testing.T) { t.Parallel(); f(t, chtest.Start(t, chtest.NewMemory())) })
	t.Run("ClickHouse", func(t *testing.T) { t.Parallel(); f(t, chtest.Start(t, chdbtest.Open(t))) })
}

func TestStore(t *testing.T) {
	engines(t, func(t *testing.T, server *chtest.Server) {
		for name, async := range map[string]bool{"sync": false, "async": true} {
			t.Run(name, func(t *testing.T) {
				storetest.Run(t, func(t testing.TB) analytics.Store { return open(t, server, clickstore.Options{Async: async}) })
			})
		}
	})
}

func TestSQL(t *testing.T) {
	t.Parallel()
	e := chdbtest.Open(t)
	storetest.SQL(t, func(t testing.TB) analytics.Store { return open(t, chtest.Start(t, e), clickstore.Options{}) })
}

func at(n uint64) analytics.Place { return analytics.Place{Stream: "s", Sequence: n} }

// stored fails the test unless exactly these events are there, each once.
func stored(t *testing.T, s analytics.Store, batches ...*analytics.Batch) {
	t.Helper()
	want := map[analytics.ID]int{}
	for _, b := range batches {
		for _, id := range b.IDs {
			want[id]++
		}
	}
	if err := s.ReceivedSince(t.Context(), time.Unix(0, 0), 1<<30, func(ids []analytics.ID) {
		for _, id := range ids {
			want[id]--
		}
	}); err != nil {
		t.Fatal(err)
	}
	for id, n := range want {
		if n != 0 {
			t.Errorf("event %s: %+d", id, -n)
		}
	}
}

// inserts fails each insert into a table as f says, by its number from 1 on.
func inserts(table string, f func(n int32) chtest.Fault) func(chtest.Query) chtest.Fault {
	var n atomic.Int32
	return func(q chtest.Query) chtest.Fault {
		if strings.HasPrefix(q.Body, `INSERT INTO "`+table+`"`) {
			return f(n.Add(1))
		}
		return chtest.None
	}
}

// Whatever becomes of the connection, the same append again stores its events once.
func TestAnAppendIsTriedUntilItIsStoredOnce(t *testing.T) {
	engines(t, func(t *testing.T, server *chtest.Server) {
		s := open(t, server, clickstore.Options{})
		var all []*analytics.Batch
		for i, faults := range [][]chtest.Fault{{}, {chtest.Before}, {chtest.After}, {chtest.After, chtest.After, chtest.Before}, {chtest.Before, chtest.After}} {
			b := storetest.BatchOf(100, storetest.Noon.Add(time.Duration(i)*time.Minute))
			all = append(all, b)
			server.Fail(inserts("event", func(n int32) chtest.Fault { return append(faults, make([]chtest.Fault, 10)...)[n-1] }))
			for try := range len(faults) + 1 {
				err := s.Append(t.Context(), []*analytics.Batch{b}, at(uint64(i+1)))
				if (err == nil) != (try == len(faults)) {
					t.Fatalf("append %d, try %d: %v", i, try, err)
				}
			}
		}
		server.Fail(nil)
		stored(t, s, all...)
		if p, err := s.Place(t.Context()); err != nil || p != at(5) {
			t.Errorf("%v %v", p, err)
		}
	})
}

// A process that dies between the rows and their place leaves the place in the rows; the next one goes on from there.
func TestTheRowsTellTheirPlace(t *testing.T) {
	engines(t, func(t *testing.T, server *chtest.Server) {
		db := clickstore.Options{Database: database(t)}
		s := open(t, server, db)
		first, second := storetest.BatchOf(10, storetest.Noon), storetest.BatchOf(20, storetest.Noon)
		storetest.Append(t, s, at(3), first)
		server.Fail(inserts("place", func(int32) chtest.Fault { return chtest.Before }))
		storetest.Append(t, s, at(8), second) // it is stored, and says so
		server.Fail(nil)
		if p, err := s.Place(t.Context()); err != nil || p != at(8) {
			t.Errorf("%v %v", p, err)
		}
		next := open(t, server, db)
		if p, err := next.Place(t.Context()); err != nil || p != at(8) {
			t.Errorf("%v %v", p, err)
		}
		third := storetest.BatchOf(5, storetest.Noon)
		storetest.Append(t, next, at(9), third)
		stored(t, next, first, second, third)
	})
}

// Of two processes that both believe the store theirs, the one that the other has overtaken stores nothing.
func TestADisplacedProcessStoresNothing(t *testing.T) {
	engines(t, func(t *testing.T, server *chtest.Server) {
		db := clickstore.Options{Database: database(t)}
		old := open(t, server, db)
		first, second, third := storetest.BatchOf(10, storetest.Noon), storetest.BatchOf(10, storetest.Noon), storetest.BatchOf(10, storetest.Noon)
		storetest.Append(t, old, at(1), first)
		young := open(t, server, db)
		storetest.Append(t, young, at(2), second)
		for range 2 {
			if err := old.Append(t.Context(), []*analytics.Batch{third}, at(2)); !errors.Is(err, analytics.ErrDisplaced) {
				t.Errorf("the old process: %v", err)
			}
		}
		// The other way round: what the old one had sent comes after the young one has opened the store.
		late := open(t, server, db)
		storetest.Append(t, young, at(3), third)
		if err := late.Append(t.Context(), []*analytics.Batch{storetest.BatchOf(10, storetest.Noon)}, at(4)); !errors.Is(err, analytics.ErrDisplaced) {
			t.Errorf("the late process: %v", err)
		}
		stored(t, late, first, second, third)
		again := open(t, server, db)
		if p, err := again.Place(t.Context()); err != nil || p != at(3) {
			t.Errorf("%v %v", p, err)
		}
	})
}

// A server that is away or silent is an error within the time that is given, and when it is back everything goes on.
func TestAServerThatIsAwayIsAnErrorInTime(t *testing.T) {
	t.Parallel()
	server := chtest.Start(t, chtest.NewMemory())
	s := open(t, server, clickstore.Options{WriteTimeout: time.Second, ReadTimeout: time.Second})
	b := storetest.BatchOf(10, storetest.Noon)
	began := time.Now()
	server.Fail(func(chtest.Query) chtest.Fault { return chtest.Hang })
	if err := s.Append(t.Context(), []*analytics.Batch{b}, at(1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an append to a silent server: %v", err)
	}
	if _, err := s.Place(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a question to a silent server: %v", err)
	}
	server.Fail(nil)
	server.Down()
	if err := s.Append(t.Context(), []*analytics.Batch{b}, at(1)); err == nil {
		t.Error("an append to no server")
	}
	if _, err := s.Stats(t.Context()); err == nil {
		t.Error("a question to no server")
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
	server.Up(t)
	for err := error(nil); time.Since(began) < time.Minute; {
		if err = s.Append(t.Context(), []*analytics.Batch{b}, at(1)); err == nil {
			break
		}
	}
	stored(t, s, b)
}

// What anybody asks is bounded, by the server too, and is to be found in its log.
func TestQuestionsAreBounded(t *testing.T) {
	t.Parallel()
	server := chtest.Start(t, chtest.NewMemory())
	s := open(t, server, clickstore.Options{MemoryMiB: 64, User: "u", Password: "p"})
	if _, err := s.Query(t.Context(), "SELECT 1", analytics.QueryOptions{Timeout: 1500 * time.Millisecond}); err == nil {
		t.Error("the stand-in has learnt SQL")
	}
	asked := server.Queries()
	q := asked[len(asked)-1]
	if q.User != "u" || q.Password != "p" || !strings.HasPrefix(q.ID, "stampede-") || q.ID == asked[len(asked)-2].ID {
		t.Errorf("asked by %s %s as %s", q.User, q.Password, q.ID)
	}
	for key, want := range map[string]string{"readonly": "1", "max_execution_time": "2", "max_memory_usage": "67108864"} {
		if got := q.Setting(key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	for _, async := range []string{"0", "1"} {
		a := open(t, server, clickstore.Options{Async: async == "1", Database: "async" + async})
		storetest.Append(t, a, at(1), storetest.BatchOf(1, storetest.Noon))
		for _, q := range server.Queries() {
			if q.Database == "async"+async && strings.HasPrefix(q.Body, `INSERT INTO "event"`) && (q.Setting("async_insert") != async || q.Setting("insert_deduplication_token") != "1") {
				t.Errorf("async %s: %v", async, q.Settings)
			}
		}
	}
}

// The engine itself refuses files and the network to whoever only reads, and the store what would talk it out of that.
func TestSQLReachesNothingElse(t *testing.T) {
	t.Parallel()
	s := open(t, chtest.Start(t, chdbtest.Open(t)), clickstore.Options{})
	for _, q := range []string{
		"SELECT * FROM file('/etc/hostname', 'LineAsString')", "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')", "SELECT * FROM remote('127.0.0.1:1', 'system', 'one')",
		"SELECT * FROM executable('x', 'TSV', 'a String')", "SELECT * FROM file('/etc/hostname', 'LineAsString') SETTINGS readonly = 0",
		"SELECT * FROM (SELECT * FROM file('/etc/hostname', 'LineAsString') SETTINGS readonly = 0)", "SELECT 1 UNION ALL SELECT 1 FROM s3('http://127.0.0.1:1/bucket/x')",
	} {
		if r, err := s.Query(t.Context(), q, analytics.QueryOptions{}); !errors.Is(err, analytics.ErrNotRead) {
			t.Errorf("%s: %v %v", q, r, err)
		}
	}
	r, err := s.Query(t.Context(), "SELECT number FROM numbers(100000000)", analytics.QueryOptions{MaxRows: 1_000_000_000, Timeout: time.Minute})
	if err == nil || !strings.Contains(err.Error(), "max_result_bytes") && !strings.Contains(err.Error(), "TOO_MANY_ROWS_OR_BYTES") {
		t.Errorf("a large result: %v %v", r != nil, err)
	}
}

func TestNoGoroutineIsLeft(t *testing.T) {
	before := goleak.IgnoreCurrent()
	server := chtest.Start(t, chtest.NewMemory())
	s := open(t, server, clickstore.Options{ReadTimeout: 200 * time.Millisecond, Database: "x"})
	storetest.Append(t, s, at(1), storetest.BatchOf(1, storetest.Noon))
	server.Fail(func(chtest.Query) chtest.Fault { return chtest.Hang })
	if _, err := s.Place(t.Context()); err == nil {
		t.Error("a silent server answered")
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := s.Append(t.Context(), nil, at(2)); err == nil {
		t.Error("a closed store takes appends")
	}
	server.Down()
	goleak.VerifyNone(t, before)
}
