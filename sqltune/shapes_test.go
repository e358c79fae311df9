package sqltune

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/internal/local/localtest"
	"github.com/stampede-shop/stampede/sqltune/plan"
)

// filmSchema is a film rental in the manner of the usual sample databases, made up here, with what makes PostgreSQL choose rarer nodes.
var filmSchema = []string{
	`CREATE TABLE film (id int PRIMARY KEY, title text NOT NULL, year int, language int, length int, rating text)`,
	`INSERT INTO film SELECT i, 'Film ' || md5(i::text), 1950 + i % 75, i % 6 + 1, 60 + i % 120, (ARRAY['G','PG','R'])[i % 3 + 1] FROM generate_series(1, 20000) i`,
	`CREATE TABLE actor (id int PRIMARY KEY, name text NOT NULL)`,
	`INSERT INTO actor SELECT i, 'Actor ' || i FROM generate_series(1, 3000) i`,
	`CREATE TABLE part (actor int, film int, PRIMARY KEY (actor, film))`,
	`INSERT INTO part SELECT i % 3000 + 1, (i * 7) % 20000 + 1 FROM generate_series(1, 60000) i ON CONFLICT DO NOTHING`,
	`CREATE TABLE rental (id int, film int, shopper int, day date NOT NULL, paid numeric) PARTITION BY RANGE (day)`,
	`CREATE TABLE rental_2025 PARTITION OF rental FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')`,
	`CREATE TABLE rental_2026 PARTITION OF rental FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')`,
	`INSERT INTO rental SELECT i, i % 20000 + 1, i % 4000, '2025-01-01'::date + i % 700, i % 90 FROM generate_series(1, 100000) i`,
	`CREATE INDEX ON rental (day)`,
	`CREATE INDEX ON rental (film)`,
	`CREATE TABLE category (id int PRIMARY KEY, parent int, name text)`,
	`INSERT INTO category SELECT i, i / 3, 'Kind "' || i || '"' FROM generate_series(1, 300) i`,
	`CREATE TABLE "Odd Name" ("a b" int, c text)`,
	`INSERT INTO "Odd Name" SELECT i, repeat('x', i % 50) FROM generate_series(1, 5000) i`,
	`CREATE INDEX ON film (year)`, `CREATE INDEX ON film (length)`, `CREATE INDEX "odd index" ON "Odd Name" ("a b")`,
	`ALTER TABLE category SET (autovacuum_enabled = off)`, // the test does it, between two runs
	`VACUUM (ANALYZE) film, actor, part, rental, category, "Odd Name"`,
}

// filmQueries are statements by name; set are settings that bring out a shape, want a node that must be in the plan.
var filmQueries = []struct{ name, set, sql, want string }{
	{"memoize", "SET enable_hashjoin = off; SET enable_mergejoin = off", `SELECT r.id, f.title FROM rental r JOIN film f ON f.id = r.film % 50 + 1 WHERE r.day < '2025-03-01'`, "Memoize"},
	{"incremental-sort", "", `SELECT id, year, title FROM film ORDER BY year, title LIMIT 200`, "Incremental Sort"},
	{"gather-merge", parallel, `SELECT id, title FROM film WHERE length > 100 ORDER BY title`, "Gather Merge"},
	{"parallel-append", parallel, `SELECT sum(paid), count(*) FROM rental`, "Append"},
	{"parallel-hash", parallel, `SELECT f.rating, count(*), max(r.paid) FROM rental r JOIN film f ON f.id = r.film GROUP BY f.rating`, "Hash Join"},
	{"tid-range", "", `SELECT ctid, id FROM film WHERE ctid < '(20,0)' AND year > 2000`, "Tid Range Scan"},
	{"tid", "", `SELECT id FROM film WHERE ctid = '(0,1)'`, "Tid Scan"},
	{"merge", "", `MERGE INTO category c USING film f ON c.id = f.id AND f.year = 1960 WHEN MATCHED THEN UPDATE SET name = f.title WHEN NOT MATCHED AND f.id < 0 THEN INSERT VALUES (f.id, 0, f.title)`, "ModifyTable"},
	{"upsert", "", `INSERT INTO category SELECT id, 1, title FROM film WHERE id < 50 ON CONFLICT (id) DO UPDATE SET name = excluded.name RETURNING id`, "ModifyTable"},
	{"delete", "", `DELETE FROM rental WHERE day < '2025-01-05' AND film IN (SELECT id FROM film WHERE rating = 'R')`, "ModifyTable"},
	{"cte", "", `WITH big AS MATERIALIZED (SELECT film, count(*) n FROM rental GROUP BY film) SELECT * FROM big a JOIN big b USING (n) WHERE a.film < 5 AND b.film < 5`, "CTE Scan"},
	{"recursive", "", `WITH RECURSIVE up AS (SELECT id, parent, 1 AS depth FROM category WHERE id = 250 UNION ALL SELECT c.id, c.parent, depth + 1 FROM category c JOIN up ON c.id = up.parent) SELECT * FROM up`, "WorkTable Scan"},
	{"subplan", "", `SELECT a.id, (SELECT max(f.year) FROM part p JOIN film f ON f.id = p.film WHERE p.actor = a.id) FROM actor a WHERE a.id < 100`, "Aggregate"},
	{"initplan", "", `SELECT * FROM film WHERE length = (SELECT max(length) FROM film WHERE year = 1990) AND id NOT IN (SELECT film FROM part WHERE actor = 3)`, "Result"},
	{"window", "", `SELECT * FROM (SELECT id, row_number() OVER (PARTITION BY year ORDER BY length DESC) n FROM film) x WHERE n <= 3`, "WindowAgg"},
	{"grouping-sets", "", `SELECT year, rating, count(*) FROM film GROUP BY CUBE (year, rating)`, "Aggregate"},
	{"bitmap-and", "SET enable_indexscan = off; SET enable_seqscan = off", `SELECT count(*) FROM film WHERE year = 1977 AND length BETWEEN 70 AND 75`, "Bitmap Heap Scan"},
	{"bitmap-or", "SET enable_seqscan = off", `SELECT * FROM film WHERE year = 1977 OR length = 61`, "BitmapOr"},
	{"merge-join", "SET enable_hashjoin = off; SET enable_nestloop = off", `SELECT f.title, a.name FROM part p JOIN film f ON f.id = p.film LEFT JOIN actor a ON a.id = p.actor AND a.id > 10`, "Merge Join"},
	{"setop", "", `SELECT id FROM film EXCEPT SELECT film FROM rental_2026`, "SetOp"},
	{"merge-append", "SET enable_seqscan = off", `SELECT id FROM rental ORDER BY day DESC LIMIT 20`, "Append"},
	{"anti", "", `SELECT count(*) FROM film f WHERE NOT EXISTS (SELECT FROM rental r WHERE r.film = f.id AND r.paid > 88)`, "Aggregate"},
	{"spill", "SET work_mem = '64kB'", `SELECT count(*) FROM (SELECT id, paid FROM rental ORDER BY paid, id OFFSET 0) x`, "Sort"},
	{"hash-spill", "SET work_mem = '64kB'; SET enable_mergejoin = off; SET enable_nestloop = off", `SELECT count(*) FROM rental a JOIN rental b ON a.id = b.id AND a.paid < 5`, "Hash"},
	{"jit", "SET jit = on; SET jit_above_cost = 0; SET jit_inline_above_cost = 0; SET jit_optimize_above_cost = 0", `SELECT sum(paid * 2) FROM rental WHERE paid > 3`, "Append"},
	{"odd-names", "", `SELECT o."a b", o.c FROM "Odd Name" AS "my o" (x, y), "Odd Name" o WHERE o."a b" = "my o".x AND o.c = 'it''s (a, "b")' AND "my o".x < 9`, ""},
	{"functions", "", `SELECT s, unnest(ARRAY[1,2]) FROM generate_series(1, 10) s, (VALUES (1), (2)) v(x) WHERE s > x`, "ProjectSet"},
	{"sample", "", `SELECT count(*) FROM film TABLESAMPLE system (10) REPEATABLE (1)`, "Sample Scan"},
	{"lock", "", `SELECT * FROM film WHERE id = 7 FOR UPDATE`, "LockRows"},
	{"never", "", `SELECT * FROM film f JOIN part p ON p.film = f.id WHERE f.id = -1`, ""},
	{"distinct-on", "", `SELECT DISTINCT ON (year) year, title FROM film ORDER BY year, length DESC`, "Unique"},
}

const parallel = "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2"

// What PostgreSQL prints as text is read as the same plan as what it prints as JSON, whatever the nodes; plans of both kinds have no
// field that is lost. STAMPEDE_PLANS names a folder in which the documents are left.
func TestTextSaysWhatJSONSays(t *testing.T) {
	t.Parallel()
	conn := connect(t, localtest.Postgres(t).Database(t))
	run(t, conn, filmSchema...)
	for _, q := range filmQueries {
		run(t, conn, "RESET ALL", "SET jit = off")
		if q.set != "" {
			run(t, conn, q.set)
		}
		for _, verbose := range []string{"", ", VERBOSE"} {
			run(t, conn, "VACUUM category") // what was written and taken back makes it longer, and what is expected of it more
			ofJSON := printed(t, conn, "ANALYZE, BUFFERS, SETTINGS, FORMAT JSON"+verbose, q.sql)
			run(t, conn, "VACUUM category")
			ofText := printed(t, conn, "ANALYZE, BUFFERS, SETTINGS"+verbose, q.sql)
			a, b := onePlan(t, q.name, ofJSON), onePlan(t, q.name, ofText)
			if d := differ(a.Root, b.Root); d != "" {
				t.Errorf("%s%s: %s\n%s\n%s", q.name, verbose, d, ofText, ofJSON)
			}
			if (a.JIT == nil) != (b.JIT == nil) || a.JIT != nil && a.JIT.Functions != b.JIT.Functions || !reflect.DeepEqual(a.Settings, b.Settings) ||
				a.Planning <= 0 || b.Planning <= 0 || b.Execution <= 0 || len(a.Triggers) != len(b.Triggers) {
				t.Errorf("%s%s: the foot differs: %+v %+v", q.name, verbose, a, b)
			}
			found := q.want == ""
			for n := range b.Root.All() {
				found = found || n.Type == q.want
			}
			if !found {
				t.Errorf("%s: no %s in the plan\n%s", q.name, q.want, ofText)
			}
			if dir := os.Getenv("STAMPEDE_PLANS"); dir != "" && verbose == "" {
				if err := os.WriteFile(filepath.Join(dir, q.name+".txt"), []byte("Query Text: "+q.sql+"\n"+ofText), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func onePlan(t *testing.T, name, doc string) *plan.Plan {
	t.Helper()
	plans, err := plan.Parse([]byte(doc))
	if err != nil || len(plans) != 1 {
		t.Fatalf("%s: %d plans, %v\n%s", name, len(plans), err, doc)
	}
	return plans[0]
}

// printed is what EXPLAIN prints; what the statement did is taken back.
func printed(t *testing.T, conn *pgx.Conn, options, sql string) (out string) {
	t.Helper()
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }()
	rows, err := tx.Query(t.Context(), "EXPLAIN ("+options+") "+sql, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	for _, l := range lines {
		out += l + "\n"
	}
	return out
}

// differ compares what does not change from one run to the next; "" when nothing does.
func differ(a, b *plan.Node) string {
	for _, f := range []struct {
		name string
		a, b any
	}{{"type", a.Type, b.Type}, {"relation", a.Relation, b.Relation}, {"alias", a.Alias, b.Alias}, {"index", a.Index, b.Index}, {"strategy", a.Strategy, b.Strategy},
		{"schema", a.Schema, b.Schema}, {"join", a.JoinType, b.JoinType}, {"operation", a.Operation, b.Operation}, {"subplan", a.SubplanName, b.SubplanName}, {"cte", a.CTE, b.CTE},
		{"function", a.Function, b.Function}, {"parallel", a.Parallel, b.Parallel}, {"filter", a.Filter, b.Filter}, {"index cond", a.IndexCond, b.IndexCond},
		{"recheck", a.RecheckCond, b.RecheckCond}, {"join filter", a.JoinFilter, b.JoinFilter}, {"hash cond", a.HashCond, b.HashCond}, {"merge cond", a.MergeCond, b.MergeCond},
		{"sort key", a.SortKey, b.SortKey}, {"presorted", a.PresortedKey, b.PresortedKey}, {"output", a.Output, b.Output}, {"rows expected", a.PlanRows, b.PlanRows},
		{"cost", a.TotalCost, b.TotalCost}, {"width", a.PlanWidth, b.PlanWidth}, {"rows", a.ActualRows, b.ActualRows}, {"planned", a.Planned, b.Planned},
		{"never", a.Never(), b.Never()}, {"children", len(a.Children), len(b.Children)}, {"batches", a.HashBatches, b.HashBatches},
		{"removed", a.RemovedFilter, b.RemovedFilter}, {"heap fetches", a.HeapFetches, b.HeapFetches}, {"exact", a.ExactBlocks, b.ExactBlocks},
		{"spilt", a.SortDisk > 0, b.SortDisk > 0}, {"side", beside(a), beside(b)}} {
		if a.Parallel && (f.name == "rows" || f.name == "removed") || below(a, "Gather", "Gather Merge") && (f.name == "rows" || f.name == "removed" || f.name == "spilt" || f.name == "batches") {
			continue // workers share them out as it happens
		}
		if f.name == "cost" && math.Abs(a.TotalCost-b.TotalCost) <= 0.05*a.TotalCost {
			continue // what a statement wrote and took back has left its table a page longer
		}
		if !reflect.DeepEqual(f.a, f.b) {
			return fmt.Sprintf("%s %q: %s is %v in JSON, %v in text", a.Path(), b.Label(), f.name, f.a, f.b)
		}
	}
	for i := range a.Children {
		if d := differ(a.Children[i], b.Children[i]); d != "" {
			return d
		}
	}
	return ""
}

// beside is how a node stands to its parent, as far as rules ask.
func beside(n *plan.Node) string {
	if n.Relationship == "InitPlan" || n.Relationship == "SubPlan" || n.Relationship == "Inner" {
		return n.Relationship
	}
	return ""
}

func below(n *plan.Node, types ...string) bool {
	return n.Below(func(p *plan.Node) bool {
		for _, t := range types {
			if p.Type == t {
				return true
			}
		}
		return false
	})
}
