package localtest

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/internal/local/pg"
)

// Pair is a primary and its streaming standby, both of which a test may kill, pause and restart.
type Pair struct {
	Primary, Replica       *PostgresServer
	PrimaryDSN, ReplicaDSN string // of one database, empty at first
}

const pairDatabase = "test"

// Replicated starts a primary and a streaming standby for this test alone. When it returns the standby
// has the database.
func Replicated(tb testing.TB) *Pair {
	tb.Helper()
	ctx, cancel := background()
	defer cancel()
	primary := start(tb, pg.Throwaway(), nil)
	replica := start(tb, pg.Throwaway(), primary)
	if err := primary.server.EnsureDatabase(ctx, pairDatabase); err != nil {
		tb.Fatalf("localtest: make a database: %v", err)
	}
	p := &Pair{Primary: primary, Replica: replica, PrimaryDSN: primary.server.DSN(pairDatabase), ReplicaDSN: replica.server.DSN(pairDatabase)}
	replica.awaitDatabase(tb, pairDatabase)
	return p
}

// Standby starts one more, and returns its connection string when it has the database.
func (p *Pair) Standby(tb testing.TB) (*PostgresServer, string) {
	tb.Helper()
	s := start(tb, pg.Throwaway(), p.Primary)
	s.awaitDatabase(tb, pairDatabase)
	return s, s.server.DSN(pairDatabase)
}

// awaitDatabase returns when a standby has a database.
func (p *PostgresServer) awaitDatabase(tb testing.TB, name string) {
	tb.Helper()
	ctx, cancel := background()
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := p.server.Admin(ctx, name, func(*pgx.Conn) error { return nil })
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			tb.Fatalf("localtest: the standby does not follow: %v", err)
		}
	}
}
