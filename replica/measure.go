package replica

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// measureSQL serves both roles: whether the server is a standby, how far it is, on which timeline, and the seconds since the last
// commit that it replayed. A standby's timeline is that of what it receives, else that of its last checkpoint.
const measureSQL = `SELECT pg_is_in_recovery(),
 COALESCE(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END::text, '0/0'),
 CASE WHEN pg_is_in_recovery() THEN '0/0' ELSE pg_current_wal_insert_lsn()::text END,
 CASE WHEN pg_is_in_recovery() THEN COALESCE((SELECT received_tli FROM pg_stat_wal_receiver), (SELECT timeline_id FROM pg_control_checkpoint()))
  ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END,
 CASE WHEN pg_is_in_recovery() THEN COALESCE(extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()), 0)::float8 ELSE 0 END`

// What can be wrong with a server that answers.
var (
	errNotReplica  = errors.New("replica: the server is not replaying a log")
	errNotPrimary  = errors.New("replica: the server is a standby")
	errOldTimeline = errors.New("replica: the server is on a timeline that was left behind by a failover")
)

// reading is one measurement.
type reading struct {
	standby  bool
	lsn      LSN // replayed; of a primary: forced to disk, which is all that replicas can have
	inserted LSN // of a primary: where the next record goes
	timeline uint32
	delay    time.Duration
}

// measure asks one server over the watcher's own connection, which it opens when there is none.
func (g *Group) measure(ctx context.Context, n *server) (reading, error) {
	ctx, cancel := context.WithTimeout(ctx, g.o.CheckTimeout)
	defer cancel()
	if n.conn == nil || n.conn.IsClosed() {
		conn, err := connect(ctx, n)
		if err != nil {
			return reading{}, err
		}
		n.conn = conn
	}
	start := time.Now()
	r, err := ask(ctx, n.conn)
	if err != nil {
		return r, err
	}
	n.strikes = 0
	if reads := n.ended.Load(); reads == n.checked {
		n.observe(time.Since(start)) // an idle server's old latency must not keep it idle for ever
	} else {
		n.checked = reads
	}
	return r, nil
}

func connect(ctx context.Context, n *server) (*pgx.Conn, error) {
	cfg := n.config.Copy()
	cfg.Tracer = nil // a line or span a second about the checker itself helps nobody
	return pgx.ConnectConfig(context.WithValue(ctx, aside{}, true), cfg)
}

func ask(ctx context.Context, conn *pgx.Conn) (r reading, err error) {
	var text, inserted string
	var seconds float64
	var tli int32
	if err := conn.QueryRow(ctx, measureSQL).Scan(&r.standby, &text, &inserted, &tli, &seconds); err != nil {
		return r, err
	}
	r.timeline, r.delay = uint32(max(tli, 0)), time.Duration(seconds*float64(time.Second)) //nolint:gosec // not negative
	if r.lsn, err = ParseLSN(text); err == nil {
		r.inserted, err = ParseLSN(inserted)
	}
	return r, err
}

func (n *server) hangUp(timeout time.Duration) {
	if n.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	_ = n.conn.Close(ctx)
	n.conn = nil
}
