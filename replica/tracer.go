package replica

import (
	"context"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
)

// QueriesOptions configure Queries; the zero value works.
type QueriesOptions struct {
	// Slow is how long a statement may take before it is logged. Default 200 ms; negative never.
	Slow time.Duration
	// Registerer gets the metrics; nil means none.
	Registerer prometheus.Registerer
	// Logger hears of slow statements; nil discards.
	Logger *slog.Logger
}

// Queries counts and times statements by name and node: the name that sqlc writes into a comment ("-- name: GetCart :one"), or
// the first word of a statement without one. Make one for a process, and a tracer for each pool. It is safe for concurrent use.
type Queries struct {
	o QueriesOptions

	mu      sync.Mutex
	stats   map[queryKey]*queryStat
	fails   map[failKey]uint64
	observe atomic.Pointer[func(context.Context, Queried)]
}

// Queried is a statement that has ended.
type Queried struct {
	Name, Database, Node string
	Took                 time.Duration
	Rows                 int64
	Err                  error
}

// Observe has f called at the end of each statement, with the context that it ran under. f must be quick.
func (q *Queries) Observe(f func(context.Context, Queried)) { q.observe.Store(&f) }

type queryKey struct{ name, database, node string }

const (
	maxTexts = 1024 // of a tracer: statements with values written into them must not fill the memory
	maxStats = 2048
	// OtherStatements is the name of whatever comes after the bounds on names have been reached.
	OtherStatements = "other"
)

// NewQueries registers the metrics.
func NewQueries(o QueriesOptions) *Queries {
	def(&o.Slow, 200*time.Millisecond)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	q := &Queries{o: o, stats: map[queryKey]*queryStat{}, fails: map[failKey]uint64{}}
	if o.Registerer != nil {
		if err := o.Registerer.Register(q); err != nil {
			o.Logger.Warn("query metrics not registered", "error", err)
		}
	}
	return q
}

// Tracer is what a pool's ConnConfig.Tracer is set to; more than one is joined with pgx's multitracer. node is the server that
// the pool leads to.
func (q *Queries) Tracer(database, node string) pgx.QueryTracer {
	return &tracer{q: q, database: database, node: node}
}

type tracer struct {
	q              *Queries
	database, node string
	texts          atomic.Pointer[map[string]statement] // by SQL; a map is not changed, but replaced under the lock of q
}

// statement is what a text is counted as.
type statement struct {
	name string
	stat *queryStat
}

var _ pgx.BatchTracer = (*tracer)(nil)

// traced is the context of one statement on its way.
type traced struct {
	context.Context
	sql   string
	start time.Duration // since birth
}

type traceKey struct{}

// Value is the statement itself, or what it was begun with.
func (t *traced) Value(key any) any {
	if key == (traceKey{}) {
		return t
	}
	return t.Context.Value(key)
}

// TraceQueryStart notes the time.
func (t *tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	return &traced{ctx, data.SQL, time.Since(birth)}
}

// TraceQueryEnd counts the statement.
func (t *tracer) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	if tr, ok := ctx.Value(traceKey{}).(*traced); ok {
		t.done(ctx, tr.sql, time.Since(birth)-tr.start, data.CommandTag.RowsAffected(), data.Err)
	}
}

// TraceBatchStart has nothing to note: each statement is timed by itself.
func (t *tracer) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}

// TraceBatchQuery counts one statement of a batch; its time is that until its result had been read.
func (t *tracer) TraceBatchQuery(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchQueryData) {
	var took time.Duration
	if !data.ReadStartTime.IsZero() {
		took = time.Since(data.ReadStartTime)
	}
	t.done(ctx, data.SQL, took, data.CommandTag.RowsAffected(), data.Err)
}

// TraceBatchEnd has nothing left to do.
func (t *tracer) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

func (t *tracer) done(ctx context.Context, sql string, took time.Duration, rows int64, err error) {
	st := t.statement(sql)
	st.stat.add(took, rows, err != nil)
	if err != nil {
		t.q.failed(t.database, t.node, err)
	}
	if f := t.q.observe.Load(); f != nil {
		(*f)(ctx, Queried{st.name, t.database, t.node, took, rows, err})
	}
	if t.q.o.Slow > 0 && took >= t.q.o.Slow {
		t.q.o.Logger.WarnContext(ctx, "slow query", "statement", st.name, "database", t.database, "node", t.node,
			"took", took, "rows", rows, "error", err, "sql", shorten(sql))
	}
}

// statement is what a text is counted as. It takes no lock for one that is known.
func (t *tracer) statement(sql string) statement {
	if texts := t.texts.Load(); texts != nil {
		if st, ok := (*texts)[sql]; ok {
			return st
		}
	}
	t.q.mu.Lock()
	defer t.q.mu.Unlock()
	st := t.q.statement(queryKey{statementName(sql), t.database, t.node})
	texts := map[string]statement{}
	if known := t.texts.Load(); known != nil {
		if len(*known) >= maxTexts {
			return st
		}
		maps.Copy(texts, *known)
	}
	texts[strings.Clone(sql)] = st
	t.texts.Store(&texts)
	return st
}

// statement finds or makes the figures of a name on a node; under the lock.
func (q *Queries) statement(k queryKey) statement {
	s := q.stats[k]
	if s == nil && len(q.stats) >= maxStats {
		k.name = OtherStatements
		s = q.stats[k]
	}
	if s == nil {
		s = &queryStat{}
		q.stats[k] = s
	}
	return statement{k.name, s}
}

// shorten keeps a log line readable; statements carry no values, those are apart.
func shorten(sql string) string {
	const most = 500
	sql = strings.Join(strings.Fields(sql), " ")
	if len(sql) > most {
		return sql[:most] + "…"
	}
	return sql
}

// statementName is the name in the leading comment, else the first word in lower case.
func statementName(sql string) string {
	sql = strings.TrimSpace(sql)
	if rest, ok := strings.CutPrefix(sql, "-- name:"); ok {
		if f := strings.Fields(rest[:min(len(rest), 200)]); len(f) > 0 {
			return strings.Clone(f[0])
		}
	}
	for strings.HasPrefix(sql, "--") {
		_, sql, _ = strings.Cut(sql, "\n")
		sql = strings.TrimSpace(sql)
	}
	end := strings.IndexFunc(sql, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') })
	if end < 0 {
		end = len(sql)
	}
	if end == 0 || end > 20 {
		return OtherStatements
	}
	return strings.ToLower(sql[:end])
}
