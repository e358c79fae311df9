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

// Replicated starts a primary and a streaming standby for this test alone. When it returns the standby
// has the database.
func Replicated(tb testing.TB) *Pair {
	tb.Helper()
	ctx, cancel := background()
	defer cancel()
	primary := start(tb, pg.Throwaway(), nil)
	if err := primary.server.EnsureSlot(ctx, slot); err != nil {
		tb.Fatalf("localtest: %v", err)
	}
	replica := start(tb, pg.Throwaway(), primary)
	const name = "test"
	if err := primary.server.EnsureDatabase(ctx, name); err != nil {
		tb.Fatalf("localtest: make a database: %v", err)
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := replica.server.Admin(ctx, name, func(*pgx.Conn) error { return nil })
		if err == nil {
			break
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			tb.Fatalf("localtest: the standby does not follow: %v", err)
		}
	}
	return &Pair{Primary: primary, Replica: replica, PrimaryDSN: primary.server.DSN(name), ReplicaDSN: replica.server.DSN(name)}
}
