package localtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/local/pg"
	"github.com/stampede-shop/stampede/internal/local/proc"
)

const stopTimeout = 15 * time.Second

// PostgresOptions choose what a server of a test's own is like.
type PostgresOptions struct {
	Durable  bool              // force to disk (fsync, full pages), for tests about durability itself
	Settings map[string]string // more lines for postgresql.conf
}

// PostgresServer is a running throw-away PostgreSQL. Safe for concurrent use, except for Kill, Restart,
// Pause and Resume, which are for one goroutine at a time.
type PostgresServer struct {
	b      *bench
	server *pg.Server
	dir    string
	child  *proc.Child

	standbys atomic.Int64 // that were made of it
}

type sharedPostgres struct {
	once sync.Once
	s    *PostgresServer
	err  error
}

// Postgres returns the test binary's one primary, started on first use. Tests that stop it, change its
// settings or count its connections take one of their own with PostgresWith.
func Postgres(tb testing.TB) *PostgresServer {
	tb.Helper()
	b := need(tb)
	from, bin := b.tmpl.get(tb, b)
	b.shared.once.Do(func() {
		b.shared.s, b.shared.err = b.newPostgres(from, bin, pg.Throwaway(), nil)
		if b.shared.err == nil {
			b.onClose(b.shared.s.stop)
		}
	})
	if b.shared.err != nil {
		tb.Fatalf("localtest: start PostgreSQL: %v", b.shared.err)
	}
	return b.shared.s
}

// PostgresWith starts a primary for this test alone and stops it at the end of the test.
func PostgresWith(tb testing.TB, o PostgresOptions) *PostgresServer {
	tb.Helper()
	set := pg.Throwaway()
	if o.Durable {
		set = set.With(pg.Settings{"fsync": "on", "full_page_writes": "on"})
	}
	return start(tb, set.With(o.Settings), nil)
}

func start(tb testing.TB, set pg.Settings, primary *PostgresServer) *PostgresServer {
	tb.Helper()
	b := need(tb)
	from, bin := b.tmpl.get(tb, b)
	p, err := b.newPostgres(from, bin, set, primary)
	if err != nil {
		tb.Fatalf("localtest: start PostgreSQL: %v", err)
	}
	tb.Cleanup(func() {
		p.stop()
		_ = os.RemoveAll(p.dir)
	})
	return p
}

// slot makes a replication slot for one more standby.
func (p *PostgresServer) slot() (string, error) {
	ctx, cancel := background()
	defer cancel()
	name := fmt.Sprintf("replica%d", p.standbys.Add(1))
	return name, p.server.EnsureSlot(ctx, name)
}

// newPostgres clones the template and starts a primary, or a standby of the given primary.
func (b *bench) newPostgres(from string, bin pg.Binaries, set pg.Settings, primary *PostgresServer) (*PostgresServer, error) {
	dir, err := b.folder("pg")
	if err != nil {
		return nil, err
	}
	p := &PostgresServer{b: b, dir: dir, server: &pg.Server{
		Bin: bin, User: b.user, DataDir: filepath.Join(dir, "d"), SocketDir: filepath.Join(dir, "s"), Port: 5432}}
	if err := b.user.Mkdir(p.server.SocketDir); err != nil {
		return nil, err
	}
	if err := p.server.CopyStopped(context.Background(), &pg.Server{DataDir: from}, false); err != nil {
		return nil, err
	}
	if primary != nil {
		slot, err := primary.slot()
		if err != nil {
			return nil, err
		}
		set = set.With(pg.FollowSettings(primary.server, slot, slot))
		if err := p.server.MarkStandby(); err != nil {
			return nil, err
		}
	}
	if err := p.server.Configure(set); err != nil {
		return nil, err
	}
	return p, p.run()
}

func (p *PostgresServer) run() error {
	child, err := p.b.start(p.dir, p.server.Command(), pg.DeathSignal)
	if err != nil {
		return err
	}
	p.child = child
	ctx, cancel := background()
	defer cancel()
	if err := p.server.WaitReady(ctx, child.Done()); err != nil {
		p.stop()
		return describe(err, p.dir)
	}
	return nil
}

func (p *PostgresServer) stop() {
	ctx, cancel := background()
	defer cancel()
	_ = p.child.Signal(syscall.SIGCONT) // it may have been left paused
	p.child.Stop(ctx, pg.DeathSignal, stopTimeout)
}

var databases atomic.Int64

// Database makes an empty database, drops it at the end of the test (whoever is connected then), and
// returns its connection string: a URL to which &name=value can be added. The role owns the database
// and is no superuser.
func (p *PostgresServer) Database(tb testing.TB) string {
	tb.Helper()
	name := fmt.Sprintf("test%d", databases.Add(1))
	ctx, cancel := background()
	defer cancel()
	if err := p.server.EnsureDatabase(ctx, name); err != nil {
		tb.Fatalf("localtest: make a database: %v", err)
	}
	tb.Cleanup(func() {
		select {
		case <-p.child.Done(): // a test's own server may be gone already
			return
		default:
		}
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		if err := p.server.DropDatabase(ctx, name); err != nil {
			tb.Errorf("localtest: drop a database: %v", err)
		}
	})
	return p.server.DSN(name)
}

// AdminDSN is the superuser's connection string of the maintenance database.
func (p *PostgresServer) AdminDSN() string { return p.server.AdminDSN("postgres") }

// WithReplica starts a primary and one streaming standby for this test alone and returns the
// connection strings of an empty database on each. The standby has the database when it returns.
func (p *PostgresServer) WithReplica(tb testing.TB) (primaryDSN, replicaDSN string) {
	tb.Helper()
	pair := Replicated(tb)
	return pair.PrimaryDSN, pair.ReplicaDSN
}
