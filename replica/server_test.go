package replica_test

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stampede-shop/stampede/internal/local/localtest"
	"github.com/stampede-shop/stampede/replica"
)

func TestMain(m *testing.M) { localtest.Main(m) }

type fixture struct {
	*localtest.Pair
	set   *replica.Set
	admin *pgxpool.Pool // superuser on the replica
	link  *link         // to the replica
	t     *testing.T
}

func setup(t *testing.T, o replica.Options) *fixture {
	t.Helper()
	return setupWith(t, o, func(l *link, dsn string) replica.Replica { return replica.Replica{Pool: l.pool(t, dsn)} })
}

func setupWith(t *testing.T, o replica.Options, open func(l *link, dsn string) replica.Replica) *fixture {
	t.Helper()
	f := &fixture{Pair: localtest.Replicated(t), t: t}
	o = patient(o)
	f.admin = pool(t, f.Replica.AdminDSN())
	f.link = &link{}
	one := open(f.link, f.ReplicaDSN)
	one.Name = "one"
	f.set = replica.New(pool(t, f.PrimaryDSN), []replica.Replica{one}, o)
	t.Cleanup(f.set.Close)
	f.exec(f.set.Primary(), "CREATE TABLE n (v int NOT NULL)")
	f.exec(f.set.Primary(), "INSERT INTO n VALUES (0)")
	f.require()
	f.eventually("the replica is in use", func() bool { node, v := f.read(); return node == "one" && v == 0 })
	return f
}

// patient fills in options with which only what a test does takes a server out, and not a machine that is busy: limits in time are
// those that the test gives.
func patient(o replica.Options) replica.Options {
	o.Interval = cmp.Or(o.Interval, 50*time.Millisecond)
	o.CheckTimeout = cmp.Or(o.CheckTimeout, 20*time.Second)
	o.MaxLatency = cmp.Or(o.MaxLatency, time.Minute)
	o.MaxLag = cmp.Or(o.MaxLag, 10*time.Minute)
	o.WriteWait = cmp.Or(o.WriteWait, time.Minute)
	return o
}

func pool(t *testing.T, dsn string) *pgxpool.Pool {
	t.Helper()
	p, err := pgxpool.New(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func (f *fixture) exec(db *pgxpool.Pool, sql string) {
	f.t.Helper()
	if _, err := db.Exec(f.t.Context(), sql); err != nil {
		f.t.Fatalf("%s: %v", sql, err)
	}
}

func (f *fixture) pauseReplay() {
	f.t.Helper()
	f.exec(f.admin, "SELECT pg_wal_replay_pause()")
	f.eventually("replay is paused", func() bool {
		var state string
		_ = f.admin.QueryRow(f.t.Context(), "SELECT pg_get_wal_replay_pause_state()").Scan(&state)
		return state == "paused"
	})
}

// require makes reads see everything that is committed now.
func (f *fixture) require() {
	f.t.Helper()
	l, err := f.set.CommitLSN(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	f.set.Require(l)
}

func (f *fixture) tryRead() (node string, v int, err error) {
	ctx, cancel := context.WithTimeout(f.t.Context(), 30*time.Second)
	defer cancel()
	err = f.set.Read(ctx, func(ctx context.Context, db *pgxpool.Pool, n string) error {
		node = n
		return db.QueryRow(ctx, "SELECT v FROM n").Scan(&v)
	})
	return node, v, err
}

func (f *fixture) read() (node string, v int) {
	f.t.Helper()
	node, v, err := f.tryRead()
	if err != nil {
		f.t.Fatalf("read from %s: %v", node, err)
	}
	return node, v
}

func (f *fixture) eventually(what string, check func() bool) {
	f.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for !check() {
		select {
		case <-tick.C:
		case <-deadline:
			f.t.Fatalf("timed out: %s; %+v", what, f.set.Status())
		}
	}
}

func TestRequiredLSNIsHonoured(t *testing.T) {
	t.Parallel()
	f := setup(t, replica.Options{})
	f.pauseReplay()
	f.exec(f.set.Primary(), "UPDATE n SET v = 1")
	if node, v := f.read(); node != "one" || v != 0 {
		t.Errorf("without a requirement: %d from %s", v, node)
	}
	f.require()
	for range 50 {
		if node, v := f.read(); node != replica.PrimaryName || v != 1 {
			t.Fatalf("with a requirement: %d from %s", v, node)
		}
	}
	f.exec(f.admin, "SELECT pg_wal_replay_resume()")
	f.eventually("reads return to the replica", func() bool {
		node, v := f.read()
		if v != 1 {
			t.Fatalf("read %d from %s", v, node)
		}
		return node == "one"
	})
	for i := 2; i < 100; i++ { // read your own writes, at speed
		f.exec(f.set.Primary(), fmt.Sprintf("UPDATE n SET v = %d", i))
		f.require()
		if node, v := f.read(); v != i {
			t.Fatalf("read %d from %s after writing %d", v, node, i)
		}
	}
}

func TestReadsGoOnWithoutTheReplica(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	f := setup(t, replica.Options{Registerer: reg})
	f.Replica.Kill() // its sessions may live a moment longer and answer
	f.eventually("reads go to the primary", func() bool { node, _ := f.read(); return node == replica.PrimaryName })
	for range 50 {
		if node, _ := f.read(); node != replica.PrimaryName {
			t.Fatalf("read from %s, which is dead", node)
		}
	}
	if st := f.set.Status()[1]; st.Healthy || st.Reason == "" {
		t.Errorf("status of the dead replica: %+v", st)
	}
	f.Replica.Restart(t)
	f.eventually("the replica is back", func() bool { node, _ := f.read(); return node == "one" })
	if families, err := reg.Gather(); err != nil || len(families) != 14 {
		t.Errorf("metrics: %d families, %v", len(families), err)
	}
}

func TestReadsGoOnWithoutThePrimary(t *testing.T) {
	t.Parallel()
	f := setup(t, replica.Options{})
	f.exec(f.set.Primary(), "UPDATE n SET v = 1")
	f.require()
	// The replica must have it: the primary's last words are not what is tested here.
	f.eventually("replayed", func() bool { node, v := f.read(); return node == "one" && v == 1 })
	f.Primary.Kill()
	for range 50 {
		if node, v := f.read(); node != "one" || v != 1 {
			t.Fatalf("read %d from %s", v, node)
		}
	}
	f.set.Require(f.set.Required() + 1<<30)                            // what nobody has
	f.eventually("nobody answers what nobody can serve", func() bool { // the primary's sessions may live a moment longer
		node, _, err := f.tryRead()
		if err == nil && node == "one" {
			t.Fatal("the replica answered what it does not have")
		}
		return err != nil
	})
	f.Primary.Restart(t)
	f.eventually("the primary answers, and its log is the measure", func() bool {
		node, v, err := f.tryRead()
		return err == nil && node == "one" && v == 1
	})
}

// Late data is better than none: with the primary gone, a replica answers whatever it has, and nothing that it does not have.
func TestLateReplicaAnswersWithoutThePrimary(t *testing.T) {
	t.Parallel()
	f := setup(t, replica.Options{MaxLagBytes: 64 << 10, ReadWait: 300 * time.Millisecond})
	f.pauseReplay()
	f.exec(f.set.Primary(), "UPDATE n SET v = 1")
	f.exec(f.set.Primary(), "CREATE TABLE filler AS SELECT repeat('x', 100) FROM generate_series(1, 5000)")
	f.eventually("it is out", func() bool { return !f.set.Status()[1].Healthy })
	f.Primary.Kill()
	f.eventually("it answers", func() bool { node, v, err := f.tryRead(); return err == nil && node == "one" && v == 0 })
	if st := f.set.Status()[1]; st.Healthy {
		t.Errorf("it is in use: %+v", st)
	}
	f.set.Require(f.set.Required() + 1<<30)
	if node, _, err := f.tryRead(); err == nil {
		t.Errorf("%s answered what it does not have", node)
	}
}

// A server that hangs is not a server that fails: whoever waits for it must be sent on.
func TestReadsLeaveAHangingReplica(t *testing.T) {
	t.Parallel()
	f := setup(t, replica.Options{CheckTimeout: 300 * time.Millisecond})
	f.link.freeze()
	for range 2 {
		if node, _ := f.read(); node != replica.PrimaryName {
			t.Errorf("read from %s, which hangs", node)
		}
	}
	f.link.thaw()
	f.eventually("the replica is back", func() bool { node, _ := f.read(); return node == "one" })
}

// A server that answers late is taken out for a while, and let in again by probes.
func TestSlowReplicaIsTakenOut(t *testing.T) {
	t.Parallel()
	f := setup(t, replica.Options{MaxLatency: 500 * time.Millisecond, Cooldown: 6 * time.Second})
	f.link.delay.Store(int64(500 * time.Millisecond)) // there and back
	f.eventually("it is taken out", func() bool {
		_, _ = f.read()
		st := f.set.Status()[1]
		return st.Breaker == "open" && strings.Contains(st.Reason, "slow")
	})
	out := time.Now()
	f.link.delay.Store(0)
	f.eventually("it is back", func() bool { node, _ := f.read(); return node == "one" })
	if d := time.Since(out); d < time.Second { // it was out a while before that was seen
		t.Errorf("it is back after %v", d)
	}
	f.eventually("nobody doubts it", func() bool { _, _ = f.read(); return f.set.Status()[1].Breaker == "closed" })
}

func TestReplicaTooFarBehindIsTakenOut(t *testing.T) {
	t.Parallel()
	f := setup(t, replica.Options{MaxLagBytes: 1 << 20})
	f.pauseReplay()
	f.exec(f.set.Primary(), "CREATE TABLE big AS SELECT repeat(md5(i::text), 50) FROM generate_series(1, 3000) i")
	f.eventually("it is taken out", func() bool { node, _ := f.read(); return node == replica.PrimaryName })
	if st := f.set.Status()[1]; st.LagBytes <= 1<<20 || st.Lag <= 0 {
		t.Errorf("status: %+v", st)
	}
	f.exec(f.admin, "SELECT pg_wal_replay_resume()")
	f.eventually("it is back", func() bool { node, _ := f.read(); return node == "one" })
	f.eventually("it has caught up", func() bool { return f.set.Status()[1].LagBytes == 0 })
}

func TestReadsSurviveRepeatedKillsUnderLoad(t *testing.T) {
	t.Parallel()
	f := setup(t, replica.Options{})
	ctx, stop := context.WithCancel(t.Context())
	var reads atomic.Int64
	done := make(chan error, 4)
	for range cap(done) {
		go func() {
			for ctx.Err() == nil {
				if _, _, err := f.tryRead(); err != nil {
					done <- err
					return
				}
				reads.Add(1)
			}
			done <- nil
		}()
	}
	for range 3 {
		seen := reads.Load()
		f.Replica.Kill()
		f.eventually("reads go on", func() bool { return reads.Load() > seen+100 })
		f.Replica.Restart(t)
		f.eventually("the replica is back", func() bool { return f.set.Status()[1].Healthy })
	}
	stop()
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func ExampleSet_Read() {
	ctx := context.Background()
	primary, _ := pgxpool.New(ctx, "host=primary")
	standby, _ := pgxpool.New(ctx, "host=standby")
	set := replica.New(primary, []replica.Replica{{Name: "standby", Pool: standby}}, replica.Options{})
	defer set.Close()

	var name string
	err := set.Read(ctx, func(ctx context.Context, db *pgxpool.Pool, node string) error {
		return db.QueryRow(ctx, "SELECT name FROM products WHERE id = $1", 7).Scan(&name)
	})
	fmt.Println(name, err)
}

func ExampleSet_View() {
	ctx := context.Background()
	primary, _ := pgxpool.New(ctx, "host=a,b target_session_attrs=read-write")
	a, _ := pgxpool.New(ctx, "host=a")
	b, _ := pgxpool.New(ctx, "host=b")
	set := replica.New(primary, []replica.Replica{{Name: "a", Pool: a}, {Name: "b", Pool: b}}, replica.Options{Name: "shop"})
	defer set.Close()

	ctx, wrote := replica.WithCollector(ctx)
	err := set.Write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE products SET name = 'Lamp' WHERE id = 7")
		return err
	})
	fmt.Println(err)

	// Later, perhaps in another process: the session's token makes sure that it sees its own write.
	ctx = replica.WithToken(context.Background(), wrote.Token())
	var name string
	err = set.View(ctx, func(ctx context.Context, db replica.Reader) error {
		return db.QueryRow(ctx, "SELECT name FROM products WHERE id = 7").Scan(&name)
	})
	fmt.Println(name, err)
}
