package chaoslab

import (
	"bufio"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/stampede-shop/stampede/chaos"
	"github.com/stampede-shop/stampede/internal/local"
	"github.com/stampede-shop/stampede/internal/local/localtest"
)

// Faults of real servers are seen by whoever uses them, end when they are undone, and can be undone by another process.
func TestDatabaseFaults(t *testing.T) {
	t.Parallel()
	pair := localtest.Replicated(t)
	layout := &local.Layout{CatalogServers: []local.Named{{Name: "primary", DSN: pair.PrimaryDSN}, {Name: "replica-1", DSN: pair.ReplicaDSN}},
		Shards: []local.Shard{{ID: "shard1", DSN: pair.PrimaryDSN}}}
	primary, replica := connectTo(t, pair.PrimaryDSN), connectTo(t, pair.ReplicaDSN)
	if _, err := primary.Exec(t.Context(), "CREATE TABLE orders (id int)"); err != nil {
		t.Fatal(err)
	}
	insert := func() error { _, err := primary.Exec(t.Context(), "INSERT INTO orders VALUES (1)"); return err }
	full := func() bool {
		var e *pgconn.PgError
		return errors.As(insert(), &e) && e.Code == "53100"
	}
	shows := func(c *pgx.Conn, query, want string) func() bool {
		return func() bool {
			var got string
			err := c.QueryRow(t.Context(), query).Scan(&got)
			return err == nil && got == want
		}
	}
	for _, f := range DatabaseFaults(layout) {
		params, broken := map[string]string{"database": "shard1"}, full
		switch f.Name {
		case replicaPauseFault:
			params, broken = map[string]string{"target": "replica-1"}, shows(replica, "SELECT pg_is_wal_replay_paused()::text", "true")
		case diskSlowFault:
			params, broken = map[string]string{"target": "primary", "delay": "1ms"}, shows(primary, "SHOW commit_delay", "1000")
		}
		t.Run(f.Name, func(t *testing.T) { doAndUndo(t, f, params, broken) })
		if err := insert(); err != nil {
			t.Errorf("after %s: %v", f.Name, err)
		}
	}
}

func connectTo(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(t.Context()) })
	return c
}

// doAndUndo undoes a fault once as its injector does, and once as whoever comes after one that was killed.
func doAndUndo(t *testing.T, f chaos.Fault, params map[string]string, broken func() bool) {
	var reg chaos.Registry
	var state []byte
	plan := f.Plan
	if _, err := plan(t.Context(), chaos.Values{"target": "nobody", "database": "nowhere", "delay": "1ms"}); !errors.Is(err, chaos.ErrParams) {
		t.Errorf("of nobody: %v", err)
	}
	reg.Add(f)
	in, err := chaos.New(&reg, chaos.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := in.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	p, err := plan(t.Context(), params)
	if err == nil {
		state, err = json.Marshal(p.State)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, undo := range []func() error{func() error { return in.Stop(t.Context()) }, func() error { return f.Recover(t.Context(), state) }} {
		if broken() {
			t.Error("broken before")
		}
		if _, err := in.Inject(t.Context(), chaos.Request{Fault: f.Name, Params: params}); err != nil {
			t.Fatal(err)
		}
		localtest.Eventually(t, "it is broken", broken)
		if err := undo(); err != nil {
			t.Fatal(err)
		}
		localtest.Eventually(t, "it is whole", func() bool { return !broken() })
		if err := in.Stop(t.Context()); err != nil { // of what was undone from elsewhere
			t.Error(err)
		}
	}
}

func TestCacheFlush(t *testing.T) {
	t.Parallel()
	r := localtest.Redis(t)
	conn, err := net.Dial("tcp", r.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	answers := bufio.NewReader(conn)
	say := func(command string) string {
		if _, err := conn.Write([]byte(command + "\r\n")); err != nil {
			t.Fatal(err)
		}
		line, err := answers.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(line)
	}
	say("SET k v")
	f := CacheFault(&local.Layout{RedisNodes: []local.Redis{{Addr: r.Addr}}})
	p, err := f.Plan(t.Context(), chaos.Values{"every": "100ms"})
	if err != nil {
		t.Fatal(err)
	}
	undo, err := p.Inject(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := say("EXISTS k"); got != ":0" {
		t.Errorf("emptied, and the key is there: %s", got)
	}
	say("SET k v")
	localtest.Eventually(t, "it is emptied again", func() bool { return say("EXISTS k") == ":0" })
	if err := undo(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := f.Plan(t.Context(), chaos.Values{"every": "1ms"}); !errors.Is(err, chaos.ErrParams) {
		t.Errorf("without a pause: %v", err)
	}
}
