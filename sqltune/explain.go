package sqltune

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/stampede-shop/stampede/sqltune/find"
	"github.com/stampede-shop/stampede/sqltune/plan"
	"github.com/stampede-shop/stampede/sqltune/schema"
	"github.com/stampede-shop/stampede/sqltune/sqltext"
)

// ExplainOptions say how a statement is explained; the zero value works.
type ExplainOptions struct {
	Limits
	// PlanOnly explains without running.
	PlanOnly bool
	// RunWrites runs statements that write, too, and rolls back. They take their locks and leave dead rows behind.
	RunWrites bool
	// Find has the thresholds of findings.
	Find find.Options
}

// Explain explains one statement and looks through its plan. Reads are run, unless told otherwise; a statement with parameters and no
// values gets the plan that serves any.
func Explain(ctx context.Context, conn *pgx.Conn, sql string, o ExplainOptions) (*Report, error) {
	o.defaults()
	sql, kind, err := check(sql)
	if err != nil {
		return nil, err
	}
	s, err := readSchema(ctx, conn, o.Limits)
	if err != nil {
		return nil, err
	}
	note := ""
	run, mayWrite := !o.PlanOnly, false
	switch {
	case hasParams(sql):
		run, note = false, "has parameters: not run, the plan serves any values"
	case kind != sqltext.Read && !o.RunWrites:
		run, note = false, "it writes or locks: not run"
	case kind != sqltext.Read && run:
		mayWrite, note = true, "run and rolled back"
	case !run:
		note = "not run"
	}
	p, err := explained(ctx, conn, sql, s.Version, run, mayWrite, o.Limits)
	if err != nil {
		return nil, err
	}
	r := newReport(p, sql, s, o.Find)
	r.Note = note
	return r, nil
}

func readSchema(ctx context.Context, conn *pgx.Conn, l Limits) (s *schema.Schema, err error) {
	err = rolledBack(ctx, conn, l, false, func(ctx context.Context, tx pgx.Tx) error {
		s, err = schema.Read(ctx, tx)
		return err
	})
	return s, err
}

func explained(ctx context.Context, conn *pgx.Conn, sql string, version int, run, mayWrite bool, l Limits) (p *plan.Plan, err error) {
	err = rolledBack(ctx, conn, l, mayWrite, func(ctx context.Context, tx pgx.Tx) error {
		if hasParams(sql) {
			p, err = genericPlan(ctx, tx, sql, version)
			return err
		}
		p, err = explain(ctx, tx, sql, options(version, run))
		return err
	})
	return p, timedOut(err, l)
}

// timedOut says what to do about a statement that was ended by its time-out.
func timedOut(err error, l Limits) error {
	var e *pgconn.PgError
	if errors.As(err, &e) && e.Code == "57014" {
		return fmt.Errorf("the statement was ended after %s: allow it more, or look at its plan alone: %w", l.Timeout, err)
	}
	return err
}

// options of EXPLAIN that a version has.
func options(version int, run bool) string {
	o := "VERBOSE, FORMAT JSON"
	if version >= 120000 {
		o += ", SETTINGS"
	}
	if run {
		o += ", ANALYZE, BUFFERS"
	}
	return o
}

// explain sends one statement as such: the server refuses a text of several.
func explain(ctx context.Context, tx pgx.Tx, sql, options string) (*plan.Plan, error) {
	var doc []byte
	if err := tx.QueryRow(ctx, "EXPLAIN ("+options+") "+sql, pgx.QueryExecModeExec).Scan(&doc); err != nil {
		return nil, err
	}
	plans, err := plan.Parse(doc)
	if err != nil {
		return nil, err
	}
	return plans[0], nil
}

// names are given to prepared statements once each: one that could not be freed in a transaction that had failed is not met again.
var names atomic.Int64

// genericPlan is the plan that serves any values of a statement's parameters.
func genericPlan(ctx context.Context, tx pgx.Tx, sql string, version int) (p *plan.Plan, err error) {
	err = prepare(ctx, tx, sql, func(name string, types []string) error {
		if _, err := tx.Exec(ctx, "SET LOCAL plan_cache_mode = force_generic_plan"); err != nil {
			return err
		}
		nulls := make([]string, len(types))
		for i := range nulls {
			nulls[i] = "NULL"
		}
		p, err = explain(ctx, tx, execute(name, nulls), options(version, false))
		return err
	})
	return p, err
}

// execute runs a prepared statement with values that are SQL.
func execute(name string, values []string) string {
	if len(values) == 0 {
		return "EXECUTE " + name
	}
	return "EXECUTE " + name + " (" + strings.Join(values, ", ") + ")"
}

// prepare prepares a statement for the time of fn, which gets its name and the types of its parameters.
func prepare(ctx context.Context, tx pgx.Tx, sql string, fn func(name string, types []string) error) error {
	name := fmt.Sprintf("stampede_query_%d", names.Add(1))
	rows, err := tx.Query(ctx, "PREPARE "+name+" AS "+sql, pgx.QueryExecModeExec) // not Exec: that would take several statements
	if err != nil {
		return err
	}
	rows.Close()
	if err := rows.Err(); err != nil {
		return err
	}
	defer func() { // fails in a transaction that has failed; the name goes with the connection then
		_, _ = tx.Exec(context.WithoutCancel(ctx), "DEALLOCATE "+name)
	}()
	var types []string
	err = tx.QueryRow(ctx, "SELECT parameter_types::text[] FROM pg_prepared_statements WHERE name = $1", name).Scan(&types)
	if err != nil {
		return err
	}
	return fn(name, types)
}
