package duckstore_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stampede-shop/stampede/analytics"
	"github.com/stampede-shop/stampede/analytics/duckstore"
	"github.com/stampede-shop/stampede/analytics/storetest"
)

func open(t testing.TB, o duckstore.Options) *duckstore.Store {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	o.MemoryMiB, o.Threads = 256, 1
	s, err := duckstore.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

var noon = storetest.Noon

func batchOf(n int, at time.Time) *analytics.Batch { return storetest.BatchOf(n, at) }

func TestStore(t *testing.T) {
	t.Parallel()
	empty := func(t testing.TB) analytics.Store { return open(t, duckstore.Options{}) }
	storetest.Run(t, empty)
	storetest.SQL(t, empty)
}

func query(t *testing.T, s *duckstore.Store, sql string) [][]any { return storetest.Query(t, s, sql) }

// What is refused must be refused before anything of it is run.
func TestQueriesOnlyRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	secret := filepath.Join(t.TempDir(), "secret.csv")
	if err := os.WriteFile(secret, []byte("a,b\n1,2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, duckstore.Options{Dir: dir})
	if err := s.Append(t.Context(), []*analytics.Batch{batchOf(10, noon)}, analytics.Place{}); err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{
		"DELETE FROM event", "INSERT INTO place VALUES ('a', 1)", "DROP VIEW events", "CREATE TABLE x (a INT)", "SELECT 1; DELETE FROM event",
		"DELETE FROM event; SELECT 1", "EXPLAIN ANALYZE DELETE FROM event", "COPY event TO '" + filepath.Join(dir, "parquet", "x.csv") + "'",
		"EXPLAIN ANALYZE COPY event TO '" + filepath.Join(dir, "parquet", "x.csv") + "'", "ATTACH '" + filepath.Join(dir, "other.duckdb") + "'",
		"SET enable_external_access=true", "INSTALL httpfs", "CALL pragma_version()", "BEGIN", "", ";",
		"WITH x AS (SELECT 1) INSERT INTO place SELECT 'a', 1",
	} {
		if _, err := s.Query(t.Context(), q, analytics.QueryOptions{}); !errors.Is(err, analytics.ErrNotRead) {
			t.Errorf("%s: %v", q, err)
		}
		if err := s.Export(t.Context(), &bytes.Buffer{}, q, analytics.CSV); !errors.Is(err, analytics.ErrNotRead) {
			t.Errorf("export of %s: %v", q, err)
		}
	}
	for _, q := range []string{
		"SELECT * FROM read_csv('" + secret + "')", "SELECT * FROM '" + secret + "'", "SELECT * FROM read_text('/etc/hostname')",
		"SELECT * FROM glob('/*')", "SELECT * FROM read_csv('http://127.0.0.1:1/x')",
		"SELECT * FROM read_text('" + filepath.Join(dir, "parquet", "..", "events.duckdb") + "')",
	} {
		if r, err := s.Query(t.Context(), q, analytics.QueryOptions{}); err == nil {
			t.Errorf("%s: answered %v", q, r.Rows)
		}
	}
	if rows := query(t, s, "SELECT count(*) FROM events"); rows[0][0] != int64(10) {
		t.Errorf("events: %v", rows)
	}
	for _, q := range []string{"EXPLAIN SELECT 1", "explain analyze select count(*) from events", "FROM events LIMIT 1", "WITH x AS (SELECT 1 a) SELECT a FROM x -- end"} {
		query(t, s, q)
	}
}

func TestQueriesAreBounded(t *testing.T) {
	t.Parallel()
	s := open(t, duckstore.Options{})
	r, err := s.Query(t.Context(), "SELECT * FROM range(100)", analytics.QueryOptions{MaxRows: 7})
	if err != nil || len(r.Rows) != 7 || !r.More {
		t.Errorf("%d rows, more %v: %v", len(r.Rows), r.More, err)
	}
	_, err = s.Query(t.Context(), "SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b", analytics.QueryOptions{Timeout: 50 * time.Millisecond})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("endless query: %v", err)
	}
	query(t, s, "SELECT 1") // its connection is still of use
}

func TestCompactionKeepsEveryEventOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, duckstore.Options{Dir: dir, CompactAfter: 24 * time.Hour, Keep: 10 * 24 * time.Hour})
	for d := range 5 {
		if err := s.Append(t.Context(), []*analytics.Batch{batchOf(100, noon.AddDate(0, 0, d))}, analytics.Place{}); err != nil {
			t.Fatal(err)
		}
	}
	now := noon.AddDate(0, 0, 4)
	const sums = "SELECT count(*), count(DISTINCT id), sum(amount)::BIGINT, count(*) FILTER (kind = 'order'), max(time) FROM events"
	before := query(t, s, sums)
	orphan := filepath.Join(dir, "parquet", "left-behind.parquet")
	if err := os.WriteFile(orphan, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time there is nothing to do
		if err := s.Maintain(t.Context(), now); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(before, query(t, s, sums)); diff != "" {
		t.Error(diff)
	}
	if st, err := s.Stats(t.Context()); err != nil || st.Files != 3 || st.Events != 500 {
		t.Errorf("%+v %v", st, err)
	}
	found, err := s.Stored(t.Context(), []analytics.ID{analytics.NewID()}, noon, now)
	if err != nil || len(found) > 0 {
		t.Error(found, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, duckstore.Options{Dir: dir, Keep: 48 * time.Hour, CompactAfter: -1})
	if _, err := os.Stat(orphan); !errors.Is(err, os.ErrNotExist) {
		t.Error("what a crash left behind is still there")
	}
	if diff := cmp.Diff(before, query(t, s, sums)); diff != "" {
		t.Error(diff)
	}
	if err := s.Maintain(t.Context(), now); err != nil { // the third day and later are kept
		t.Fatal(err)
	}
	if rows := query(t, s, "SELECT count(*) FROM events"); rows[0][0] != int64(300) {
		t.Errorf("kept %v", rows)
	}
}

func TestExport(t *testing.T) {
	t.Parallel()
	s := open(t, duckstore.Options{})
	var out bytes.Buffer
	if err := s.Export(t.Context(), &out, "SELECT 1 AS a, 'x' AS b; ", analytics.CSV); err != nil || out.String() != "a,b\n1,x\n" {
		t.Errorf("%q %v", out.String(), err)
	}
	out.Reset()
	if err := s.Export(t.Context(), &out, "SELECT 1 AS a", analytics.Parquet); err != nil || !strings.HasPrefix(out.String(), "PAR1") {
		t.Errorf("%d bytes %v", out.Len(), err)
	}
	out.Reset()
	const lines = "{\"a\":\"2026-11-27T07:00:00.000000Z\",\"b\":\"x\\\"y\"}\n{\"a\":\"2026-11-27T08:00:00.500000Z\",\"b\":null}\n"
	if err := s.Export(t.Context(), &out, `SELECT TIMESTAMP '2026-11-27 07:00:00' AS a, 'x"y' AS b UNION ALL SELECT TIMESTAMP '2026-11-27 08:00:00.5', NULL ORDER BY a`, analytics.JSON); err != nil || out.String() != lines {
		t.Errorf("%q %v", out.String(), err)
	}
}

func TestAnOlderStoreIsRefusedByAnOlderProgram(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, duckstore.Options{Dir: dir})
	duckstore.Force(t, s, "INSERT INTO schema_version VALUES (999)")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err := duckstore.Open(t.Context(), duckstore.Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "999") {
		t.Errorf("%v %v", s, err)
	}
}
