package sqltune

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/sqltune/sqltext"
)

// QueryOptions bound a read; the zero value works.
type QueryOptions struct {
	Limits
	// MaxRows bounds the result of a query that has no LIMIT of its own. Default 1000; negative: no bound.
	MaxRows int
}

// Rows take a result as it comes.
type Rows struct {
	// Columns gets the names, once, before the first row.
	Columns func(names []string) error
	// Row gets a row as the text that PostgreSQL prints; nil is NULL.
	Row func(values []*string) error
}

// Outcome is how a read ended.
type Outcome struct {
	Count int
	// Bounded is set when a LIMIT was added, Cut when there would have been more rows.
	Bounded, Cut bool
}

// Query runs one read, in a read-only transaction with a time-out. A query without LIMIT gets one.
func Query(ctx context.Context, conn *pgx.Conn, sql string, o QueryOptions, to Rows) (Outcome, error) {
	o.defaults()
	if o.MaxRows == 0 {
		o.MaxRows = 1000
	}
	sql, kind, err := check(sql)
	if err != nil {
		return Outcome{}, err
	}
	if kind != sqltext.Read {
		return Outcome{}, fmt.Errorf("%w (%s)", ErrWrites, kind)
	}
	if hasParams(sql) {
		return Outcome{}, ErrParams
	}
	var out Outcome
	if o.MaxRows > 0 && !sqltext.Limited(sql) {
		sql, out.Bounded = sqltext.WithLimit(sql, strconv.Itoa(o.MaxRows+1)), true
	}
	err = rolledBack(ctx, conn, o.Limits, false, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, sql, pgx.QueryExecModeExec, pgx.QueryResultFormats{pgx.TextFormatCode})
		if err != nil {
			return err
		}
		defer rows.Close()
		return out.pass(rows, o.MaxRows, to)
	})
	return out, timedOut(err, o.Limits)
}

// pass hands rows over, up to the bound.
func (out *Outcome) pass(rows pgx.Rows, most int, to Rows) error {
	started := false
	start := func() error {
		started = true
		var names []string
		for _, f := range rows.FieldDescriptions() {
			names = append(names, f.Name)
		}
		return to.Columns(names)
	}
	for rows.Next() {
		if !started {
			if err := start(); err != nil {
				return err
			}
		}
		if out.Bounded && out.Count == most {
			out.Cut = true
			break
		}
		out.Count++
		if err := to.Row(texts(rows.RawValues())); err != nil {
			return err
		}
	}
	rows.Close()
	if err := rows.Err(); err != nil || started {
		return err
	}
	return start()
}

func texts(raw [][]byte) []*string {
	list := make([]*string, len(raw))
	for i, v := range raw {
		if v != nil {
			s := string(v)
			list[i] = &s
		}
	}
	return list
}
