package sqltune

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/internal/local/localtest"
)

// counting is a server that counts statements, with a database of a superuser's that has the extensions that there are.
func counting(t *testing.T) (conn *pgx.Conn, dsn string, hypo bool) {
	t.Helper()
	server := localtest.PostgresWith(t, localtest.PostgresOptions{Settings: map[string]string{"shared_preload_libraries": "pg_stat_statements"}})
	dsn = server.AdminDSN()
	conn = connect(t, dsn)
	run(t, conn, `CREATE EXTENSION IF NOT EXISTS pg_stat_statements`)
	if err := conn.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'hypopg')`).Scan(&hypo); err != nil {
		t.Fatal(err)
	}
	if hypo {
		run(t, conn, `CREATE EXTENSION IF NOT EXISTS hypopg`)
	}
	return conn, dsn, hypo
}

var adviceSchema = []string{
	`CREATE TABLE sales (id bigint PRIMARY KEY, customer int NOT NULL, status text NOT NULL, sold_at timestamptz NOT NULL, amount int, note text)`,
	`INSERT INTO sales SELECT i, i * 7919 % 5000, CASE WHEN i % 100 = 0 THEN 'open' ELSE 'done' END, '2024-01-01'::timestamptz + i * interval '1 minute',
		i % 100, repeat(md5(i::text), 3) FROM generate_series(1, 40000) i`,
	`CREATE INDEX sales_amount ON sales (amount)`,
	`CREATE INDEX sales_amount_status ON sales (amount, status)`,
	`CREATE INDEX sales_nobody ON sales (sold_at, note)`,
	`VACUUM ANALYZE sales`,
}

// use runs the statements of a shop as it would, with values bound.
func use(t *testing.T, conn *pgx.Conn, times int) {
	t.Helper()
	for i := range times {
		for _, c := range []struct {
			sql  string
			args []any
		}{
			{`SELECT id, amount FROM sales WHERE customer = $1 ORDER BY sold_at DESC LIMIT 5`, []any{i % 5000}},
			{`SELECT * FROM sales WHERE id = $1`, []any{i}},
			{`SELECT count(*) FROM sales WHERE amount = $1`, []any{i % 100}},
		} {
			rows, err := conn.Query(t.Context(), c.sql, c.args...)
			if err != nil {
				t.Fatal(err)
			}
			rows.Close()
		}
	}
}

func TestWorkloadAndAdvice(t *testing.T) {
	t.Parallel()
	conn, _, hypo := counting(t)
	run(t, conn, adviceSchema...)
	run(t, conn, `SELECT pg_stat_statements_reset()`)
	before := Snapshot{Taken: time.Now()}
	use(t, conn, 40)
	work, err := Workload(t.Context(), conn, "one", Limits{})
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(work, func(s Statement) bool { return strings.Contains(s.SQL, "customer = $1") })
	if at < 0 || work[at].Calls != 40 || work[at].Total <= 0 || work[at].Node != "one" {
		t.Fatalf("workload: %+v", work)
	}
	if slow := Slow(work, time.Nanosecond); len(slow) != len(work) {
		t.Errorf("%d of %d statements take longer than a nanosecond", len(slow), len(work))
	}
	news := Compare(before, Snapshot{Statements: work}, CompareOptions{MinMean: 1e-6})
	if !slices.ContainsFunc(news, func(r Regression) bool { return r.New && strings.Contains(r.SQL, "customer = $1") }) {
		t.Errorf("new statements: %+v", news)
	}
	filters, _, err := Filters(t.Context(), conn, work, 50, Limits{})
	if err != nil || !slices.ContainsFunc(filters, func(f Filter) bool { return f.Condition == "customer =" && f.Calls == 40 && f.Index == "" }) ||
		!slices.ContainsFunc(filters, func(f Filter) bool { return f.Condition == "id =" && f.Index == "sales_pkey" }) {
		t.Errorf("filters: %+v, %v", filters, err)
	}
	for _, without := range []bool{true, false} {
		if !without && !hypo {
			t.Log("HypoPG is not installed: costs are not tested")
			continue
		}
		advised(t, conn, work, without)
	}
}

// advised checks the advice for the workload: one index by customer, two that are not needed.
func advised(t *testing.T, conn *pgx.Conn, work []Statement, without bool) {
	t.Helper()
	a, err := Advise(t.Context(), conn, work, AdviseOptions{NoHypoPG: without, WriteMillis: 1e-5})
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Proposals) != 1 || !strings.Contains(a.Proposals[0].SQL, "ON public.sales (customer") || a.Proposals[0].Costed == without ||
		a.Proposals[0].Bytes < 100_000 {
		t.Errorf("without HypoPG %v: proposals %+v, skipped %+v", without, a.Proposals, a.Skipped)
	}
	if !without && a.Proposals[0].Gain < 0.5 {
		t.Errorf("a gain of %v is expected", a.Proposals[0].Gain)
	}
	var unused []string
	for _, u := range a.Unused {
		unused = append(unused, u.Index.Name)
	}
	slices.Sort(unused)
	if want := []string{"sales_amount", "sales_nobody"}; !slices.Equal(unused, want) && !slices.Equal(unused, append(want[:1:1], "sales_amount_status", "sales_nobody")) {
		t.Errorf("unused indexes: %v", unused)
	}
}

func TestWithoutStatistics(t *testing.T) {
	t.Parallel()
	conn := connect(t, localtest.Postgres(t).Database(t))
	if _, err := Workload(context.Background(), conn, "x", Limits{}); err == nil || !strings.Contains(err.Error(), "shared_preload_libraries") {
		t.Errorf("%v", err)
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	before := Snapshot{Statements: []Statement{
		{Node: "a", SQL: "SELECT 1", Calls: 100, Total: 500, Mean: 5, Stddev: 1},
		{Node: "a", SQL: "SELECT x", Calls: 100, Total: 500, Mean: 5, Stddev: 1},
		{Node: "a", SQL: "SELECT y", Calls: 1000, Total: 500, Mean: 0.5, Stddev: 1},
		{Node: "a", SQL: "SELECT z", Calls: 100, Total: 500, Mean: 5, Stddev: 50},
	}}
	after := Snapshot{Statements: []Statement{
		{Node: "a", SQL: "SELECT 2", Calls: 200, Total: 2500, Mean: 12.5, Stddev: 7.6}, // 20 since
		{Node: "a", SQL: "SELECT x", Calls: 200, Total: 1000, Mean: 5, Stddev: 1},
		{Node: "a", SQL: "SELECT y", Calls: 30, Total: 300, Mean: 10, Stddev: 1}, // reset in between
		{Node: "a", SQL: "SELECT z", Calls: 200, Total: 1500, Mean: 7.5, Stddev: 50},
		{Node: "a", SQL: "SELECT w", Calls: 50, Total: 500, Mean: 10, Stddev: 1},
	}}
	var got []string
	for _, r := range Compare(before, after, CompareOptions{}) {
		got = append(got, r.SQL)
	}
	if want := []string{"SELECT 2", "SELECT w", "SELECT y"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
