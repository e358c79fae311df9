package sqltune

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/sqltune/schema"
	"github.com/stampede-shop/stampede/sqltune/sqltext"
)

// ErrNoStatistics says that a server does not count its statements.
var ErrNoStatistics = errors.New("the server does not count statements: put pg_stat_statements into shared_preload_libraries, restart it, " +
	"and run CREATE EXTENSION pg_stat_statements in this database")

// Statement is what a server has counted of a statement since its statistics began. Times are in milliseconds.
type Statement struct {
	Node   string  `json:"node"`
	ID     string  `json:"id"`
	SQL    string  `json:"sql"`
	Calls  float64 `json:"calls"`
	Total  float64 `json:"total_ms"`
	Mean   float64 `json:"mean_ms"`
	Stddev float64 `json:"stddev_ms"`
	Max    float64 `json:"max_ms"`
	Rows   float64 `json:"rows"`
	// Hit and Read are blocks found in memory and read, Temp those written because memory did not do.
	Hit  float64 `json:"blocks_hit"`
	Read float64 `json:"blocks_read"`
	Temp float64 `json:"temp_written"`
}

// maxStatements is how many statements are read from a server: pg_stat_statements keeps 5000 unless told otherwise.
const maxStatements = 10_000

// Workload reads what a server has counted of the statements of the connection's database, what took most time first. node is its
// name.
func Workload(ctx context.Context, conn *pgx.Conn, node string, l Limits) (list []Statement, err error) {
	err = rolledBack(ctx, conn, l, false, func(ctx context.Context, tx pgx.Tx) error {
		var in string
		err := tx.QueryRow(ctx, `SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'`).Scan(&in)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrNoStatistics
		}
		if err != nil {
			return err
		}
		// as JSON, because the columns have other names in every other version
		rows, err := tx.Query(ctx, `SELECT to_jsonb(s)::text FROM `+schema.Quote(in)+`.pg_stat_statements s
			WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) LIMIT $1`, maxStatements)
		if err != nil {
			return notLoaded(err)
		}
		docs, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return notLoaded(err)
		}
		for _, doc := range docs {
			if s, ok := counted(doc, node); ok {
				list = append(list, s)
			}
		}
		return nil
	})
	slices.SortStableFunc(list, func(a, b Statement) int { return cmp.Compare(b.Total, a.Total) })
	return list, err
}

func notLoaded(err error) error {
	var e interface{ SQLState() string }
	if errors.As(err, &e) && e.SQLState() == "55000" {
		return ErrNoStatistics
	}
	return err
}

// counted reads a row of pg_stat_statements; false for what is neither read nor write, or may not be seen.
func counted(doc, node string) (Statement, bool) {
	var m map[string]any
	if json.Unmarshal([]byte(doc), &m) != nil {
		return Statement{}, false
	}
	num := func(names ...string) float64 {
		for _, n := range names {
			if x, ok := m[n].(float64); ok {
				return x
			}
		}
		return 0
	}
	sql, _ := m["query"].(string)
	s := Statement{Node: node, ID: fmt.Sprintf("%.0f", num("queryid")), SQL: sql, Calls: num("calls"), Total: num("total_exec_time", "total_time"),
		Mean: num("mean_exec_time", "mean_time"), Stddev: num("stddev_exec_time", "stddev_time"), Max: num("max_exec_time", "max_time"),
		Rows: num("rows"), Hit: num("shared_blks_hit"), Read: num("shared_blks_read"), Temp: num("temp_blks_written")}
	return s, sqltext.KindOf(sql) != sqltext.Other && s.Calls > 0 && !ours(sql)
}

// marks are words of the statements that are sent from here: to look at a workload must not change it.
var marks = map[string]bool{"stampede_rows": true, "stampede_with": true, "stampede_without": true, "pg_prepared_statements": true,
	"pg_stat_statements": true, "pg_stat_user_indexes": true, "pg_stat_user_tables": true, "pg_stats": true, "pg_opclass": true,
	"pg_extension": true, "hypopg_create_index": true, "hypopg_drop_index": true, "hypopg_relation_size": true, "hypopg_reset": true,
	"pg_postmaster_start_time": true, "tablesample": true, "pg_try_advisory_lock": true, "pg_advisory_unlock_all": true, "obj_description": true, "pg_index": true,
	"starts_with": true}

func ours(sql string) bool {
	tokens, _ := sqltext.Lex(sql)
	return slices.ContainsFunc(tokens, func(t sqltext.Token) bool { return t.Class == sqltext.Word && marks[t.Text] })
}

// Slow are the statements that take longer than a bound on average, or took so once, slowest first.
func Slow(list []Statement, bound time.Duration) (slow []Statement) {
	ms := float64(bound) / float64(time.Millisecond)
	for _, s := range list {
		if s.Mean > ms || s.Max > ms {
			slow = append(slow, s)
		}
	}
	slices.SortStableFunc(slow, func(a, b Statement) int { return cmp.Or(cmp.Compare(b.Mean, a.Mean), cmp.Compare(b.Max, a.Max)) })
	return slow
}

// Merge adds up what several nodes have counted of the same statement.
func Merge(list []Statement) []Statement {
	by := map[string]*Statement{}
	var order []*Statement
	for _, s := range list {
		key := sqltext.Fingerprint(s.SQL)
		m := by[key]
		if m == nil {
			one := s
			by[key] = &one
			order = append(order, &one)
			continue
		}
		m.add(s)
	}
	merged := make([]Statement, len(order))
	for i, s := range order {
		merged[i] = *s
	}
	slices.SortStableFunc(merged, func(a, b Statement) int { return cmp.Compare(b.Total, a.Total) })
	return merged
}

func (s *Statement) add(o Statement) {
	squares := s.squares() + o.squares()
	if s.Node != o.Node {
		s.Node = "all"
	}
	s.Calls, s.Total, s.Rows, s.Max = s.Calls+o.Calls, s.Total+o.Total, s.Rows+o.Rows, max(s.Max, o.Max)
	s.Hit, s.Read, s.Temp = s.Hit+o.Hit, s.Read+o.Read, s.Temp+o.Temp
	s.average(squares)
}

// squares is the sum of the squares of all times.
func (s Statement) squares() float64 { return s.Calls * (s.Stddev*s.Stddev + s.Mean*s.Mean) }

func (s *Statement) average(squares float64) {
	if s.Calls > 0 {
		s.Mean = s.Total / s.Calls
		s.Stddev = math.Sqrt(max(0, squares/s.Calls-s.Mean*s.Mean))
	}
}
