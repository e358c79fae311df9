package duckstore

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// part is a file of a day's events.
type part struct {
	file     string
	day      time.Time
	events   int64
	bytes    int64
	weighted bool // whether it has the column weight: schema 1 had none
}

func (p part) row() string {
	return fmt.Sprintf("(%s, '%s', %d, %d, %t)", literal(p.file), p.day.Format(time.DateOnly), p.events, p.bytes, p.weighted)
}

func partName(d time.Time) string {
	return fmt.Sprintf("%s-%d.parquet", d.Format(time.DateOnly), time.Now().UnixNano())
}

// within is the condition for a day's events.
func within(d time.Time) string {
	return fmt.Sprintf("time >= %s AND time < %s", stamp(d), stamp(d.Add(day)))
}

func (s *Store) parts(ctx context.Context) ([]part, error) { return partsOf(ctx, s.db) }

func partsOf(ctx context.Context, from interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
},
) (list []part, err error) {
	rows, err := from.QueryContext(ctx, "SELECT file, day, events, bytes, weighted FROM part ORDER BY file")
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // Err tells
	for rows.Next() {
		var p part
		if err := rows.Scan(&p.file, &p.day, &p.events, &p.bytes, &p.weighted); err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, rows.Err()
}

// compactedView shows what is in the files of days.
func (s *Store) compactedView(parts []part) string {
	files := map[bool][]string{}
	for _, p := range parts {
		files[p.weighted] = append(files[p.weighted], literal(filepath.Join(s.o.Dir, filesDir, p.file)))
	}
	var all []string
	if f := files[false]; len(f) > 0 {
		all = append(all, "SELECT *, 1::FLOAT AS weight FROM read_parquet(["+strings.Join(f, ",")+"])")
	}
	if f := files[true]; len(f) > 0 {
		all = append(all, "SELECT * FROM read_parquet(["+strings.Join(f, ",")+"])")
	}
	if len(all) == 0 {
		all = []string{fromTable + " WHERE false"}
	}
	return "CREATE OR REPLACE VIEW compacted_event AS " + strings.Join(all, " UNION ALL ")
}
