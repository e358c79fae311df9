package duckstore

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/stampede-shop/stampede/analytics"
)

// Export implements analytics.Store. The file is written in the store's folder first: DuckDB reaches no other place.
func (s *Store) Export(ctx context.Context, w io.Writer, query string, format analytics.Format) error {
	var how string
	switch format {
	case analytics.Parquet:
		how = "FORMAT parquet, COMPRESSION zstd"
	case analytics.CSV:
		how = "FORMAT csv, HEADER"
	case analytics.JSON:
		how = "FORMAT json, TIMESTAMPFORMAT '%Y-%m-%dT%H:%M:%S.%fZ'"
	default:
		return fmt.Errorf("there is no format %q: take parquet, csv or json", format)
	}
	path := filepath.Join(s.o.Dir, exportsDir, analytics.NewID().String())
	defer os.Remove(path) //nolint:errcheck // tidied at the next start at the latest
	query = strings.TrimRight(strings.TrimSpace(query), ";")
	err := s.reading(ctx, query, func(conn *sql.Conn) error {
		_, err := conn.ExecContext(ctx, fmt.Sprintf("COPY (%s\n) TO %s (%s)", query, literal(path), how))
		return err
	})
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	_, err = io.Copy(w, f)
	return err
}
