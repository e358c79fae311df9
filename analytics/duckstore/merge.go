package duckstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const (
	mergeFrom  = 32               // so many small files become one, or as many as make up mergeMost
	mergeMost  = 64 * groupRows   // events, which are sorted
	smallFile  = 8 * groupRows    // events; what is larger is not merged
	lingerFile = 11 * time.Minute // how long a file stays that a query may still read: queries end after ten
)

// asFile is how DuckDB writes what stays: LZ4 takes a tenth more room than Zstandard, and two thirds of its time to read.
const asFile = "FORMAT parquet, COMPRESSION lz4_raw, ROW_GROUP_SIZE 122880"

// removal is a file to be removed.
type removal struct {
	path string
	at   time.Time
}

// merge makes one file of many small ones, so that queries open few.
func (s *Store) merge(ctx context.Context) error {
	for {
		s.write.mu.Lock()
		name := fmt.Sprintf("%d.parquet", time.Now().UnixNano())
		one := landed{file: name}
		var small []landed
		for _, l := range s.write.landed {
			if l.events < smallFile && len(small) < mergeFrom && one.events < mergeMost {
				small = append(small, l)
				one.events, one.newest = one.events+l.events, max(one.newest, l.newest)
			}
		}
		s.write.mu.Unlock()
		if len(small) < mergeFrom && one.events < mergeMost {
			return nil
		}
		var err error
		if one.bytes, err = s.rewrite(ctx, "SELECT * FROM "+s.write.read(small)+" ORDER BY kind, time", filepath.Join(s.write.dir, name)); err != nil {
			return err
		}
		if err := s.replaceLanded(small, []landed{one}); err != nil {
			return err
		}
	}
}

// rewrite writes what a query yields into a file and forces it to disk.
func (s *Store) rewrite(ctx context.Context, query, path string) (bytes int64, err error) {
	_, err = s.db.ExecContext(ctx, "COPY ("+query+") TO "+literal(path)+" ("+asFile+")")
	if err == nil {
		err = syncFile(path)
	}
	info, stat := os.Stat(path)
	if err = errors.Join(err, stat); err != nil {
		_ = os.Remove(path)
		return 0, err
	}
	return info.Size(), nil
}

// replaceLanded takes files off the list for others, of either kind, in one transaction. They are removed when no query reads them any more.
func (s *Store) replaceLanded(off []landed, on []landed, also ...string) error {
	w := &s.write
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ready {
		return errClosed
	}
	names := map[string]bool{}
	for _, l := range off {
		names[l.file] = true
	}
	err := w.switchLanded(names, on, func() error {
		for _, q := range also {
			if err := run(w.conn, q); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, l := range off {
		s.removed = append(s.removed, removal{filepath.Join(w.dir, l.file), time.Now()})
	}
	return nil
}

// sweepRemoved removes files that nobody reads any more.
func (s *Store) sweepRemoved() error {
	var errs []error
	left := s.removed[:0]
	for _, r := range s.removed {
		if time.Since(r.at) < lingerFile {
			left = append(left, r)
		} else if err := os.Remove(r.path); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	s.removed = left
	return errors.Join(errs...)
}

// olderThan are the files all of whose events are older than a moment.
func (w *writer) olderThan(before time.Time) (old []landed) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.landed {
		if l.newest < before.UnixMicro() {
			old = append(old, l)
		}
	}
	return old
}

// compactLanded writes landed files all of whose events are older than a moment by the day.
func (s *Store) compactLanded(ctx context.Context, before time.Time) error {
	old := s.write.olderThan(before)
	if len(old) == 0 {
		return nil
	}
	from := s.write.read(old)
	days, err := s.daysOf(ctx, from)
	if err != nil {
		return err
	}
	parts, err := s.parts(ctx)
	if err != nil {
		return err
	}
	var also []string
	for _, d := range days {
		p := part{file: partName(d), day: d, weighted: true}
		q := fmt.Sprintf("SELECT * FROM %s WHERE %s ORDER BY kind, time", from, within(d))
		path := filepath.Join(s.o.Dir, filesDir, p.file)
		if p.bytes, err = s.rewrite(ctx, q, path); err == nil {
			err = s.db.QueryRowContext(ctx, "SELECT count(*) FROM read_parquet("+literal(path)+")").Scan(&p.events)
		}
		if err != nil {
			return err
		}
		parts, also = append(parts, p), append(also, "INSERT INTO part VALUES "+p.row())
	}
	return s.replaceLanded(old, nil, append(also, s.compactedView(parts))...)
}

// forgetLanded drops landed files all of whose events are older than a moment.
func (s *Store) forgetLanded(before time.Time) error {
	old := s.write.olderThan(before)
	if len(old) == 0 {
		return nil
	}
	return s.replaceLanded(old, nil)
}
