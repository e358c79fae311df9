package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stampede-shop/stampede/internal/postgres/sharddb"
)

// pipe collects generated queries and sends them in one round trip as one implicit transaction: each sees what
// transactions before it committed, all of them take effect or none does.
//
// A query called on it returns nothing yet; collect, called right after it, says where its rows will go.
type pipe struct {
	*sharddb.Queries
	batch pgx.Batch
	last  *pgx.QueuedQuery
}

func newPipe() *pipe {
	p := &pipe{}
	p.Queries = sharddb.New(recorder{p})
	return p
}

// rows are the rows of one query of a pipe, filled when it is sent.
type rows[T any] struct{ all []T }

// collect gathers the rows of the query called last. A struct's fields are filled in the order of the columns.
func collect[T any](p *pipe) *rows[T] { return gather(p, pgx.RowToStructByPos[T]) }

// collectValues gathers the rows of a query with one column.
func collectValues[T any](p *pipe) *rows[T] { return gather(p, pgx.RowTo[T]) }

func gather[T any](p *pipe, scan pgx.RowToFunc[T]) *rows[T] {
	into := &rows[T]{}
	p.last.Query(func(r pgx.Rows) (err error) {
		into.all, err = pgx.CollectRows(r, scan)
		return err
	})
	return into
}

// send runs the collected queries.
func (p *pipe) send(ctx context.Context, pool *pgxpool.Pool) error {
	return pool.SendBatch(ctx, &p.batch).Close()
}

// sendAny runs the collected queries, if there are any.
func (p *pipe) sendAny(ctx context.Context, pool *pgxpool.Pool) error {
	if p.batch.Len() == 0 {
		return nil
	}
	return p.send(ctx, pool)
}

// recorder is the database that a pipe's generated queries believe to talk to.
type recorder struct{ p *pipe }

func (r recorder) queue(sql string, args []any) { r.p.last = r.p.batch.Queue(sql, args...) }

func (r recorder) Exec(_ context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	r.queue(sql, args)
	return pgconn.CommandTag{}, nil
}

func (r recorder) Query(_ context.Context, sql string, args ...any) (pgx.Rows, error) {
	r.queue(sql, args)
	return noRows{}, nil
}

func (r recorder) QueryRow(_ context.Context, sql string, args ...any) pgx.Row {
	r.queue(sql, args)
	return noRows{}
}

// noRows is the answer that is not there yet.
type noRows struct{ pgx.Rows }

func (noRows) Close()            {}
func (noRows) Err() error        { return nil }
func (noRows) Next() bool        { return false }
func (noRows) Scan(...any) error { return nil }
