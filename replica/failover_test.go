package replica_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stampede-shop/stampede/internal/local/localtest"
	"github.com/stampede-shop/stampede/replica"
)

// anyOf joins the DSNs of servers to one that leads to whichever accepts writes.
func anyOf(t *testing.T, dsns ...string) string {
	t.Helper()
	var hosts, ports []string
	var u *url.URL
	for _, dsn := range dsns {
		var err error
		if u, err = url.Parse(dsn); err != nil {
			t.Fatal(err)
		}
		hosts, ports = append(hosts, u.Query().Get("host")), append(ports, u.Query().Get("port"))
	}
	q := u.Query()
	q.Set("host", strings.Join(hosts, ","))
	q.Set("port", strings.Join(ports, ","))
	q.Set("target_session_attrs", "read-write")
	u.RawQuery = q.Encode()
	return u.String()
}

// following is a Set whose writes go to whichever server is the primary, and whose nodes are both servers.
func following(t *testing.T, pair *localtest.Pair, fence *replica.Fence) *replica.Set {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(anyOf(t, pair.PrimaryDSN, pair.ReplicaDSN))
	if err != nil {
		t.Fatal(err)
	}
	fence.Guard(cfg)
	p, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	s := replica.New(p, []replica.Replica{{Name: "a", Pool: pool(t, pair.PrimaryDSN)}, {Name: "b", Pool: pool(t, pair.ReplicaDSN)}},
		patient(replica.Options{Fence: fence, Interval: 200 * time.Millisecond}))
	t.Cleanup(s.Close)
	return s
}

func TestRouterFollowsAFailover(t *testing.T) {
	t.Parallel()
	pair := localtest.Replicated(t)
	fence := &replica.Fence{}
	s := following(t, pair, fence)
	f := &fixture{Pair: pair, set: s, t: t}
	f.exec(s.Primary(), "CREATE TABLE n (v int NOT NULL)")
	f.exec(s.Primary(), "INSERT INTO n VALUES (0)")
	f.require()
	f.eventually("the standby is in use, the primary is not taken for one", func() bool {
		node, _ := f.read()
		st := s.Status()
		return node == "b" && st[1].Role == "primary" && !st[1].Healthy && fence.Timeline() == 1
	})
	ctx, c := replica.WithCollector(t.Context())
	write := func() error {
		return s.Write(ctx, func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "UPDATE n SET v = v + 1")
			return err
		})
	}
	if err := write(); err != nil {
		t.Fatal(err)
	}
	f.eventually("replayed", func() bool { _, v := f.read(); return v == 1 })
	pair.Primary.Kill()
	wrote := make(chan error, 1)
	go func() { wrote <- write() }()
	f.exec(pool(t, pair.Replica.AdminDSN()), "SELECT pg_promote(true)")
	if err := <-wrote; err != nil {
		t.Fatalf("a write during the failover: %v", err)
	}
	f.eventually("the router follows", func() bool { st := s.Status(); return st[0].Healthy && st[0].Timeline == 2 && st[2].Role == "primary" })
	var v int
	if err := s.View(replica.WithToken(t.Context(), c.Token()), func(ctx context.Context, db replica.Reader) error {
		return db.QueryRow(ctx, "SELECT v FROM n").Scan(&v)
	}); err != nil || v != 2 {
		t.Errorf("read %d, %v", v, err)
	}
	// The old primary comes back and does not know: it accepts writes, and gets none.
	pair.Primary.Restart(t)
	for range 20 {
		if err := write(); err != nil {
			t.Fatal(err)
		}
		s.Primary().Reset()
	}
	f.eventually("it is known for what it is", func() bool { return strings.Contains(s.Status()[1].Reason, "timeline") })
	if err := pool(t, pair.PrimaryDSN).QueryRow(t.Context(), "SELECT v FROM n").Scan(&v); err != nil || v != 1 {
		t.Errorf("the old primary has %d, %v", v, err)
	}
}
