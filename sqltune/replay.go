package sqltune

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/sqltune/index"
	"github.com/stampede-shop/stampede/sqltune/schema"
	"github.com/stampede-shop/stampede/sqltune/sqltext"
)

// replayed is a statement with the values that it is run with.
type replayed struct {
	Statement
	sets   [][]string // none: it has no parameters
	tables []string   // that it reads
}

// reader of a table tells whether the statement reads it.
func (r replayed) reads(table string) bool { return slices.Contains(r.tables, table) }

// bindAll finds values for the statements that read the tables, and read only. Those for which there are none are named.
func bindAll(ctx context.Context, conn *pgx.Conn, work []Statement, tables map[string]bool, sets int, l Limits) (list []replayed, skipped []Skipped, err error) {
	l.whole = 10 * l.Timeout
	err = rolledBack(ctx, conn, l, false, func(ctx context.Context, tx pgx.Tx) error {
		s, err := schema.Read(ctx, tx)
		if err != nil {
			return err
		}
		p := planner{tx, s.Version}
		for _, st := range work {
			sql, kind, err := check(st.SQL)
			if err != nil || kind != sqltext.Read {
				continue
			}
			st.SQL = sql
			r, err := p.bind(ctx, st, s, tables, sets)
			switch {
			case err == nil && len(r.tables) > 0:
				list = append(list, r)
			case err == nil:
			case ctx.Err() != nil:
				return errors.Join(ctx.Err(), err)
			default:
				skipped = append(skipped, Skipped{st.SQL, err.Error()})
			}
		}
		return nil
	})
	return list, skipped, err
}

func (p planner) bind(ctx context.Context, st Statement, s *schema.Schema, tables map[string]bool, sets int) (r replayed, err error) {
	r.Statement = st
	pl, err := p.plan(ctx, st.SQL)
	if err != nil {
		if ctx.Err() == nil {
			return r, nil // then no index was proposed for it, either
		}
		return r, err
	}
	for n := range pl.Root.All() {
		if t := s.Table(n.Schema, n.Relation); t != nil && index.Scans(n) && tables[t.FullName()] {
			r.tables = append(r.tables, t.FullName())
		}
	}
	if hasParams(st.SQL) && len(r.tables) > 0 {
		r.sets, err = p.values(ctx, st.SQL, s, sets)
	}
	return r, err
}

// pace bounds the replay of one statement.
type pace struct {
	runs  int
	least int           // runs, however long they take
	most  time.Duration // after which no more runs are begun
}

// replay runs a statement with its values, over and over, and returns the times in milliseconds. One that is ended by its time-out
// counts as that long. uses tells whether its plan has the index of a name.
func replay(ctx context.Context, conn *pgx.Conn, r replayed, indexName string, p pace, l Limits) (times []float64, uses bool, err error) {
	l.whole = p.most + 4*l.Timeout
	err = rolledBack(ctx, conn, l, false, func(ctx context.Context, tx pgx.Tx) error {
		run := func(call func(set int) string) error {
			var err error
			if indexName != "" {
				uses, err = hasIndex(ctx, tx, call(0), indexName)
			}
			if err == nil {
				times, err = timed(ctx, tx, call, p, l)
			}
			return err
		}
		if r.sets == nil {
			return run(func(int) string { return r.SQL })
		}
		return prepare(ctx, tx, r.SQL, func(name string, _ []string) error {
			return run(func(i int) string { return execute(name, r.sets[i%len(r.sets)]) })
		})
	})
	return times, uses, err
}

func hasIndex(ctx context.Context, tx pgx.Tx, sql, name string) (bool, error) {
	pl, err := explain(ctx, tx, sql, "FORMAT JSON")
	if err != nil {
		return false, err
	}
	for n := range pl.Root.All() {
		if n.Index == name {
			return true, nil
		}
	}
	return false, nil
}

// timed runs a statement once to warm up and then so often as the pace says.
func timed(ctx context.Context, tx pgx.Tx, call func(int) string, p pace, l Limits) (times []float64, err error) {
	start := time.Now()
	for i := -1; i < p.runs && (i < p.least || time.Since(start) < p.most); i++ {
		began := time.Now()
		err := drain(ctx, tx, call(max(i, 0)))
		took := time.Since(began)
		if isTimeout(err) && ctx.Err() == nil {
			took, err = l.Timeout, nil
		}
		if err != nil {
			return nil, err
		}
		if i >= 0 {
			times = append(times, float64(took)/float64(time.Millisecond))
		}
	}
	return times, nil
}

func isTimeout(err error) bool {
	var e interface{ SQLState() string }
	return errors.As(err, &e) && e.SQLState() == "57014"
}

// drain reads a result to its end, within a savepoint.
func drain(ctx context.Context, tx pgx.Tx, sql string) error {
	save, err := tx.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = save.Rollback(context.WithoutCancel(ctx)) }()
	rows, err := save.Query(ctx, sql, pgx.QueryExecModeExec)
	if err != nil {
		return err
	}
	rows.Close()
	return rows.Err()
}

// quantile of times; 0 of none.
func quantile(times []float64, q float64) float64 {
	if len(times) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(times))
	return sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)]
}
