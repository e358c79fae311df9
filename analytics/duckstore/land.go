package duckstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/stampede-shop/stampede/analytics"
	"github.com/stampede-shop/stampede/analytics/duckstore/internal/parquet"
)

// landed is a file that transactions were written as. The list of them is in the database too; the view "landed" shows what is in them.
type landed struct {
	file   string // its name
	events int64
	bytes  int64
	newest int64 // µs, of the events' own times
}

func (l landed) row() string {
	return fmt.Sprintf("(%s, %d, %d, make_timestamp(%d))", literal(l.file), l.events, l.bytes, l.newest)
}

// land writes events as a file of their own, forces it to disk, and then, in one transaction, lists it and moves the place on. A file
// that is on no list was never stored.
func (w *writer) land(batches []*analytics.Batch, at analytics.Place) error {
	one, err := w.file(batches)
	if err == nil {
		err = w.switchLanded(nil, []landed{one}, func() error { return w.place(at) })
	}
	if err != nil {
		_ = os.Remove(filepath.Join(w.dir, one.file))
	}
	return err
}

// file writes one file with events.
func (w *writer) file(batches []*analytics.Batch) (one landed, err error) {
	one.file = fmt.Sprintf("%d.parquet", time.Now().UnixNano())
	path := filepath.Join(w.dir, one.file)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return one, err
	}
	for _, b := range batches {
		one.events += int64(b.Len())
		for _, t := range b.Times {
			one.newest = max(one.newest, t)
		}
	}
	to := parquet.NewWriter(f, landedColumns)
	w.group.reset()
	w.order.sort(batches)
	for _, kind := range kindsByName {
		for i, b := range batches {
			if err == nil {
				err = w.groups(to, b, w.order.of(i, kind))
			}
		}
	}
	if err == nil {
		err = w.group.write(to)
	}
	if err == nil {
		err = to.Close()
	}
	if info, stat := f.Stat(); stat == nil {
		one.bytes = info.Size()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = syncFile(path)
	}
	return one, err
}

// groups adds some events of a batch to the row group, and writes those that are full.
func (w *writer) groups(to *parquet.Writer, b *analytics.Batch, some []uint32) error {
	for len(some) > 0 {
		n := min(len(some), groupRows-w.group.rows)
		w.group.add(b, some[:n])
		if some = some[n:]; w.group.rows == groupRows {
			if err := w.group.write(to); err != nil {
				return err
			}
		}
	}
	return nil
}

// switchLanded takes files off the list and puts others on it, together with what f does in the same transaction; the lock is held.
func (w *writer) switchLanded(off map[string]bool, on []landed, f func() error) error {
	list := make([]landed, 0, len(w.landed)+len(on))
	for _, l := range w.landed {
		if !off[l.file] {
			list = append(list, l)
		}
	}
	list = append(list, on...)
	err := w.transaction(func() error {
		for file := range off {
			if err := run(w.conn, "DELETE FROM landed WHERE file = "+literal(file)); err != nil {
				return err
			}
		}
		for _, l := range on {
			if err := run(w.conn, "INSERT INTO landed VALUES "+l.row()); err != nil {
				return err
			}
		}
		if err := run(w.conn, w.landedView(list)); err != nil {
			return err
		}
		return f()
	})
	if err == nil {
		w.landed = list
	}
	return err
}

// landedView shows what is in landed files.
func (w *writer) landedView(list []landed) string {
	const view = "CREATE OR REPLACE VIEW landed_event AS "
	if len(list) == 0 {
		return view + fromTable + " WHERE false"
	}
	return view + "SELECT * FROM " + w.read(list)
}

// fromTable reads the table as files are read: kinds are texts there, and making numbers of them again costs more than most queries.
const fromTable = "SELECT * REPLACE (kind::VARCHAR AS kind) FROM event"

// read is the table function that reads these files.
func (w *writer) read(list []landed) string {
	files := make([]string, len(list))
	for i, l := range list {
		files[i] = literal(filepath.Join(w.dir, l.file))
	}
	return "read_parquet([" + strings.Join(files, ",") + "])"
}

// load reads the list, removes files that are not on it, and makes the views anew: the folder may have been moved.
func (w *writer) load() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.landed = nil
	listed := map[string]bool{}
	err := w.rows("SELECT file, events, bytes, epoch_us(newest) FROM landed ORDER BY file", func(chunk mapping.DataChunk, n int) {
		files := mapping.DataChunkGetVector(chunk, 0)
		names := vectorOf[mapping.StringT](files, n)
		for i := range n {
			l := landed{file: mapping.StringTData(&names[i]), events: vectorOf[int64](mapping.DataChunkGetVector(chunk, 1), n)[i],
				bytes: vectorOf[int64](mapping.DataChunkGetVector(chunk, 2), n)[i], newest: vectorOf[int64](mapping.DataChunkGetVector(chunk, 3), n)[i]}
			w.landed, listed[l.file] = append(w.landed, l), true
		}
	})
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(w.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !listed[e.Name()] {
			if err := os.Remove(filepath.Join(w.dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return w.transaction(func() error {
		if err := run(w.conn, w.landedView(w.landed)); err != nil {
			return err
		}
		return run(w.conn, "CREATE OR REPLACE VIEW fresh AS "+fromTable+" UNION ALL SELECT * FROM landed_event")
	})
}
