package duckstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"time"
	"unicode/utf8"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/stampede-shop/stampede/analytics"
)

// explained is what may be explained: EXPLAIN ANALYZE runs it.
var explained = regexp.MustCompile(`(?is)^\s*EXPLAIN\s+(ANALYZE\s+)?(SELECT|WITH|FROM)\b`)

// onlyReads refuses everything but one SELECT, without running anything.
func onlyReads(conn *duckdb.Conn, query string) error {
	prepared, err := conn.Prepare(query) // which takes one statement only
	var wrong *duckdb.Error
	if errors.As(err, &wrong) {
		return err // of syntax, or of names
	}
	if err != nil {
		return errors.Join(analytics.ErrNotRead, err)
	}
	stmt := prepared.(*duckdb.Stmt)
	defer stmt.Close() //nolint:errcheck // nothing was run
	kind, err := stmt.StatementType()
	switch {
	case err != nil:
		return err
	case kind == duckdb.STATEMENT_TYPE_SELECT, kind == duckdb.STATEMENT_TYPE_EXPLAIN && explained.MatchString(query):
		return nil
	}
	return analytics.ErrNotRead
}

// reading calls f with a connection in a transaction that cannot write, after query has been looked at.
func (s *Store) reading(ctx context.Context, query string, f func(conn *sql.Conn) error) error {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // back to the pool
	if err := conn.Raw(func(c any) error { return onlyReads(c.(*duckdb.Conn), query) }); err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, "BEGIN TRANSACTION READ ONLY"); err != nil {
		return err
	}
	err = f(conn)
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if _, rollback := conn.ExecContext(end, "ROLLBACK"); rollback != nil {
		_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // not to be used again
	}
	return err
}

// Query implements analytics.Store.
func (s *Store) Query(ctx context.Context, query string, o analytics.QueryOptions) (*analytics.Result, error) {
	o = o.WithDefaults()
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	var out *analytics.Result
	err := s.reading(ctx, query, func(conn *sql.Conn) error {
		rows, err := conn.QueryContext(ctx, query)
		if err != nil {
			return err
		}
		defer rows.Close() //nolint:errcheck // Err tells
		out, err = table(rows, o.MaxRows)
		return err
	})
	if ctx.Err() != nil && err != nil {
		err = fmt.Errorf("the query did not end within %s: %w", o.Timeout, ctx.Err())
	}
	return out, err
}

func table(rows *sql.Rows, most int) (*analytics.Result, error) {
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	out := &analytics.Result{Rows: [][]any{}}
	for _, t := range types {
		out.Columns, out.Types = append(out.Columns, t.Name()), append(out.Types, t.DatabaseTypeName())
	}
	for rows.Next() {
		if len(out.Rows) == most {
			out.More = true
			break
		}
		row := make([]any, len(types))
		to := make([]any, len(types))
		for i := range row {
			to[i] = &row[i]
		}
		if err := rows.Scan(to...); err != nil {
			return nil, err
		}
		for i := range row {
			row[i] = plain(row[i], out.Types[i])
		}
		out.Rows = append(out.Rows, row)
	}
	return out, rows.Err()
}

// plain makes of a value what JSON can hold.
func plain(v any, typ string) any {
	switch v := v.(type) {
	case []byte:
		if id := (analytics.ID{}); typ == "UUID" && copy(id[:], v) == len(id) {
			return id.String()
		}
		if utf8.Valid(v) {
			return string(v)
		}
		return v
	case time.Time:
		if typ == "DATE" {
			return v.Format(time.DateOnly)
		}
		return v.UTC().Format("2006-01-02T15:04:05.999999Z")
	case *big.Int:
		if v.IsInt64() {
			return v.Int64()
		}
		return v.String()
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Sprint(v)
		}
		return v
	case duckdb.Decimal:
		return json.Number(v.String())
	case nil, bool, string, int8, int16, int32, int64, uint8, uint16, uint32, uint64:
		return v
	case float32:
		return plain(float64(v), typ)
	}
	if _, err := json.Marshal(v); err != nil {
		return fmt.Sprint(v)
	}
	return v
}
