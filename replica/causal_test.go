package replica_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stampede-shop/stampede/internal/local/localtest"
	"github.com/stampede-shop/stampede/replica"
	"github.com/stampede-shop/stampede/replica/causal"
)

// sessionWrites is how often each session writes.
const sessionWrites = 15

// sessions run at once, each writing its own row and reading it back with nothing but its token, through one of two processes
// (Sets) at random. None may ever see less than it wrote, which is more each time: numbers from a call's from on.
func (f *fixture) sessions(sets []*replica.Set, from int, share float64) (onReplica, reads int64) {
	f.t.Helper()
	signer, err := replica.NewSigner(0, []byte("0123456789abcdef"))
	if err != nil {
		f.t.Fatal(err)
	}
	var total, replicas atomic.Int64
	var wg sync.WaitGroup
	for id := range 8 {
		wg.Go(func() {
			cookie, rnd := "", rand.New(rand.NewPCG(uint64(from), uint64(id)))
			last := 0
			for w := from; w < from+sessionWrites; {
				tok, err := signer.Decode(cookie)
				if err != nil {
					f.t.Error(err)
					return
				}
				ctx, c := replica.WithCollector(replica.WithToken(f.t.Context(), tok))
				s := sets[rnd.IntN(len(sets))]
				if rnd.Float64() < share {
					if err := s.Write(ctx, func(ctx context.Context, tx pgx.Tx) error {
						_, err := tx.Exec(ctx, "INSERT INTO s VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET v = $2", id, w)
						return err
					}); err != nil {
						f.t.Error(err)
						return
					}
					last, w = w, w+1
					cookie = signer.Encode(tok.Merge(c.Token()))
					continue
				}
				var v int
				var node string
				err = s.View(ctx, func(ctx context.Context, db replica.Reader) error {
					node = db.Node()
					return db.QueryRow(ctx, "SELECT coalesce(max(v), 0) FROM s WHERE id = $1", id).Scan(&v)
				})
				if err != nil || v < last {
					f.t.Errorf("session %d wrote %d and read %d from %s: %v", id, last, v, node, err)
					return
				}
				time.Sleep(time.Duration(rnd.Int64N(int64(2 * time.Millisecond)))) // people take longer
				total.Add(1)
				if node != replica.PrimaryName {
					replicas.Add(1)
				}
			}
		})
	}
	wg.Wait()
	return replicas.Load(), total.Load()
}

// processes are two, with two replicas each, whose reads wait for a replica as long as wait says; 0 is the default.
func (f *fixture) processes(secondDSN string, wait time.Duration) (sets []*replica.Set) {
	f.t.Helper()
	for range 2 {
		s := replica.New(pool(f.t, f.PrimaryDSN), []replica.Replica{{Name: "one", Pool: pool(f.t, f.ReplicaDSN)}, {Name: "two", Pool: pool(f.t, secondDSN)}},
			patient(replica.Options{TokenWait: wait, Interval: time.Second}))
		f.t.Cleanup(s.Close)
		s.Require(f.set.Required())
		sets = append(sets, s)
	}
	f.eventually("both processes use both replicas", func() bool {
		for _, s := range sets {
			if st := s.Status(); st[1].Breaker != "closed" || st[2].Breaker != "closed" {
				_ = s.View(f.t.Context(), func(context.Context, replica.Reader) error { return nil }) // a probe
				return false
			}
		}
		return true
	})
	return sets
}

// How soon a replica replays is the machine's affair: where the share of reads on replicas is asked for, reads wait for one longer than
// by default.
func TestNoSessionMissesItsOwnWrite(t *testing.T) {
	t.Parallel()
	f := setup(t, replica.Options{})
	second, secondDSN := f.Standby(t)
	f.exec(f.set.Primary(), "CREATE TABLE s (id int PRIMARY KEY, v int NOT NULL)")
	f.require()
	waiting, hasty := f.processes(secondDSN, time.Second), f.processes(secondDSN, 0)
	one, two := f.admin, pool(t, second.AdminDSN())
	phases := []struct {
		name   string
		sets   []*replica.Set
		paused [][]*pgxpool.Pool // who is, by turns
		share  float64           // of writes
		least  float64           // of reads on replicas
	}{
		{"normally", waiting, nil, 0.02, 0.9},
		{"with one of them paused, by turns", waiting, [][]*pgxpool.Pool{{one}, {two}}, 0.02, 0.9},
		{"with both paused half of the time", hasty, [][]*pgxpool.Pool{{one, two}, nil}, 0.2, 0},
	}
	localtest.Rounds(t, 1, func(round int) {
		for i, phase := range phases {
			stop := f.pausing(phase.paused)
			on, all := f.sessions(phase.sets, 1+(round*len(phases)+i)*sessionWrites, phase.share)
			stop()
			t.Logf("%s %d of %d reads were on replicas", phase.name, on, all)
			if float64(on) < phase.least*float64(all) {
				t.Errorf("%s %d of %d reads were on replicas, want %v", phase.name, on, all, phase.least)
			}
		}
	})
}

// pausing stops replay on the servers, by turns, until stop is called.
func (f *fixture) pausing(turns [][]*pgxpool.Pool) (stop func()) {
	halt, ended := make(chan struct{}), make(chan struct{})
	tell := func(servers []*pgxpool.Pool, sql string) {
		for _, p := range servers {
			if _, err := p.Exec(f.t.Context(), sql); err != nil {
				f.t.Error(err)
			}
		}
	}
	go func() {
		defer close(ended)
		for i := 0; len(turns) > 0; i++ {
			tell(turns[i%len(turns)], "SELECT pg_wal_replay_pause()")
			over := false
			select {
			case <-halt:
				over = true
			case <-time.After(100 * time.Millisecond):
			}
			tell(turns[i%len(turns)], "SELECT pg_wal_replay_resume()")
			if over {
				return
			}
		}
	}()
	return func() { close(halt); <-ended }
}

func TestTokenIsHonouredByAPausedReplica(t *testing.T) {
	t.Parallel()
	f := setup(t, replica.Options{TokenWait: 20 * time.Millisecond})
	f.pauseReplay()
	ctx, c := replica.WithCollector(t.Context())
	f.exec(f.set.Primary(), "UPDATE n SET v = 5")
	if err := f.set.Wrote(ctx, false); err != nil || c.Token().LSN("default") == 0 {
		t.Fatalf("token %v, %v", c.Token(), err)
	}
	view := func(ctx context.Context) (node string, v int) {
		t.Helper()
		if err := f.set.View(ctx, func(ctx context.Context, db replica.Reader) error {
			node = db.Node()
			return db.QueryRow(ctx, "SELECT v FROM n").Scan(&v)
		}); err != nil {
			t.Fatal(err)
		}
		return node, v
	}
	if node, v := view(t.Context()); node != "one" || v != 0 {
		t.Errorf("somebody else reads %d from %s", v, node)
	}
	start := time.Now()
	if node, v := view(ctx); node != replica.PrimaryName || v != 5 || time.Since(start) < 20*time.Millisecond {
		t.Errorf("the writer reads %d from %s after %v", v, node, time.Since(start))
	}
	f.exec(f.admin, "SELECT pg_wal_replay_resume()")
	f.eventually("back on the replica", func() bool { node, v := view(ctx); return node == "one" && v == 5 })
}

func TestReadersCannotWrite(t *testing.T) {
	t.Parallel()
	f := setup(t, replica.Options{})
	try := func() (node string) {
		t.Helper()
		err := f.set.View(t.Context(), func(ctx context.Context, db replica.Reader) error {
			node = db.Node()
			if _, err := db.Generated().Exec(ctx, "UPDATE n SET v = 1"); !errors.Is(err, replica.ErrReadOnly) {
				t.Errorf("Exec: %v", err)
			}
			return db.QueryRow(ctx, "UPDATE n SET v = 1 RETURNING v").Scan(new(int))
		})
		var pg *pgconn.PgError
		if !errors.As(err, &pg) || pg.Code != "25006" {
			t.Errorf("on %s: %v", node, err)
		}
		return node
	}
	if node := try(); node != "one" {
		t.Errorf("read from %s", node)
	}
	f.set.Require(f.set.Required() + 1<<20)
	f.Replica.Kill()
	f.eventually("on the primary", func() bool { return try() == replica.PrimaryName })
	err := f.set.View(t.Context(), func(ctx context.Context, db replica.Reader) error {
		return db.Snapshot(ctx, func(ctx context.Context, tx pgx.Tx) error { return tx.QueryRow(ctx, "SELECT v FROM n").Scan(new(int)) })
	})
	if err != nil {
		t.Error(err)
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	f := setup(t, replica.Options{})
	ctx, c := replica.WithCollector(t.Context())
	set := func(v int) error {
		return f.set.Write(ctx, func(ctx context.Context, tx pgx.Tx) error {
			if tx.Commit(ctx) == nil {
				t.Error("fn could commit")
			}
			_, err := tx.Exec(ctx, "UPDATE n SET v = $1", v)
			return err
		})
	}
	if err := set(1); err != nil || c.Token().LSN("default") == 0 || c.Token().LSN("default") == replica.MaxLSN {
		t.Fatalf("%v, %v", c.Token(), err)
	}
	own := errors.New("own")
	if err := f.set.Write(ctx, func(context.Context, pgx.Tx) error { return own }); err != own {
		t.Errorf("fn's error: %v", err)
	}
	f.exec(f.set.Primary(), "CREATE TABLE u (v int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
	err := f.set.Write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO u VALUES (1), (1)")
		return err
	})
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code != "23505" || errors.Is(err, replica.ErrUnknown) {
		t.Errorf("refused at commit: %v", err)
	}
	f.Primary.Kill()
	wrote := make(chan error, 1)
	go func() { wrote <- set(2) }()
	f.eventually("the write waits", func() bool { return !f.set.Status()[0].Healthy })
	f.Primary.Restart(t)
	if err := <-wrote; err != nil {
		t.Errorf("after the primary came back: %v", err)
	}
	f.eventually("it is read back", func() bool { _, v, err := f.tryRead(); return err == nil && v == 2 })
}

// The connection breaks after the commit was sent: nobody knows.
func TestCommitWithoutAnAnswerIsUnknown(t *testing.T) {
	t.Parallel()
	f := setup(t, replica.Options{})
	l := &link{}
	s := replica.New(l.pool(t, f.PrimaryDSN), nil, replica.Options{})
	t.Cleanup(s.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	runs := 0
	err := s.Write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		runs++
		if _, err := tx.Exec(ctx, "UPDATE n SET v = 9"); err != nil {
			return err
		}
		l.freeze()
		heed := func(what []byte) {
			if bytes.Contains(what, []byte("COMMIT;")) {
				cancel()
			}
		}
		l.heed.Store(&heed)
		return nil
	})
	l.thaw()
	if !errors.Is(err, replica.ErrUnknown) || runs != 1 {
		t.Errorf("%v after %d runs", err, runs)
	}
}

// One checker serves all databases of the servers.
func TestGroup(t *testing.T) {
	t.Parallel()
	f := setup(t, replica.Options{})
	g := replica.NewGroup(pool(t, f.PrimaryDSN), []replica.Replica{{Name: "one", Pool: pool(t, f.ReplicaDSN)}}, patient(replica.Options{}))
	t.Cleanup(g.Close)
	var sets []*replica.Set
	for _, db := range []string{"a", "b"} {
		f.exec(pool(t, f.Primary.AdminDSN()), "CREATE DATABASE "+db+" OWNER stampede")
		at := func(dsn string) string { return strings.Replace(dsn, "/test?", "/"+db+"?", 1) }
		s, err := g.Set(db, pool(t, at(f.PrimaryDSN)), []replica.Replica{{Name: "one", Pool: pool(t, at(f.ReplicaDSN))}})
		if err != nil {
			t.Fatal(err)
		}
		sets = append(sets, s)
	}
	ctx, c := replica.WithCollector(t.Context())
	for i, s := range sets {
		if err := s.Write(ctx, func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, fmt.Sprintf("CREATE TABLE single AS SELECT %d AS v", i))
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	if tok := c.Token(); tok.LSN("a") == 0 || tok.LSN("b") <= tok.LSN("a") {
		t.Errorf("token %v", tok)
	}
	for i, s := range sets {
		f.eventually("it is read from the replica", func() bool {
			var node string
			v := -1
			err := s.Read(ctx, func(ctx context.Context, db *pgxpool.Pool, n string) error {
				node = n
				return db.QueryRow(ctx, "SELECT v FROM single").Scan(&v)
			})
			if err != nil || v != i {
				t.Fatalf("%d from %s, %v", v, node, err)
			}
			return node == "one"
		})
	}
	if _, err := g.Set("c", f.admin, make([]replica.Replica, 2)); !errors.Is(err, replica.ErrUnknownNode) {
		t.Errorf("too many replicas: %v", err)
	}
	sets[0].Close()
	sets[0].Close()
}

func TestCookieCarriesTheToken(t *testing.T) {
	t.Parallel()
	f := setup(t, replica.Options{})
	f.pauseReplay()
	signer, err := replica.NewSigner(time.Minute, []byte("0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(causal.Middleware(causal.Options{Signer: signer}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			err := f.set.Write(r.Context(), func(ctx context.Context, tx pgx.Tx) error {
				_, err := tx.Exec(ctx, "UPDATE n SET v = v + 1")
				return err
			})
			if err != nil {
				t.Error(err)
			}
		}
		var v int
		_ = f.set.View(r.Context(), func(ctx context.Context, db replica.Reader) error {
			return db.QueryRow(ctx, "SELECT v FROM n").Scan(&v)
		})
		w.Header().Set("V", fmt.Sprint(v))
	})))
	t.Cleanup(srv.Close)
	jar, _ := cookiejar.New(nil)
	client := &http.Client{Jar: jar}
	call := func(method string) (v, cookie string) {
		t.Helper()
		req, _ := http.NewRequestWithContext(t.Context(), method, srv.URL, nil)
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res.Header.Get("V"), res.Header.Get("Set-Cookie")
	}
	if v, cookie := call("GET"); v != "0" || cookie != "" {
		t.Errorf("a reader: %s, %q", v, cookie)
	}
	if v, cookie := call("POST"); v != "1" || !strings.HasPrefix(cookie, "seen=") || !strings.Contains(cookie, "HttpOnly; SameSite=Lax") {
		t.Errorf("a writer: %s, %q", v, cookie)
	}
	if v, cookie := call("GET"); v != "1" || cookie != "" {
		t.Errorf("the writer's next request: %s, %q", v, cookie)
	}
	client.Jar = nil
	if v, _ := call("GET"); v != "0" {
		t.Errorf("somebody else: %s", v)
	}
}
