package sqltune

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
)

// Target is a database on which indexes are created: the catalogue, or one of the shards.
type Target struct {
	Name string
	DSN  string
}

// ApplyOptions say when an index is kept; the zero value works.
type ApplyOptions struct {
	Limits
	// Build is how long creating an index may take on one target. Default 30 min.
	Build time.Duration
	// MinGain is by which part the p95 of the statements that an index is for has to fall. Default 0.1.
	MinGain float64
	// WriteBudget is how much more a written row may cost, as a part of what it costs now. Default 0.5.
	WriteBudget float64
	// Runs of each statement. Default 40.
	Runs int
	// Report hears of each step; may be nil.
	Report func(format string, args ...any)
}

func (o *ApplyOptions) defaults() {
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	o.Limits.defaults()
	o.Build = cmp.Or(o.Build, 30*time.Minute)
	o.MinGain, o.WriteBudget, o.Runs = cmp.Or(o.MinGain, 0.1), cmp.Or(o.WriteBudget, 0.5), cmp.Or(o.Runs, 40)
	if o.Report == nil {
		o.Report = func(string, ...any) {}
	}
}

func (o *ApplyOptions) pace() pace { return pace{runs: o.Runs, least: 5, most: o.Timeout} }

// ErrBusy says that somebody else is trying indexes on the same database.
var ErrBusy = errors.New("somebody else is creating indexes here")

// Connect opens a connection on which a statement whose context ends is ended on the server as well.
func Connect(ctx context.Context, dsn string) (*pgx.Conn, error) {
	c, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	c.ConnectTimeout = 5 * time.Second
	c.RuntimeParams["application_name"] = "stampede query"
	c.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: endAfter}
	}
	return pgx.ConnectConfig(ctx, c)
}

// Apply tries proposals one by one: on each target it measures the statements of the workload, creates the index CONCURRENTLY, and
// measures them again. An index is kept on all targets when the p95 of what it is for falls, nothing else gets much slower and writes
// stay within the budget; else it is dropped from all. The first target decides alone when it says no.
//
// However Apply ends, no index on trial is left; what a process that was killed has left is dropped by the next call.
func Apply(ctx context.Context, targets []Target, work []Statement, proposals []Proposal, o ApplyOptions) ([]Verdict, error) {
	o.defaults()
	a := &applier{o: o, work: work, tables: map[string]bool{}}
	for _, p := range proposals {
		a.tables[p.TableName()] = true
	}
	defer a.close()
	for _, t := range targets {
		if err := a.open(ctx, t); err != nil {
			return nil, fmt.Errorf("%s: %w", t.Name, err)
		}
	}
	if err := a.settle(ctx); err != nil {
		return nil, err
	}
	var verdicts []Verdict
	for _, p := range proposals {
		v, err := a.try(ctx, p)
		if err != nil {
			return verdicts, fmt.Errorf("%s: %w", p.Name, errors.Join(ctx.Err(), err))
		}
		verdicts = append(verdicts, v)
	}
	return verdicts, nil
}

// applier tries indexes on targets.
type applier struct {
	o      ApplyOptions
	work   []Statement
	tables map[string]bool // that indexes are proposed for
	on     []*site
}

// site is a target that is connected and locked.
type site struct {
	Target
	conn    *pgx.Conn
	replays []replayed
}

// lockKey is that of the advisory lock that whoever tries indexes holds.
const lockKey = 0x73746d7064 // "stmpd"

func (a *applier) open(ctx context.Context, t Target) error {
	conn, err := Connect(ctx, t.DSN)
	if err != nil {
		return err
	}
	s := &site{Target: t, conn: conn}
	a.on = append(a.on, s)
	var free bool
	if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", int64(lockKey)).Scan(&free); err != nil {
		return err
	}
	if !free {
		return ErrBusy
	}
	if err := a.sweep(ctx, s); err != nil {
		return err
	}
	var skipped []Skipped
	s.replays, skipped, err = bindAll(ctx, conn, a.work, a.tables, a.o.Runs, a.o.Limits)
	for _, k := range skipped {
		a.o.Report("%s: not replayed: %s (%s)", t.Name, short(k.SQL), k.Why)
	}
	return err
}

func (a *applier) close() {
	for _, s := range a.on {
		ctx, cancel := context.WithTimeout(context.Background(), endAfter)
		// A server ends a session some time after its connection; who comes next shall not find the lock of one who has gone.
		_, _ = s.conn.Exec(ctx, "SELECT pg_advisory_unlock_all()")
		_ = s.conn.Close(ctx)
		cancel()
	}
}
