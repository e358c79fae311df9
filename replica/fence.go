package replica

import (
	"context"
	"strconv"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Fence remembers the newest timeline of a cluster that this process has seen. PostgreSQL begins a new one with each promotion:
// a primary of an older timeline is one that was replaced and does not know it. The zero value works; one per Group.
type Fence struct {
	timeline atomic.Uint32
}

// Timeline is the newest timeline seen; 0 before the first.
func (f *Fence) Timeline() uint32 { return f.timeline.Load() }

// Observe notes a timeline; false when a newer one is known.
func (f *Fence) Observe(tli uint32) bool {
	for {
		old := f.timeline.Load()
		if tli <= old {
			return tli == old
		}
		if f.timeline.CompareAndSwap(old, tli) {
			return true
		}
	}
}

// Guard makes a pool's connections go only to a primary of the newest timeline. It is to be used on a DSN that names several
// hosts, in place of target_session_attrs: a host that does not fit is passed over. It costs one small query a connection.
func (f *Fence) Guard(c *pgxpool.Config) { c.ConnConfig.ValidateConnect = f.validate }

const whoSQL = `SELECT pg_is_in_recovery(), CASE WHEN NOT pg_is_in_recovery() THEN substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END`

func (f *Fence) validate(ctx context.Context, conn *pgconn.PgConn) error {
	res, err := conn.Exec(ctx, whoSQL).ReadAll()
	if err != nil {
		return err
	}
	if len(res) != 1 || len(res[0].Rows) != 1 || string(res[0].Rows[0][0]) != "f" {
		return errNotPrimary
	}
	tli, err := strconv.ParseUint(string(res[0].Rows[0][1]), 16, 32)
	if err != nil {
		return err
	}
	if !f.Observe(uint32(tli)) {
		return errOldTimeline
	}
	return nil
}
