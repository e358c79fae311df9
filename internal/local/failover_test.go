package local

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stampede-shop/stampede/internal/local/pg"
)

// ledger is a load of writers, and what was acknowledged to them.
type ledger struct {
	t     *testing.T
	pool  *pgxpool.Pool
	stop  context.CancelFunc
	ended sync.WaitGroup

	mu    sync.Mutex
	acked map[string]bool
	last  time.Time
	gap   time.Duration // the longest time without an acknowledgement
}

func writeLedger(t *testing.T, dsn string, writers int) *ledger {
	t.Helper()
	execSQL(t, dsn, "CREATE TABLE IF NOT EXISTS ledger (id text PRIMARY KEY)")
	cfg, err := pgxpool.ParseConfig(dsn + "&connect_timeout=2")
	if err != nil {
		t.Fatal(err)
	}
	l := &ledger{t: t, acked: map[string]bool{}, last: time.Now()}
	if l.pool, err = pgxpool.NewWithConfig(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	l.stop = stop
	for w := range writers {
		l.ended.Go(func() {
			for i := 0; ctx.Err() == nil; {
				id := fmt.Sprintf("%p-%d-%d", l, w, i)
				if l.write(ctx, id) {
					i++
				} else {
					time.Sleep(10 * time.Millisecond) // the same id again: whether it is there does not matter
				}
			}
		})
	}
	t.Cleanup(l.end)
	return l
}

func (l *ledger) write(ctx context.Context, id string) bool {
	ctx, cancel := context.WithTimeout(ctx, 40*time.Second)
	defer cancel()
	_, err := l.pool.Exec(ctx, "INSERT INTO ledger VALUES ($1) ON CONFLICT DO NOTHING", id)
	if err != nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked[id] = true
	l.gap, l.last = max(l.gap, time.Since(l.last)), time.Now()
	return true
}

func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

// longest resets and returns the longest pause.
func (l *ledger) longest() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	gap := max(l.gap, time.Since(l.last))
	l.gap = 0
	return gap
}

func (l *ledger) end() {
	l.stop()
	l.ended.Wait()
	l.pool.Close()
}

// check fails for each write that was acknowledged and is not there.
func (l *ledger) check(dsn string) {
	l.t.Helper()
	conn, err := pgx.Connect(l.t.Context(), dsn)
	if err != nil {
		l.t.Fatal(err)
	}
	defer conn.Close(context.Background())
	rows, _ := conn.Query(l.t.Context(), "SELECT id FROM ledger")
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		l.t.Fatal(err)
	}
	there := map[string]bool{}
	for _, id := range ids {
		there[id] = true
	}
	lost := 0
	for id := range l.acked {
		if !there[id] {
			lost++
		}
	}
	l.t.Logf("%d acknowledged, %d there", len(l.acked), len(there))
	if lost > 0 {
		l.t.Errorf("%d of %d acknowledged writes are lost", lost, len(l.acked))
	}
}

// guarded is a platform that is looked after.
type guarded struct {
	*platform
	*Failover
}

func upGuarded(t *testing.T, o Options) *guarded {
	t.Helper()
	p := up(t, o)
	g := &guarded{p, nil}
	logger := slog.New(slog.NewTextHandler(&testLog{t: t}, nil))
	g.Failover = p.StartFailover(p.Supervisor, FailoverOptions{Logger: logger})
	t.Cleanup(g.Failover.Stop)
	return g
}

// testLog writes to the test's log until it has ended.
type testLog struct{ t *testing.T }

func (l *testLog) Write(b []byte) (int, error) {
	if l.t.Context().Err() == nil {
		l.t.Log(strings.TrimSpace(string(b)))
	}
	return len(b), nil
}

func (g *guarded) cluster() ClusterStatus { return g.Failover.Status()[0] }

func (g *guarded) awaitSync(t *testing.T, standbys int) {
	t.Helper()
	eventually(t, fmt.Sprintf("commits wait for any of %d standbys", standbys), func() bool {
		s := g.cluster()
		return s.Sync && len(s.Standbys) == standbys && len(g.Layout.clusters[0].roles.get().Members) == standbys
	})
}

// killPrimary kills whoever is the primary now and returns once another one is.
func (g *guarded) killPrimary(t *testing.T) (old string) {
	t.Helper()
	s := g.cluster()
	if err := syscall.Kill(g.pid(t, s.Primary), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another primary", func() bool { return g.cluster().Failovers > s.Failovers })
	if now := g.cluster().Primary; now == s.Primary {
		t.Errorf("%s is the primary again", now)
	}
	return s.Primary
}

// slowest is how long nobody may be able to write, on a machine that is busy with other tests, too.
const slowest = time.Minute

func TestFailoverUnderLoad(t *testing.T) {
	t.Parallel()
	rounds := 2
	if os.Getenv("STAMPEDE_SOAK") != "" {
		rounds = 20
	}
	o := Options{Data: tempData(t), Replicas: 2, Shards: 1}
	g := upGuarded(t, o)
	g.awaitSync(t, 2)
	l := writeLedger(t, g.CatalogPrimary, 6)
	for round := range rounds {
		before := l.count()
		eventually(t, "writes", func() bool { return l.count() > before+200 })
		l.longest()
		start := time.Now()
		old := g.killPrimary(t)
		switched, before := time.Since(start), l.count()
		eventually(t, "writes go on", func() bool { return l.count() > before+50 })
		gap := l.longest()
		t.Logf("round %d: another primary after %v, no write acknowledged for %v", round, switched.Round(time.Millisecond), gap.Round(time.Millisecond))
		if gap > slowest {
			t.Errorf("nobody could write for %v", gap)
		}
		g.awaitSync(t, 2) // the old primary follows again
		if !g.Layout.clusters[0].server(serverNumber(g, old)).IsStandby() {
			t.Errorf("%s did not become a standby", old)
		}
	}
	l.end()
	l.check(g.CatalogPrimary)
	primary := g.cluster().Primary
	g.Failover.Stop()
	g.down(t)

	// what was decided outlives everything
	p := up(t, o)
	if p.PrimaryNames[0] != primary {
		t.Errorf("after a restart %s is the primary, not %s", p.PrimaryNames[0], primary)
	}
	l.check(p.CatalogPrimary)
	for _, r := range p.CatalogReplicas {
		eventually(t, r.Name+" has all", func() bool { return count(t, r.DSN, "SELECT count(*) FROM ledger") >= len(l.acked) })
	}
}

func serverNumber(g *guarded, name string) int {
	for _, m := range g.Layout.clusters[0].servers {
		if m.name == name {
			return m.number
		}
	}
	return -1
}

// Without standbys the primary goes on alone; then it must not be replaced by one that is behind.
func TestPrimaryGoesOnAlone(t *testing.T) {
	t.Parallel()
	g := upGuarded(t, Options{Data: tempData(t), Replicas: 1, Shards: 1})
	g.awaitSync(t, 1)
	l := writeLedger(t, g.CatalogPrimary, 2)
	eventually(t, "writes", func() bool { return l.count() > 50 })
	l.longest()
	standby := g.pid(t, "replica-1")
	if err := syscall.Kill(standby, syscall.SIGSTOP); err != nil { // the postmaster; its children go on: stop them too
		t.Fatal(err)
	}
	stopped := append(children(t, standby), standby)
	for _, pid := range stopped {
		_ = syscall.Kill(pid, syscall.SIGSTOP)
	}
	eventually(t, "alone, with an alert", func() bool { return !g.cluster().Sync && !g.cluster().Alone.IsZero() })
	before := l.count()
	eventually(t, "writes go on", func() bool { return l.count() > before+50 })
	if gap := l.longest(); gap > slowest {
		t.Errorf("nobody could write for %v", gap)
	}
	if v := metric(t, g.Failover, "stampede_failover_alone"); v != 1 {
		t.Errorf("the metric of the alert is %v", v)
	}
	if r := g.Layout.clusters[0].roles.get(); r.Safe || r.Alone == nil || r.Alone.LSN == "" {
		t.Errorf("recorded: %+v", r)
	}
	old := g.pid(t, "primary")
	if err := syscall.Kill(old, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for _, pid := range stopped {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
	eventually(t, "the primary itself is back", func() bool { return g.pid(t, "primary") != old && g.running("primary") })
	before = l.count()
	eventually(t, "writes go on", func() bool { return l.count() > before+10 })
	l.end()
	l.check(g.CatalogPrimary)
	if s := g.cluster(); s.Primary != "primary" || s.Failovers != 0 {
		t.Errorf("a standby that was behind took over: %+v", s)
	}
	g.awaitSync(t, 1)
}

func metric(t *testing.T, c prometheus.Collector, name string) float64 {
	t.Helper()
	reg := prometheus.NewRegistry()
	if err := reg.Register(c); err != nil {
		t.Fatal(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	return -1
}

func (g *guarded) running(name string) bool {
	for _, s := range g.Supervisor.Status() {
		if s.Name == name {
			return s.State == StateRunning
		}
	}
	return false
}

// children of a process, on Linux.
func children(t *testing.T, pid int) (list []int) {
	t.Helper()
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, f := range files {
		b, _ := os.ReadFile(f)
		for _, s := range strings.Fields(string(b)) {
			var n int
			if _, err := fmt.Sscan(s, &n); err == nil {
				list = append(list, n)
			}
		}
	}
	return list
}

// Whoever decided dies between the decision and the promotion: the next start goes on from what is recorded.
func TestInterruptedFailover(t *testing.T) {
	t.Parallel()
	o := Options{Data: tempData(t), Replicas: 2, Shards: 1}
	g := upGuarded(t, o)
	g.awaitSync(t, 2)
	l := writeLedger(t, g.CatalogPrimary, 2)
	eventually(t, "writes", func() bool { return l.count() > 50 })
	l.end()
	f := g.Layout.clusters[0].roles
	g.Failover.Stop()
	g.down(t)
	if err := f.change("test", func(r *roles) { r.Primary, r.Safe, r.Demoted = 1, false, []int{0} }); err != nil {
		t.Fatal(err)
	}
	g = upGuarded(t, o)
	if g.PrimaryNames[0] != "replica-1" {
		t.Errorf("the primary is %s", g.PrimaryNames[0])
	}
	l.check(g.CatalogPrimary)
	g.awaitSync(t, 2)
	if r := g.Layout.clusters[0].roles.get(); len(r.Demoted) != 0 {
		t.Errorf("recorded: %+v", r)
	}
	again := writeLedger(t, g.CatalogPrimary, 1)
	eventually(t, "writes", func() bool { return again.count() > 10 })
}

func TestFewerReplicasThanThePrimarysNumber(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	b, _ := json.Marshal(roles{Primary: 2})
	if err := os.WriteFile(filepath.Join(root, "roles1.json"), b, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"primary1", "replica1-1", "replica1-2"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for replicas, want := range map[int]string{2: "[primary replica-1 replica-2]", 1: "[primary replica-2]", 0: "[replica-2]"} {
		c, err := newCluster(1, replicas, pg.Server{}, root)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, m := range c.servers {
			names = append(names, m.name)
		}
		if fmt.Sprint(names) != want || c.primary().name != "replica-2" {
			t.Errorf("%d replicas: %v, the primary is %s", replicas, names, c.primary().name)
		}
		if replicas == 0 {
			if err := c.dropOld(); err != nil {
				t.Fatal(err)
			}
		}
	}
	gone(t, filepath.Join(root, "primary1"))
	if _, err := os.Stat(filepath.Join(root, "replica1-2")); err != nil {
		t.Error("the primary's data was dropped")
	}
	if err := os.WriteFile(filepath.Join(root, "roles1.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := newCluster(1, 2, pg.Server{}, root); err == nil {
		t.Error("broken roles were taken for none")
	}
}
