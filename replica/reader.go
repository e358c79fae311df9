package replica

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrReadOnly means that code which was given a read-only handle tried to write with it.
var ErrReadOnly = errors.New("replica: this handle only reads")

// Reader is a database for reading, good for the duration of the function it is handed to. It has no Exec, and the connections
// behind it refuse statements that write (SQLSTATE 25006).
type Reader struct {
	pool *pgxpool.Pool
	node string
}

// Node is the name of the server that it reads from.
func (r Reader) Node() string { return r.node }

// Query is pgx's Query.
func (r Reader) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return r.pool.Query(ctx, sql, args...)
}

// QueryRow is pgx's QueryRow.
func (r Reader) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return r.pool.QueryRow(ctx, sql, args...)
}

// SendBatch is pgx's SendBatch.
func (r Reader) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	return r.pool.SendBatch(ctx, b)
}

// Snapshot runs fn in one transaction: all its statements see the same state.
func (r Reader) Snapshot(ctx context.Context, fn func(ctx context.Context, tx pgx.Tx) error) error {
	o := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	return pgx.BeginTxFunc(ctx, r.pool, o, func(tx pgx.Tx) error { return fn(ctx, tx) })
}

// Generated is the handle for code made by sqlc, which wants an Exec: that one answers ErrReadOnly.
func (r Reader) Generated() Generated { return Generated{r} }

// Generated is a Reader with the methods that generated code asks for.
type Generated struct{ Reader }

// Exec answers ErrReadOnly.
func (Generated) Exec(context.Context, string, ...any) (pgconn.CommandTag, error) {
	return pgconn.CommandTag{}, ErrReadOnly
}

// CopyFrom answers ErrReadOnly.
func (Generated) CopyFrom(context.Context, pgx.Identifier, []string, pgx.CopyFromSource) (int64, error) {
	return 0, ErrReadOnly
}
