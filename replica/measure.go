package replica

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// replayedSQL fails on purpose (no row) on a server that is not a standby.
const replayedSQL = "SELECT pg_last_wal_replay_lsn()::text WHERE pg_is_in_recovery() AND pg_last_wal_replay_lsn() IS NOT NULL"

var errNotReplica = errors.New("replica: the server is not replaying a log")

// measure asks one node over the checker's own connection, which it opens when there is none.
func (s *Set) measure(ctx context.Context, n *node, sql string) (LSN, error) {
	ctx, cancel := context.WithTimeout(ctx, s.o.CheckTimeout)
	defer cancel()
	if n.conn == nil || n.conn.IsClosed() {
		conn, err := connect(ctx, n)
		if err != nil {
			return 0, err
		}
		n.conn = conn
	}
	start := time.Now()
	lsn, err := queryLSN(ctx, n.conn, sql)
	if err != nil {
		return 0, err
	}
	n.strikes = 0
	if reads := n.reads.Load(); reads == n.checked {
		n.observe(time.Since(start)) // an idle node's old latency must not keep it idle for ever
	} else {
		n.checked = reads
	}
	return lsn, nil
}

// replayedNow asks over a connection of its own, from a request.
func replayedNow(ctx context.Context, n *node, timeout time.Duration) (LSN, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := connect(ctx, n)
	if err != nil {
		return 0, err
	}
	defer conn.Close(ctx)
	return queryLSN(ctx, conn, replayedSQL)
}

func connect(ctx context.Context, n *node) (*pgx.Conn, error) {
	cfg := n.pool.Config().ConnConfig.Copy()
	cfg.Tracer = nil // a line or span a second about the checker itself helps nobody
	return pgx.ConnectConfig(ctx, cfg)
}

func queryLSN(ctx context.Context, conn *pgx.Conn, sql string) (LSN, error) {
	var text string
	if err := conn.QueryRow(ctx, sql).Scan(&text); errors.Is(err, pgx.ErrNoRows) {
		return 0, errNotReplica
	} else if err != nil {
		return 0, err
	}
	return ParseLSN(text)
}

func (s *Set) closeConns() {
	ctx, cancel := context.WithTimeout(context.Background(), s.o.CheckTimeout)
	defer cancel()
	for _, n := range append([]*node{s.primary}, s.replicas...) {
		if n.conn != nil {
			_ = n.conn.Close(ctx)
		}
	}
}
