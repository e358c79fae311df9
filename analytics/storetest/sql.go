package storetest

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stampede-shop/stampede/analytics"
)

// SQL tests what is asked in the SQL that all stores understand.
func SQL(t *testing.T, open Open) {
	for name, f := range map[string]func(*testing.T, analytics.Store){"columns": columns, "reports": reports, "writes are refused": refused, "bounds": bounds, "csv": csv} {
		t.Run(name, func(t *testing.T) { t.Parallel(); f(t, open(t)) })
	}
}

// Query runs one, or fails the test.
func Query(t testing.TB, s analytics.Store, sql string) [][]any {
	t.Helper()
	r, err := s.Query(t.Context(), sql, analytics.QueryOptions{})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return r.Rows
}

func columns(t *testing.T, s analytics.Store) {
	Append(t, s, analytics.Place{}, BatchOf(5000, Noon))
	want := [][]any{{int64(5000), int64(5000), int64(500), int64(500), int64(4000), int64(4000), "twelve bytes"}}
	rows := Query(t, s, `SELECT count(*), count(DISTINCT id), count(attributes), count(order_id), count(product), count(category),
		min(CASE WHEN category LIKE 'tw%' THEN category END) FROM events`)
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Error(diff)
	}
	e := analytics.Event{ID: analytics.NewID(), Time: Noon.Add(1500 * time.Microsecond), Kind: analytics.KindCancel, Shopper: 1 << 63, Order: analytics.NewID(), Query: "a 'b'\n\"ü\\",
		Quantity: 3, Amount: -5, Currency: "EUR", Source: "web", Attributes: `{"a":[1,"x/y"]}`}
	b := analytics.Batch{Received: Noon.UnixMicro(), Weights: []float32{2.5}}
	b.Add(&e)
	Append(t, s, analytics.Place{Sequence: 1}, &b)
	r, err := s.Query(t.Context(), "SELECT * FROM events WHERE kind = 'cancel'", analytics.QueryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"id", "time", "received", "kind", "shopper", "product", "order_id", "category", "query", "quantity", "amount", "currency", "source", "attributes", "weight"}
	if diff := cmp.Diff(names, r.Columns); diff != "" {
		t.Error(diff)
	}
	row := []any{e.ID.String(), "2026-11-20T12:00:00.0015Z", "2026-11-20T12:00:00Z", "cancel", "9223372036854775808", nil, e.Order.String(), nil, e.Query, "3", "-5", "EUR", "web", e.Attributes, 2.5}
	if diff := cmp.Diff([][]any{row}, [][]any{asText(r.Rows[0])}); diff != "" {
		t.Error(diff)
	}
}

// refused are statements that have to be refused before anything of them is run, or that no store understands.
func refused(t *testing.T, s analytics.Store) {
	Append(t, s, analytics.Place{Stream: "s", Sequence: 3}, BatchOf(10, Noon))
	for _, q := range []string{
		"DELETE FROM event", "INSERT INTO place VALUES ('a', 1)", "DROP VIEW events", "CREATE TABLE x (a INT)", "SELECT 1; DELETE FROM event",
		"DELETE FROM event; SELECT 1", "EXPLAIN ANALYZE DELETE FROM event", "TRUNCATE TABLE event", "ALTER TABLE event DROP COLUMN weight",
		"SET readonly = 0", "BEGIN", "", ";", "-- SELECT 1", "/* SELECT 1 */ DROP TABLE event",
	} {
		if _, err := s.Query(t.Context(), q, analytics.QueryOptions{}); !errors.Is(err, analytics.ErrNotRead) {
			t.Errorf("%s: %v", q, err)
		}
		if err := s.Export(t.Context(), &bytes.Buffer{}, q, analytics.CSV); !errors.Is(err, analytics.ErrNotRead) {
			t.Errorf("export of %s: %v", q, err)
		}
	}
	for _, q := range []string{"WITH x AS (SELECT 1) INSERT INTO place SELECT 'a', 1", "SELECT 1) ; DROP TABLE event --", "SELECT nothing FROM nowhere"} {
		if r, err := s.Query(t.Context(), q, analytics.QueryOptions{}); err == nil {
			t.Errorf("%s: answered %v", q, r.Rows)
		}
	}
	if rows := Query(t, s, "SELECT count(*), min(weight) FROM events; "); rows[0][0] != int64(10) {
		t.Errorf("events: %v", rows)
	}
	if at, err := s.Place(t.Context()); err != nil || at.Sequence != 3 {
		t.Error(at, err)
	}
	for _, q := range []string{"EXPLAIN SELECT 1", "explain select count(*) from events", "WITH x AS (SELECT 1 AS a) SELECT a FROM x -- end", "/* ; */ SELECT ';'", "(SELECT 1)"} {
		if len(Query(t, s, q)) == 0 {
			t.Errorf("%s: no rows", q)
		}
	}
}

func bounds(t *testing.T, s analytics.Store) {
	Append(t, s, analytics.Place{}, BatchOf(100, Noon))
	r, err := s.Query(t.Context(), "SELECT id FROM events", analytics.QueryOptions{MaxRows: 7})
	if err != nil || len(r.Rows) != 7 || !r.More {
		t.Fatalf("%v %v", r, err)
	}
	if r, err = s.Query(t.Context(), "SELECT id FROM events", analytics.QueryOptions{MaxRows: 100}); err != nil || len(r.Rows) != 100 || r.More {
		t.Fatalf("%d rows, more %v: %v", len(r.Rows), r.More, err)
	}
	began := time.Now()
	many := "SELECT sum(length(a.category || b.category || c.category || d.category || e.category)) FROM events a, events b, events c, events d, events e"
	if _, err = s.Query(t.Context(), many, analytics.QueryOptions{Timeout: 100 * time.Millisecond}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a query without an end: %v", err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it ended after %s", took)
	}
	Query(t, s, "SELECT 1") // the store is still of use
}

func csv(t *testing.T, s analytics.Store) {
	var out bytes.Buffer
	if err := s.Export(t.Context(), &out, "SELECT 1 AS a, 'x' AS b, NULL AS c; ", analytics.CSV); err != nil {
		t.Fatal(err)
	}
	if got := string(bytes.ReplaceAll(out.Bytes(), []byte(`"`), nil)); got != "a,b,c\n1,x,\n" {
		t.Errorf("%q", got)
	}
	if err := s.Export(t.Context(), &out, "SELECT 1", "xml"); err == nil {
		t.Error("there is a format that is none")
	}
}
