package replica

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrUnknown means that a commit was sent and that its outcome was not heard. The transaction may stand or not: ask by what identifies
// the write (an idempotency key) before it is made again.
var ErrUnknown = errors.New("replica: the commit's outcome is unknown")

// errOwnCommit is what Commit and Rollback of a transaction in Write answer.
var errOwnCommit = errors.New("replica: Write ends the transaction")

// Write runs fn in a transaction on the primary and commits it. While there is no primary, during a failover, it waits, up to
// WriteWait: whatever breaks before the commit is sent is run again, so fn must start afresh each time and have no other effects. A
// commit that was sent and not answered is ErrUnknown and never repeated. The commit's position goes to ctx's Collector.
func (s *Set) Write(ctx context.Context, fn func(ctx context.Context, tx pgx.Tx) error) error {
	return s.WriteTx(ctx, pgx.TxOptions{}, fn)
}

// WriteTx is Write with a choice of isolation.
func (s *Set) WriteTx(ctx context.Context, o pgx.TxOptions, fn func(ctx context.Context, tx pgx.Tx) error) error {
	giveUp := time.Now().Add(s.g.o.WriteWait)
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, 250*time.Millisecond) {
		lsn, err := s.writeOnce(ctx, o, fn)
		if err == nil {
			if lsn != 0 {
				CollectorFrom(ctx).Record(s.name, lsn)
			}
			return nil
		}
		var lost *noPrimary
		if !errors.As(err, &lost) {
			return err
		}
		signal(s.g.writer.poke)
		if time.Now().Add(pause).After(giveUp) || !sleep(ctx, pause/2+rand.N(pause)) {
			return lost.err
		}
		s.g.counts.writeRetries.Add(1)
	}
}

// noPrimary is a failure that left no trace: the write may be made again.
type noPrimary struct{ err error }

func (e *noPrimary) Error() string { return e.err.Error() }

func (e *noPrimary) Unwrap() error { return e.err }

func (s *Set) writeOnce(ctx context.Context, o pgx.TxOptions, fn func(ctx context.Context, tx pgx.Tx) error) (LSN, error) {
	conn, err := s.primary.pool.Acquire(ctx)
	if err != nil {
		return 0, beforeCommit(ctx, err)
	}
	defer conn.Release() // one that is still in a transaction is closed
	tx, err := conn.BeginTx(ctx, o)
	if err != nil {
		return 0, beforeCommit(ctx, err)
	}
	if err := fn(ctx, writeTx{tx}); err != nil {
		rctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = tx.Rollback(rctx)
		return 0, beforeCommit(ctx, err)
	}
	return s.commit(ctx, conn)
}

// beforeCommit marks what may be tried again: the server failed, or is not the primary (any more).
func beforeCommit(ctx context.Context, err error) error {
	var pg *pgconn.PgError
	if ctx.Err() == nil && (connectionFailed(err) || errors.As(err, &pg) && pg.Code == "25006") {
		return &noPrimary{err}
	}
	return err
}

// commitSQL also learns the commit's position, in the same round trip: whether it waits for the disk, the commit, the log before
// and behind the disk.
const commitSQL = "SELECT current_setting('synchronous_commit'); COMMIT; SELECT pg_current_wal_flush_lsn()::text, pg_current_wal_insert_lsn()::text"

func (s *Set) commit(ctx context.Context, conn *pgxpool.Conn) (LSN, error) {
	res, err := conn.Conn().PgConn().Exec(ctx, commitSQL).ReadAll()
	if len(res) > 1 && res[1].Err == nil && res[1].CommandTag.String() != "" {
		if res[1].CommandTag.String() != "COMMIT" {
			return 0, pgx.ErrTxCommitRollback
		}
		return committedAt(res), nil
	}
	var pg *pgconn.PgError
	switch fromServer := errors.As(err, &pg); {
	case fromServer && pg.Code == "25P02": // fn went on after a statement had failed
		return 0, pgx.ErrTxCommitRollback
	case fromServer && pg.SeverityUnlocalized != "FATAL" && pg.SeverityUnlocalized != "PANIC":
		return 0, err // refused: a deferred constraint, a serialization failure
	case !fromServer && pgconn.SafeToRetry(err):
		return 0, beforeCommit(ctx, err) // it was never sent
	}
	s.g.counts.unknown.Add(1)
	return 0, fmt.Errorf("%w: %w", ErrUnknown, err)
}

// committedAt is the position of a commit that succeeded; MaxLSN when the answer was cut off after it.
func committedAt(res []*pgconn.Result) LSN {
	if len(res) != 3 || len(res[0].Rows) != 1 || len(res[2].Rows) != 1 {
		return MaxLSN
	}
	at := res[2].Rows[0][0]
	if string(res[0].Rows[0][0]) == "off" {
		at = res[2].Rows[0][1]
	}
	l, err := ParseLSN(string(at))
	if err != nil {
		return MaxLSN
	}
	return l.settle()
}

// writeTx is a transaction that Write ends.
type writeTx struct{ pgx.Tx }

func (writeTx) Commit(context.Context) error { return errOwnCommit }

func (writeTx) Rollback(context.Context) error { return errOwnCommit }
