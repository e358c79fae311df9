package duckstore

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Force runs any statement.
func Force(t *testing.T, s *Store, query string) {
	t.Helper()
	if _, err := s.db.ExecContext(t.Context(), query); err != nil {
		t.Fatal(err)
	}
}

// MakeOld makes a store as version 1 of the schema had it, with an event in the table and one in a file.
func MakeOld(ctx context.Context, dir string) error {
	files := filepath.Join(dir, filesDir)
	if err := os.MkdirAll(files, 0o700); err != nil {
		return err
	}
	db, err := sql.Open("duckdb", filepath.Join(dir, databaseFile))
	if err != nil {
		return err
	}
	defer db.Close()
	row := "INSERT INTO event VALUES (uuid(), '2026-11-20 12:00:00', '2026-11-20 12:00:01', 'order', 7, NULL, uuid(), NULL, NULL, 1, 500, 'EUR', 'outbox', NULL)"
	steps := append([]string{"CREATE TABLE schema_version (version INTEGER)"}, migrations[0]...)
	steps = append(steps, "INSERT INTO schema_version VALUES (1)", row,
		"COPY (SELECT * REPLACE (kind::VARCHAR AS kind) FROM event) TO "+literal(filepath.Join(files, "old.parquet"))+" (FORMAT parquet)",
		"DELETE FROM event", row, "INSERT INTO part VALUES ('old.parquet', '2026-11-20', 1, 100)", "UPDATE place SET stream = 's', sequence = 9")
	for _, q := range steps {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("%s: %w", q, err)
		}
	}
	return nil
}

// LandedFiles is a pattern of all files that transactions were written as, in SQL.
func (s *Store) LandedFiles() string { return literal(filepath.Join(s.write.dir, "*.parquet")) }
