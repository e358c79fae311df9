package duckstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Maintain implements analytics.Store: it compacts days that are old enough and forgets those that are too old.
func (s *Store) Maintain(ctx context.Context, now time.Time) error {
	s.maintain.Lock()
	defer s.maintain.Unlock()
	if s.o.Keep > 0 {
		before := now.Add(-s.o.Keep).UTC().Truncate(day)
		if err := errors.Join(s.forget(ctx, before), s.forgetLanded(before)); err != nil {
			return err
		}
	}
	if err := errors.Join(s.sweepRemoved(), s.merge(ctx)); err != nil {
		return err
	}
	if s.o.CompactAfter < 0 {
		return nil
	}
	before := now.Add(-s.o.CompactAfter).UTC().Truncate(day)
	if err := s.compactLanded(ctx, before); err != nil {
		return fmt.Errorf("duckstore: compaction of landed files: %w", err)
	}
	days, err := s.daysOf(ctx, "event WHERE time < "+stamp(before))
	if err != nil {
		return err
	}
	for _, d := range days {
		if err := s.compact(ctx, d); err != nil {
			return fmt.Errorf("duckstore: compaction of %s: %w", d.Format(time.DateOnly), err)
		}
	}
	return nil
}

// daysOf are those with events in what is read.
func (s *Store) daysOf(ctx context.Context, from string) (days []time.Time, err error) {
	rows, err := s.db.QueryContext(ctx, "SELECT DISTINCT date_trunc('day', time)::TIMESTAMP FROM "+from+" ORDER BY 1")
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // Err tells
	for rows.Next() {
		var d time.Time
		if err := rows.Scan(&d); err != nil {
			return nil, err
		}
		days = append(days, d)
	}
	return days, rows.Err()
}

// compact writes one day into a file of its own, then, in one transaction, lists the file and deletes the rows that are in it. Late events
// make another file of the same day, which costs a little and is rare.
func (s *Store) compact(ctx context.Context, d time.Time) error {
	name := partName(d)
	path := filepath.Join(s.o.Dir, filesDir, name)
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	// One transaction sees one state of the table: what arrives meanwhile is neither written nor deleted.
	where := within(d)
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("COPY (SELECT * REPLACE (kind::VARCHAR AS kind) FROM event WHERE %s ORDER BY kind, time) TO %s (%s)", where, literal(path), asFile)); err != nil {
		_ = os.Remove(path)
		return err
	}
	if err := syncFile(path); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	res, err := tx.ExecContext(ctx, "DELETE FROM event WHERE "+where)
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO part VALUES "+part{name, d, n, info.Size(), true}.row()); err != nil {
		return err
	}
	if err := s.view(ctx, tx); err != nil {
		return err
	}
	return tx.Commit()
}

// syncFile forces a file and its name to disk.
func syncFile(path string) error {
	for _, p := range []string{path, filepath.Dir(path)} {
		f, err := os.Open(p)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// view makes "compacted_event" show what the list of files says, in the transaction that changes the list.
func (s *Store) view(ctx context.Context, tx *sql.Tx) error {
	parts, err := partsOf(ctx, tx)
	if err == nil {
		_, err = tx.ExecContext(ctx, s.compactedView(parts))
	}
	return err
}

// forget deletes what happened before a day.
func (s *Store) forget(ctx context.Context, before time.Time) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	res, err := tx.ExecContext(ctx, "DELETE FROM event WHERE time < "+stamp(before))
	if err != nil {
		return err
	}
	rows, _ := res.RowsAffected()
	res, err = tx.ExecContext(ctx, "DELETE FROM part WHERE day < ?", before)
	if err != nil {
		return err
	}
	files, _ := res.RowsAffected()
	if rows == 0 && files == 0 {
		return nil
	}
	if err := s.view(ctx, tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	return s.sweepFiles(ctx)
}

// tidy removes what a process that was killed left behind, and makes the view anew: the folder may have been moved.
func (s *Store) tidy(ctx context.Context) error {
	if err := s.write.load(); err != nil {
		return fmt.Errorf("duckstore: its landed files: %w", err)
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	if err := s.view(ctx, tx); err != nil {
		return fmt.Errorf("duckstore: its Parquet files: %w", err)
	}
	if _, err := tx.ExecContext(ctx, "CREATE OR REPLACE VIEW events AS SELECT * FROM fresh UNION ALL SELECT * FROM compacted_event"); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	exports := filepath.Join(s.o.Dir, exportsDir)
	if err := errors.Join(os.RemoveAll(exports), os.MkdirAll(exports, 0o700)); err != nil {
		return err
	}
	return s.sweepFiles(ctx)
}

// sweepFiles removes Parquet files that are not listed.
func (s *Store) sweepFiles(ctx context.Context) error {
	entries, err := os.ReadDir(filepath.Join(s.o.Dir, filesDir))
	if err != nil {
		return err
	}
	for _, e := range entries {
		var listed bool
		if err := s.db.QueryRowContext(ctx, "SELECT count(*) > 0 FROM part WHERE file = ?", e.Name()).Scan(&listed); err != nil {
			return err
		}
		if !listed {
			if err := os.Remove(filepath.Join(s.o.Dir, filesDir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
