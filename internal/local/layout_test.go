package local

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stampede-shop/stampede/internal/local/pg"
	"github.com/stampede-shop/stampede/internal/local/proc"
)

func TestPlatformSurvivesKillsAndRestarts(t *testing.T) {
	t.Parallel()
	o := Options{Data: tempData(t), Replicas: 2}
	p := up(t, o)
	if len(p.Shards) != 4 || len(p.CatalogReplicas) != 2 || p.CatalogReplicas[0].Name != "replica-1" {
		t.Fatalf("layout: %+v, %+v", p.Shards, p.CatalogReplicas)
	}
	execSQL(t, p.CatalogPrimary, "CREATE TABLE kept AS SELECT 1 AS n")
	execSQL(t, p.Shards[3].DSN, "CREATE TABLE kept AS SELECT 4 AS n")
	const query = "SELECT count(*) FROM kept"
	p.kill(t, "replica-1")
	p.kill(t, "primary")
	execSQL(t, p.CatalogPrimary, "INSERT INTO kept VALUES (2)")
	for _, r := range p.CatalogReplicas {
		eventually(t, r.Name+" follows", func() bool { return count(t, r.DSN, query) == 2 })
	}
	p.kill(t, "redis")
	redisAddr, natsURL := p.RedisAddr, p.NATS.URL
	sockets := p.sockets
	p.down(t)
	gone(t, sockets)
	gone(t, p.Data.PidFile())

	p = up(t, o)
	if n := count(t, p.CatalogPrimary, query); n != 2 {
		t.Errorf("after a restart the catalogue has %d rows, want 2", n)
	}
	if n := count(t, p.Shards[3].Replicas[1].DSN, query); n != 1 {
		t.Errorf("after a restart the replica of shard4 has %d rows, want 1", n)
	}
	if p.RedisAddr != redisAddr || p.NATS.URL != natsURL {
		t.Errorf("addresses changed over a restart: %s, %s", p.RedisAddr, p.NATS.URL)
	}
	if err := syscall.Kill(p.pid(t, "primary"), 0); err != nil {
		t.Fatal(err)
	}
	requireUnprivileged(t, p.pid(t, "primary"))
}

// requireUnprivileged fails when a process runs as root.
func requireUnprivileged(t *testing.T, pid int) {
	t.Helper()
	info, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid)))
	if err != nil {
		return // no /proc here
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid == 0 {
		t.Errorf("process %d runs as root", pid)
	}
}

func TestEverythingKilledAtOnce(t *testing.T) {
	t.Parallel()
	o := Options{Data: tempData(t), Replicas: 1, Shards: 1}
	p := up(t, o)
	execSQL(t, p.CatalogPrimary, "CREATE TABLE kept AS SELECT 1 AS n")
	// a supervisor that is killed leaves its pid file, and no lock
	pidFile, err := os.ReadFile(p.Data.PidFile())
	if err != nil {
		t.Fatal(err)
	}
	var ids []proc.Identity
	for _, s := range p.Status() {
		id, ok := proc.IdentityOf(s.Pid)
		if !ok {
			t.Fatalf("%s does not run", s.Name)
		}
		ids = append(ids, id)
	}
	for _, id := range ids {
		_ = id.Signal(syscall.SIGKILL)
	}
	p.down(t)
	if err := os.WriteFile(p.Data.PidFile(), pidFile, 0o644); err != nil {
		t.Fatal(err)
	}
	p = up(t, o)
	if n := count(t, p.CatalogPrimary, "SELECT count(*) FROM kept"); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}

func TestChangingTheNumbers(t *testing.T) {
	t.Parallel()
	data := tempData(t)
	p := up(t, Options{Data: data, Replicas: 2, Shards: 2})
	execSQL(t, p.Shards[1].DSN, "CREATE TABLE kept AS SELECT 1 AS n")
	p.down(t)

	p = up(t, Options{Data: data, Replicas: 1, Shards: 3, Clusters: 2})
	if n := count(t, p.CatalogPrimary, "SELECT count(*) FROM pg_replication_slots"); n != 1 {
		t.Errorf("%d slots for one replica", n)
	}
	if n := count(t, p.Shards[1].DSN, "SELECT count(*) FROM kept"); n != 1 {
		t.Error("shard2 lost its table")
	}
	if p.Shards[2].Primary != "primary2" || count(t, p.Shards[2].DSN, "SELECT 1") != 1 {
		t.Errorf("the new shard is on %s", p.Shards[2].Primary)
	}
	p.down(t)

	p = up(t, Options{Data: data, Replicas: 2, Shards: 3, Clusters: 2})
	eventually(t, "the new replica has shard2", func() bool {
		return count(t, p.Shards[1].Replicas[1].DSN, "SELECT count(*) FROM kept") == 1
	})
	p.down(t)

	for _, o := range []Options{{Data: data, Shards: 2, Clusters: 2}, {Data: data, Shards: 3, Clusters: 1}} {
		if _, err := Open(t.Context(), o); !errors.Is(err, ErrFewer) || !strings.Contains(err.Error(), "--fresh") {
			t.Errorf("%d shards on %d primaries: %v", o.Shards, o.Clusters, err)
		}
	}
}

// TestSideBySide runs two platforms at once, one of them, when we are root, in a folder that the
// servers' account cannot reach, and both in folders too deep for a socket.
func TestSideBySide(t *testing.T) {
	t.Parallel()
	closed := filepath.Join(tempData(t), strings.Repeat("deep", 25))
	if err := os.MkdirAll(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	hidden := filepath.Join(closed, "data")
	a := up(t, Options{Data: hidden, Shards: 1})
	b := up(t, Options{Data: filepath.Join(tempData(t), strings.Repeat("deep", 25)), Shards: 1})
	if a.RedisAddr == b.RedisAddr || a.NATS.Port == b.NATS.Port || a.CatalogPrimary == b.CatalogPrimary {
		t.Errorf("they share something: %+v, %+v", a.Layout, b.Layout)
	}
	execSQL(t, a.CatalogPrimary, "CREATE TABLE only_here (n int)")
	if n := count(t, b.CatalogPrimary, "SELECT count(*) FROM only_here"); n != -1 {
		t.Error("one platform sees the other's table")
	}
	if len(a.sockets) > pg.MaxSocketDir {
		t.Errorf("sockets in %s", a.sockets)
	}
	outside, err := a.Data.pointedTo()
	if err != nil || (os.Geteuid() == 0) != (outside != "") {
		t.Errorf("data elsewhere: %q, %v", outside, err)
	}
	sockets := a.sockets
	a.down(t)
	gone(t, sockets)
	open(t, hidden, true)
	if outside != "" {
		gone(t, outside)
	}
}

// TestWhatACrashMayLeave starts over a lock file whose pid belongs to somebody else by now, and with a
// replica whose slot, and with it the log it needs, is gone: it is made anew.
func TestWhatACrashMayLeave(t *testing.T) {
	t.Parallel()
	o := Options{Data: tempData(t), Shards: 1, Replicas: 1}
	p := up(t, o)
	execSQL(t, p.CatalogPrimary, "CREATE TABLE kept AS SELECT 1 AS n")
	p.down(t)
	dropSlot(t, o)
	lock := p.Data.Path("pg", "primary1", "postmaster.pid")
	if err := os.WriteFile(lock, []byte(strconv.Itoa(os.Getppid())+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p = up(t, o)
	execSQL(t, p.CatalogPrimary, "INSERT INTO kept VALUES (2)")
	eventually(t, "the replica follows again", func() bool {
		return count(t, p.CatalogReplicas[0].DSN, "SELECT count(*) FROM kept") == 2
	})
}

// dropSlot runs the primary alone and drops the replica's slot.
func dropSlot(t *testing.T, o Options) {
	t.Helper()
	l, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSupervisor(l.Processes[:1], SupervisorOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p := &platform{l, s}
	defer p.down(t)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	admin := strings.Replace(l.CatalogPrimary, "user="+pg.AppRole, "user="+pg.AdminRole, 1)
	execSQL(t, admin, "SELECT pg_drop_replication_slot('"+slotName(1)+"')")
}
