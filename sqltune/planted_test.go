package sqltune

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/internal/local/localtest"
	"github.com/stampede-shop/stampede/sqltune/find"
)

// plantedSchema is a shop with faults: indexes that are missing, or cannot be used, columns that depend on each other, a table that was
// never vacuumed.
var plantedSchema = []string{
	`CREATE EXTENSION IF NOT EXISTS pg_trgm`,
	`CREATE TABLE customers (id int PRIMARY KEY, email text NOT NULL, city text, zip text, vip boolean)`,
	`INSERT INTO customers SELECT i, 'user' || i || '@example.com', 'city' || i % 100, 'zip' || i % 100, i % 200 = 0 FROM generate_series(1, 60000) i`,
	`CREATE INDEX customers_email ON customers (email)`,
	`CREATE INDEX customers_city ON customers (city)`,
	`CREATE TABLE orders (id bigint PRIMARY KEY, customer_id int, status text, created_at timestamptz, day timestamp, total numeric,
		note text, code varchar(20), tags text[], doc jsonb, done_at timestamptz)`,
	`INSERT INTO orders SELECT i, (i * 7919::bigint) % 60000 + 1, CASE WHEN i % 1000 = 0 THEN 'open' ELSE 'closed' END,
		'2024-01-01'::timestamptz + i * interval '1 minute', '2024-01-01'::timestamp + i * interval '1 minute', i % 977, md5(i::text),
		'C' || (i * 31) % 150000, ARRAY['t' || i % 3000], jsonb_build_object('color', 'c' || i % 2000, 'size', i % 7),
		CASE WHEN i % 500 <> 0 THEN now() END FROM generate_series(1, 150000) i`,
	`CREATE INDEX orders_created ON orders (created_at)`,
	`CREATE INDEX orders_code ON orders (code)`,
	`CREATE INDEX orders_total ON orders (total)`,
	`CREATE TABLE lines (id int PRIMARY KEY, order_id bigint, product int, amount int)`,
	`INSERT INTO lines SELECT i, i % 1500, i % 500, i % 10 FROM generate_series(1, 12000) i`,
	`CREATE TABLE fresh (id int, grp int) WITH (autovacuum_enabled = off)`,
	`INSERT INTO fresh SELECT i, i % 10 FROM generate_series(1, 60000) i`,
	`CREATE INDEX fresh_id ON fresh (id)`,
	`CREATE TABLE parents (id int PRIMARY KEY)`,
	`INSERT INTO parents SELECT generate_series(1, 2000)`,
	`CREATE TABLE children (id int PRIMARY KEY, parent int REFERENCES parents ON DELETE CASCADE)`,
	`INSERT INTO children SELECT i, 1000 + i % 1000 FROM generate_series(1, 20000) i`,
	`CREATE TABLE settings (name text, value text)`,
	`INSERT INTO settings SELECT 's' || i, 'v' FROM generate_series(1, 50) i`,
	`CREATE INDEX customers_lower_city ON customers (lower(city))`,
	`VACUUM (ANALYZE) customers, orders, lines, parents, children, settings`,
	`ANALYZE fresh`,
}

type planted struct {
	name string
	set  string // settings for the session
	sql  string
	want []string // rules, exactly
	fix  string   // what one of the fixes holds
	o    ExplainOptions
}

var problems = []planted{
	{name: "no index on a key", sql: `SELECT * FROM orders WHERE customer_id = 4711`, want: []string{find.MissingIndex}, fix: "public.orders (customer_id)"},
	{name: "equality and range", sql: `SELECT * FROM orders WHERE customer_id = 4711 AND day > '2024-02-01'`, want: []string{find.MissingIndex},
		fix: "public.orders (customer_id, day)"},
	{name: "order of the first rows", sql: `SELECT id, note FROM orders ORDER BY day DESC LIMIT 10`, want: []string{find.MissingIndex}, fix: "public.orders (day)"},
	{name: "rare rows, in order", sql: `SELECT id FROM orders WHERE done_at IS NULL ORDER BY day LIMIT 10`, want: []string{find.MissingIndex},
		fix: "(day) WHERE done_at IS NULL"},
	{name: "few of many values", sql: `SELECT id, note FROM orders WHERE status = 'open' AND day < '2024-02-01'`, want: []string{find.MissingIndex},
		fix: "(day) WHERE status = 'open'::text"},
	{name: "jsonb contains", sql: `SELECT id FROM orders WHERE doc @> '{"color": "c77"}'`, want: []string{find.MissingIndex}, fix: "USING gin (doc jsonb_path_ops)"},
	{name: "array overlaps", sql: `SELECT id FROM orders WHERE tags && ARRAY['t77']`, want: []string{find.MissingIndex}, fix: "USING gin (tags)"},
	{name: "middle of a text", sql: `SELECT id FROM orders WHERE note LIKE '%abcde%'`, want: []string{find.MissingIndex}, fix: "USING gin (note gin_trgm_ops)"},
	{name: "beginning of a text", sql: `SELECT id FROM orders WHERE note LIKE 'abc%'`, want: []string{find.MissingIndex}, fix: "(note text_pattern_ops)"},
	{name: "index not used", set: `SET enable_indexscan = off; SET enable_bitmapscan = off`, sql: `SELECT * FROM customers WHERE email = 'user77@example.com'`,
		want: []string{find.UnusedIndex}, fix: "RESET enable_"},
	{name: "function on the column", sql: `SELECT * FROM customers WHERE lower(email) = 'user77@example.com'`, want: []string{find.DefeatedIndex}, fix: "((lower(email)))"},
	{name: "implicit cast", sql: `SELECT * FROM orders WHERE id = 4711.0`, want: []string{find.DefeatedIndex}},
	{name: "day of a time", sql: `SELECT count(*) FROM orders WHERE created_at::date = '2024-02-03'`, want: []string{find.DefeatedIndex}},
	{name: "sort on disk", set: `SET work_mem = '256kB'`, sql: `SELECT count(*) FROM (SELECT note, id FROM orders ORDER BY note OFFSET 0) x`, want: []string{find.SortSpill},
		fix: "SET LOCAL work_mem"},
	{name: "hash in batches", set: `SET work_mem = '256kB'; SET enable_mergejoin = off; SET enable_nestloop = off`,
		sql: `SELECT count(*), max(o.note || c.email) FROM orders o JOIN customers c ON c.id = o.customer_id`, want: []string{find.HashBatches}, fix: "SET LOCAL work_mem"},
	{name: "nested loop", set: `SET enable_hashjoin = off; SET enable_mergejoin = off`, sql: `SELECT count(*) FROM lines l JOIN lines m ON m.order_id = l.order_id WHERE l.id < 200`,
		want: []string{find.NestedLoop}, fix: "public.lines (order_id)"},
	{name: "subquery once a row", sql: `SELECT p.id, (SELECT max(l.amount) FROM lines l WHERE l.order_id = p.id) FROM parents p`, want: []string{find.NestedLoop},
		fix: "public.lines (order_id)"},
	{name: "columns that depend on each other", sql: `SELECT count(*) FROM customers c JOIN orders o ON o.id = c.id WHERE c.city = 'city7' AND c.zip = 'zip7'`,
		want: []string{find.Misestimate}, fix: "CREATE STATISTICS customers_zip_city"},
	{name: "bitmap too large", set: `SET work_mem = '64kB'; SET enable_indexscan = off; SET enable_seqscan = off`,
		sql: `SELECT count(note) FROM orders WHERE total BETWEEN 10 AND 500`, want: []string{find.LossyBitmap}, fix: "SET LOCAL work_mem"},
	{name: "never vacuumed", set: `SET enable_seqscan = off; SET enable_bitmapscan = off`, sql: `SELECT count(*) FROM fresh WHERE id < 50000`, want: []string{find.HeapFetches}, fix: "VACUUM public.fresh"},
	{name: "compiled for nothing", set: `SET jit = on; SET jit_above_cost = 0; SET jit_optimize_above_cost = 0; SET jit_inline_above_cost = 0`,
		sql: `SELECT sum(amount), max(product), min(order_id) FROM lines WHERE amount > 1 AND product > 2`, want: []string{find.JITOverhead}, fix: "jit"},
	{name: "CTE as a fence", sql: `WITH o AS MATERIALIZED (SELECT * FROM orders) SELECT * FROM o WHERE id = 77`, want: []string{find.CTEFence}},
	{name: "deep page", sql: `SELECT id, note FROM orders ORDER BY id LIMIT 10 OFFSET 60000`, want: []string{find.DeepOffset}},
	{name: "everything", sql: `SELECT id FROM orders`, want: []string{find.NoLimit}},
	{name: "foreign key without index", sql: `DELETE FROM parents WHERE id < 400`, want: []string{find.TriggerTime}, o: ExplainOptions{RunWrites: true}},
}

// healthy statements have plans that nothing is wrong with.
var healthy = []planted{
	{name: "by primary key", sql: `SELECT * FROM orders WHERE id = 77`},
	{name: "several by primary key", sql: `SELECT * FROM orders WHERE id = ANY ('{1,2,3,500,70000}')`},
	{name: "range by index", sql: `SELECT * FROM orders WHERE created_at BETWEEN '2024-01-05' AND '2024-01-06'`},
	{name: "varchar by index", sql: `SELECT * FROM orders WHERE code = 'C77'`},
	{name: "whole table grouped", sql: `SELECT status, count(*), sum(total) FROM orders GROUP BY status`},
	{name: "half of the table", sql: `SELECT count(*) FROM orders WHERE total > 400`},
	{name: "join of all", sql: `SELECT count(*) FROM orders o JOIN customers c ON c.id = o.customer_id`},
	{name: "small table", sql: `SELECT value FROM settings WHERE name = 's7'`},
	{name: "page by key", sql: `SELECT id, note FROM orders WHERE id > 60000 ORDER BY id LIMIT 10`},
	{name: "second page", sql: `SELECT id FROM orders ORDER BY id LIMIT 10 OFFSET 20`},
	{name: "newest, by index", sql: `SELECT id FROM orders ORDER BY created_at DESC LIMIT 20`},
	{name: "index only", sql: `SELECT count(*) FROM orders WHERE created_at > '2024-03-01'`},
	{name: "CTE read twice", sql: `WITH s AS (SELECT customer_id, sum(total) t FROM orders GROUP BY 1) SELECT max(a.t), min(b.t) FROM s a JOIN s b USING (customer_id)`},
	{name: "expression index", sql: `SELECT id, email FROM customers WHERE lower(city) = 'city7' LIMIT 50`},
	{name: "exists", sql: `SELECT count(*) FROM customers c WHERE EXISTS (SELECT FROM orders o WHERE o.customer_id = c.id)`},
	{name: "nested loop by key", sql: `SELECT o.id, c.email FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.id BETWEEN 100 AND 200`},
	{name: "few subqueries", sql: `SELECT s.name, (SELECT count(*) FROM parents) FROM settings s`},
	{name: "window", sql: `SELECT max(r) FROM (SELECT row_number() OVER (PARTITION BY amount ORDER BY id) r FROM lines) x`},
	{name: "sort in memory", sql: `SELECT product, count(*) FROM lines GROUP BY product ORDER BY 2 DESC LIMIT 5`},
	{name: "first that comes", sql: `SELECT id FROM orders WHERE status = 'closed' LIMIT 5`},
	{name: "insert", sql: `INSERT INTO settings VALUES ('x', 'y')`, o: ExplainOptions{RunWrites: true}},
	{name: "update by key", sql: `UPDATE orders SET total = 1 WHERE id = 5`, o: ExplainOptions{RunWrites: true}},
}

// tally counts what was found of a rule.
type tally struct{ hit, missed, wrong int }

func TestPlanted(t *testing.T) {
	t.Parallel()
	conn := connect(t, localtest.Postgres(t).Database(t))
	run(t, conn, plantedSchema...)
	score := map[string]*tally{}
	of := func(rule string) *tally {
		if score[rule] == nil {
			score[rule] = &tally{}
		}
		return score[rule]
	}
	for _, c := range append(slices.Clone(problems), healthy...) {
		got := judged(t, conn, c)
		for _, rule := range c.want {
			if slices.Contains(got, rule) {
				of(rule).hit++
			} else {
				of(rule).missed++
			}
		}
		for _, rule := range got {
			if !slices.Contains(c.want, rule) {
				of(rule).wrong++
			}
		}
	}
	t.Log("\n" + accuracy(score))
}

// judged explains a case and complains where the findings are not those that are wanted.
func judged(t *testing.T, conn *pgx.Conn, c planted) []string {
	t.Helper()
	run(t, conn, "SET jit = off", "SET work_mem = '64MB'")
	if c.set != "" {
		run(t, conn, c.set)
	}
	r, err := Explain(t.Context(), conn, c.sql, c.o)
	run(t, conn, "RESET ALL")
	if err != nil {
		t.Fatalf("%s: %v", c.name, err)
	}
	slices.Sort(c.want)
	got := r.Rules()
	fixed := c.fix == "" || slices.ContainsFunc(r.Findings, func(f find.Finding) bool { return strings.Contains(strings.Join(f.SQL, " "), c.fix) })
	if !slices.Equal(got, c.want) || !fixed {
		var b strings.Builder
		_ = r.WriteText(&b)
		t.Errorf("%s: found %v, want %v and %q\n%s\n%s", c.name, got, c.want, c.fix, c.sql, b.String())
	}
	return got
}

// accuracy is a table of how well each rule did.
func accuracy(score map[string]*tally) string {
	var b strings.Builder
	b.WriteString("| rule | planted | found | wrongly found | precision | recall |\n| --- | --- | --- | --- | --- | --- |\n")
	all := tally{}
	line := func(name string, s tally) {
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %.2f | %.2f |\n", name, s.hit+s.missed, s.hit, s.wrong,
			float64(s.hit)/float64(max(1, s.hit+s.wrong)), float64(s.hit)/float64(max(1, s.hit+s.missed)))
	}
	for _, rule := range slices.Sorted(maps.Keys(score)) {
		s := score[rule]
		line(rule, *s)
		all = tally{all.hit + s.hit, all.missed + s.missed, all.wrong + s.wrong}
	}
	line("all", all)
	return b.String()
}
