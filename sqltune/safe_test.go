package sqltune

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/local/localtest"
)

// Looking at statements changes nothing, whatever they are.
func TestNothingIsChanged(t *testing.T) {
	t.Parallel()
	conn := connect(t, localtest.Postgres(t).Database(t))
	run(t, conn, `CREATE TABLE t (id int PRIMARY KEY)`, `INSERT INTO t VALUES (1), (2)`, `CREATE SEQUENCE s`,
		`CREATE FUNCTION sneaky() RETURNS int LANGUAGE sql AS 'DELETE FROM t RETURNING id'`)
	count := func() (n int) {
		if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM t`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for sql, want := range map[string]string{
		`DELETE FROM t`: "", `WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d`: "", `SELECT * FROM t FOR UPDATE`: "",
		`SELECT sneaky()`: "read-only", `SELECT nextval('s')`: "read-only", `SELECT 1; DELETE FROM t`: "exactly one", `DROP TABLE t`: "only SELECT",
		`SELECT pg_terminate_backend(1)`: "roll-back does not undo", `SELECT 'a`: "does not end", `EXPLAIN ANALYZE DELETE FROM t`: "only SELECT",
		`SELECT set_config('transaction_read_only', 'off', false), sneaky()`: "roll-back does not undo", `SELECT 1 INTO x`: "",
	} {
		r, err := Explain(t.Context(), conn, sql, ExplainOptions{})
		switch {
		case want == "" && (err != nil || r.Plan.Analyzed):
			t.Errorf("%s: %v; it was run, or not explained", sql, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %q", sql, err, want)
		}
		if n := count(); n != 2 {
			t.Fatalf("%s: %d rows are left", sql, n)
		}
	}
	r, err := Explain(t.Context(), conn, `DELETE FROM t`, ExplainOptions{RunWrites: true})
	if err != nil || !r.Plan.Analyzed || r.Plan.Root.Children[0].Rows() != 2 || count() != 2 {
		t.Errorf("a write that is rolled back: %v, %d rows left", err, count())
	}
	r, err = Explain(t.Context(), conn, `SELECT * FROM t WHERE id = $1 LIMIT $2`, ExplainOptions{})
	if err != nil || r.Plan.Analyzed || !strings.Contains(r.Note, "parameters") {
		t.Errorf("a statement with parameters: %v", err)
	}
}

func TestTimeOut(t *testing.T) {
	t.Parallel()
	conn := connect(t, localtest.Postgres(t).Database(t))
	start := time.Now()
	_, err := Explain(t.Context(), conn, `SELECT pg_sleep(60)`, ExplainOptions{Limits: Limits{Timeout: 50 * time.Millisecond}})
	if err == nil || !strings.Contains(err.Error(), "ended after 50ms") || time.Since(start) > 30*time.Second {
		t.Errorf("%v after %s", err, time.Since(start))
	}
	if _, err := Explain(t.Context(), conn, `SELECT 1`, ExplainOptions{}); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestQuery(t *testing.T) {
	t.Parallel()
	conn := connect(t, localtest.Postgres(t).Database(t))
	for _, c := range []struct {
		sql  string
		o    QueryOptions
		want Outcome
	}{
		{`SELECT * FROM generate_series(1, 5000) i ORDER BY i -- all`, QueryOptions{}, Outcome{1000, true, true}},
		{`SELECT * FROM generate_series(1, 1000);`, QueryOptions{}, Outcome{1000, true, false}},
		{`SELECT * FROM generate_series(1, 5000)`, QueryOptions{MaxRows: -1}, Outcome{5000, false, false}},
		{`SELECT * FROM generate_series(1, 5000) LIMIT 3000`, QueryOptions{}, Outcome{3000, false, false}},
		{`WITH a AS (SELECT 1 x, 2 x) TABLE a`, QueryOptions{MaxRows: 5}, Outcome{1, true, false}},
		{`VALUES (1), (NULL)`, QueryOptions{MaxRows: 1}, Outcome{1, true, true}},
		{`SELECT 1 WHERE false`, QueryOptions{}, Outcome{0, true, false}},
	} {
		heads, rows := 0, 0
		out, err := Query(t.Context(), conn, c.sql, c.o, Rows{Columns: func([]string) error { heads++; return nil },
			Row: func([]*string) error { rows++; return nil }})
		if err != nil || out != c.want || heads != 1 || rows != out.Count {
			t.Errorf("%s: %+v, %d heads, %d rows, %v; want %+v", c.sql, out, heads, rows, err, c.want)
		}
	}
	for sql, want := range map[string]error{`DELETE FROM pg_class`: ErrWrites, `SELECT 1 FROM pg_class FOR UPDATE`: ErrWrites, `SELECT $1`: ErrParams, `SELECT 1; SELECT 2`: ErrNotOne} {
		if _, err := Query(t.Context(), conn, sql, QueryOptions{}, Rows{}); !errors.Is(err, want) {
			t.Errorf("%s: %v", sql, err)
		}
	}
}
