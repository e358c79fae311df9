package replica

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/multitracer"
	"github.com/jackc/pgx/v5/pgconn"
)

// gateTracer tells a Gate of connections that failed.
type gateTracer struct{ g *Gate }

var (
	_ pgx.BatchTracer    = gateTracer{}
	_ pgx.CopyFromTracer = gateTracer{}
	_ pgx.PrepareTracer  = gateTracer{}
	_ pgx.ConnectTracer  = gateTracer{}
)

// beside is the Gate's tracer together with another.
func (g *Gate) beside(t pgx.QueryTracer) pgx.QueryTracer {
	if t == nil {
		return gateTracer{g}
	}
	return multitracer.New(gateTracer{g}, t)
}

const epochKey = "stampede.epoch"

// check looks at how something on a connection ended. What the caller's own context ended says nothing about the server.
func (t gateTracer) check(ctx context.Context, conn *pgx.Conn, err error) {
	if err == nil || ctx.Err() != nil || !connectionFailed(err) {
		return
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "53300" { // the server is fine, and full
		return
	}
	epoch, _ := conn.PgConn().CustomData()[epochKey].(int64)
	t.g.lost(epoch)
}

// TraceConnectStart has nothing to note.
func (gateTracer) TraceConnectStart(ctx context.Context, _ pgx.TraceConnectStartData) context.Context {
	return ctx
}

// TraceConnectEnd marks a new connection with the epoch it is of.
func (t gateTracer) TraceConnectEnd(ctx context.Context, data pgx.TraceConnectEndData) {
	switch {
	case data.Err == nil:
		data.Conn.PgConn().CustomData()[epochKey] = t.g.epoch.Load()
	case ctx.Err() == nil && connectionFailed(data.Err):
		t.g.failed.Add(1)
	}
}

// TraceQueryStart has nothing to note.
func (gateTracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}

// TraceQueryEnd looks at a statement.
func (t gateTracer) TraceQueryEnd(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryEndData) {
	t.check(ctx, conn, data.Err)
}

// TraceBatchStart has nothing to note.
func (gateTracer) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}

// TraceBatchQuery leaves it to the end of the batch.
func (gateTracer) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

// TraceBatchEnd looks at a batch.
func (t gateTracer) TraceBatchEnd(ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchEndData) {
	t.check(ctx, conn, data.Err)
}

// TraceCopyFromStart has nothing to note.
func (gateTracer) TraceCopyFromStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceCopyFromStartData) context.Context {
	return ctx
}

// TraceCopyFromEnd looks at a copy.
func (t gateTracer) TraceCopyFromEnd(ctx context.Context, conn *pgx.Conn, data pgx.TraceCopyFromEndData) {
	t.check(ctx, conn, data.Err)
}

// TracePrepareStart has nothing to note.
func (gateTracer) TracePrepareStart(ctx context.Context, _ *pgx.Conn, _ pgx.TracePrepareStartData) context.Context {
	return ctx
}

// TracePrepareEnd looks at a preparation.
func (t gateTracer) TracePrepareEnd(ctx context.Context, conn *pgx.Conn, data pgx.TracePrepareEndData) {
	t.check(ctx, conn, data.Err)
}
