package duckstore_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stampede-shop/stampede/analytics"
	"github.com/stampede-shop/stampede/analytics/duckstore"
)

// What is written as a file reads as what is written into the table, column by column.
func TestFilesAndTableHoldTheSame(t *testing.T) {
	t.Parallel()
	var batches []*analytics.Batch
	for i, n := range []int{1, 7, 3000, 130_000, 9} { // more than a row group, and batches across two
		b := batchOf(n, noon.Add(time.Duration(i)*time.Minute))
		if i == 2 {
			b.Weights = make([]float32, n)
			for j := range b.Weights {
				b.Weights[j] = float32(1 + j%3)
			}
		}
		for j := range b.Queries {
			b.Queries[j] = b.Word(fmt.Sprint("query ", j%1000))
		}
		batches = append(batches, b)
	}
	table, files := open(t, duckstore.Options{Land: -1}), open(t, duckstore.Options{Land: 1})
	for _, s := range []*duckstore.Store{table, files} {
		if err := s.Append(t.Context(), batches, analytics.Place{Stream: "s", Sequence: 3}); err != nil {
			t.Fatal(err)
		}
	}
	for _, q := range []string{
		"SELECT count(*), count(DISTINCT id), sum(weight), typeof(any_value(kind)), typeof(any_value(id)), typeof(any_value(time)), typeof(any_value(shopper)), typeof(any_value(weight)) FROM events",
		"SELECT * FROM (SELECT bit_xor(hash(COLUMNS(*)))::VARCHAR FROM events)",
		"SELECT * FROM (SELECT count(COLUMNS(*)) FROM events)",
		"SELECT count(*) FROM events WHERE time BETWEEN '2026-11-20 12:02:00' AND '2026-11-20 12:02:01'",
		"SELECT * FROM events WHERE order_id IS NOT NULL ORDER BY id LIMIT 20",
	} {
		if diff := cmp.Diff(query(t, table, q), query(t, files, q)); diff != "" {
			t.Errorf("%s: %s", q, diff)
		}
	}
	if at, err := files.Place(t.Context()); err != nil || at.Sequence != 3 {
		t.Error(at, err)
	}
}

// Files are joined when there are many, go by the day when they are old, and each event is there once all the while.
func TestLandedFilesAreMergedAndCompacted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := duckstore.Options{Dir: dir, CompactAfter: 24 * time.Hour, Keep: 20 * 24 * time.Hour, Land: 100}
	s := open(t, o)
	const sums = "SELECT count(*), count(DISTINCT id), sum(amount)::BIGINT, count(*) FILTER (kind = 'order'), max(time), sum(weight) FROM events"
	for i := range 40 { // over two days, and a little into the table
		b := batchOf(100-i%2*50, noon.Add(time.Duration(i)*time.Hour))
		if err := s.Append(t.Context(), []*analytics.Batch{b}, analytics.Place{}); err != nil {
			t.Fatal(err)
		}
		if i == 30 {
			s.Append(t.Context(), []*analytics.Batch{batchOf(6000, noon)}, analytics.Place{}) //nolint:errcheck // seen by the sums
		}
	}
	for i := range 20 {
		b := batchOf(100, noon.Add(time.Duration(i)*time.Minute))
		if err := s.Append(t.Context(), []*analytics.Batch{b}, analytics.Place{}); err != nil {
			t.Fatal(err)
		}
	}
	before := query(t, s, sums)
	if before[0][0] != int64(20*100+20*50+6000+20*100) {
		t.Fatal(before)
	}
	check := func(what string, files int64) {
		t.Helper()
		if diff := cmp.Diff(before, query(t, s, sums)); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
		if st, err := s.Stats(t.Context()); err != nil || st.Files != files || st.Events != before[0][0] {
			t.Errorf("%s: %+v %v", what, st, err)
		}
	}
	if err := s.Maintain(t.Context(), noon.AddDate(0, 0, 1)); err != nil { // nothing is old
		t.Fatal(err)
	}
	check("merged", 0)
	if rows := query(t, s, "SELECT count(*) FROM landed"); rows[0][0] != int64(10) {
		t.Errorf("%v files are listed, of 41", rows)
	}
	if n := len(names(t, filepath.Join(dir, "landed"))); n != 42 {
		t.Errorf("%d files: those that were merged may still be read", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	orphan := filepath.Join(dir, "landed", "1.parquet") // a process was killed before its transaction
	if err := os.WriteFile(orphan, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	s = open(t, o)
	check("opened again", 0)
	if n := len(names(t, filepath.Join(dir, "landed"))); n != 10 {
		t.Errorf("%d files after a start", n)
	}
	for range 2 {
		if err := s.Maintain(t.Context(), noon.AddDate(0, 0, 4)); err != nil {
			t.Fatal(err)
		}
	}
	st, err := s.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	check("compacted", st.Files)
	if rows := query(t, s, "SELECT (SELECT count(*) FROM landed) + (SELECT count(*) FROM event)"); rows[0][0] != int64(0) || st.Files < 2 {
		t.Errorf("left %v, %d files", rows, st.Files)
	}
	if err := s.Maintain(t.Context(), noon.AddDate(0, 0, 60)); err != nil {
		t.Fatal(err)
	}
	if rows := query(t, s, "SELECT count(*) FROM events"); rows[0][0] != int64(0) {
		t.Errorf("%v are kept for ever", rows)
	}
}

func names(t *testing.T, dir string) []os.DirEntry {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestAStoreOfSchemaOneIsMigrated(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := duckstore.MakeOld(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	for i := range 2 { // the second time there is nothing to do
		s := open(t, duckstore.Options{Dir: dir, Land: 1})
		if at, err := s.Place(t.Context()); err != nil || at.Sequence != uint64(9+i) {
			t.Error(at, err)
		}
		want := [][]any{{int64(2 + i), float64(2 + i), int64(1000)}}
		if diff := cmp.Diff(want, query(t, s, "SELECT count(*), sum(weight), sum(amount)::BIGINT FROM events")); diff != "" {
			t.Error(diff)
		}
		if err := s.Append(t.Context(), []*analytics.Batch{batchOf(1, noon)}, analytics.Place{Stream: "s", Sequence: 10}); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
