package duckstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"github.com/duckdb/duckdb-go/v2"
	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/stampede-shop/stampede/analytics"
)

var errClosed = errors.New("duckstore: closed")

// writer is the connection that events are appended through. It fills the memory of DuckDB's vectors column by column: going value by
// value costs more than all the rest of ingestion.
type writer struct {
	mu    sync.Mutex
	db    mapping.Database
	conn  mapping.Connection
	types []mapping.LogicalType
	chunk mapping.DataChunk
	words mapping.DataChunk // of one text column: what texts of a batch are made of
	size  int               // events of a chunk
	ready bool
	text  []stringT

	dir    string // of landed files
	landed []landed
	group  rowGroup
	order  byKind
}

// stringT is duckdb_string_t: its text itself when it is short, a pointer into DuckDB's memory otherwise.
type stringT [2]uint64

// huge is duckdb_hugeint, which a UUID is with its highest bit the other way round.
type huge struct {
	low  uint64
	high uint64
}

// Columns of the table, in their order.
const (
	colID = iota
	colTime
	colReceived
	colKind
	colShopper
	colProduct
	colOrder
	colCategory
	colQuery
	colQuantity
	colAmount
	colCurrency
	colSource
	colAttributes
	colWeight
	columns
)

func (w *writer) open(path, landedDir string) error {
	w.dir = landedDir
	w.group.reset()
	var config mapping.Config
	if mapping.CreateConfig(&config) == mapping.StateError || mapping.SetConfig(config, "duckdb_api", "go") == mapping.StateError {
		return errOf("configuration", "refused")
	}
	defer mapping.DestroyConfig(&config)
	var detail string
	if mapping.GetOrCreateFromCache(duckdb.GetInstanceCache(), path, &w.db, config, &detail) == mapping.StateError {
		return errOf("open "+path, detail)
	}
	w.ready = true
	if mapping.Connect(w.db, &w.conn) == mapping.StateError {
		return errOf("open "+path, "no connection")
	}
	app, err := w.appender()
	if err != nil {
		return err
	}
	defer mapping.AppenderDestroy(&app)
	if n := mapping.AppenderColumnCount(app); n != columns {
		return errOf("schema", fmt.Sprintf("%d columns, not %d", n, columns))
	}
	for i := range columns {
		w.types = append(w.types, mapping.AppenderColumnType(app, mapping.IdxT(i)))
	}
	w.size = int(mapping.VectorSize())
	w.chunk = mapping.CreateDataChunk(w.types)
	w.words = mapping.CreateDataChunk(w.types[colCategory : colCategory+1])
	return nil
}

func (w *writer) appender() (app mapping.Appender, err error) {
	if mapping.AppenderCreateExt(w.conn, "", "main", "event", &app) == mapping.StateError {
		err = errOf("appender", mapping.AppenderError(app))
		mapping.AppenderDestroy(&app)
	}
	return app, err
}

func (w *writer) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ready {
		return
	}
	w.ready = false
	if w.chunk.Ptr != nil {
		mapping.DestroyDataChunk(&w.chunk)
		mapping.DestroyDataChunk(&w.words)
	}
	for i := range w.types {
		mapping.DestroyLogicalType(&w.types[i])
	}
	if w.conn.Ptr != nil {
		mapping.Disconnect(&w.conn)
	}
	mapping.Close(&w.db)
}

// Append implements analytics.Store. A transaction is not cut off by ctx once it is begun.
func (s *Store) Append(ctx context.Context, batches []*analytics.Batch, at analytics.Place) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := &s.write
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ready {
		return errClosed
	}
	events := 0
	for _, b := range batches {
		events += b.Len()
	}
	if s.o.Land > 0 && events >= s.o.Land {
		return w.land(batches, at)
	}
	return w.transaction(func() error {
		if err := w.append(batches); err != nil {
			return err
		}
		return w.place(at)
	})
}

// transaction runs f in one; the lock is held.
func (w *writer) transaction(f func() error) error {
	if err := run(w.conn, "BEGIN"); err != nil {
		return err
	}
	err := f()
	if err == nil {
		err = run(w.conn, "COMMIT")
	}
	if err != nil {
		_ = run(w.conn, "ROLLBACK") // a failed commit has rolled back already
	}
	return err
}

func (w *writer) place(at analytics.Place) error {
	return run(w.conn, fmt.Sprintf("UPDATE place SET stream = %s, sequence = %d", literal(at.Stream), at.Sequence))
}

func (w *writer) append(batches []*analytics.Batch) error {
	app, err := w.appender()
	if err != nil {
		return err
	}
	for _, b := range batches {
		if err = w.batch(app, b); err != nil {
			break
		}
	}
	if err == nil && mapping.AppenderFlush(app) == mapping.StateError {
		err = errOf("append", mapping.AppenderError(app))
	}
	if err != nil {
		mapping.AppenderClear(app)
	}
	if mapping.AppenderDestroy(&app) == mapping.StateError && err == nil {
		err = errOf("append", "the appender could not be closed")
	}
	return err
}

// batch appends one batch, a chunk at a time. Its texts live in vectors of their own until the chunk is copied.
func (w *writer) batch(app mapping.Appender, b *analytics.Batch) error {
	if b.Len() == 0 {
		return nil
	}
	held := w.holdWords(b.Dict)
	defer func() {
		for i := range held {
			mapping.DestroyDataChunk(&held[i])
		}
	}()
	for from := 0; from < b.Len(); from += w.size {
		to := min(from+w.size, b.Len())
		mapping.DataChunkReset(w.chunk)
		w.fill(b, from, to)
		mapping.DataChunkSetSize(w.chunk, mapping.IdxT(to-from))
		if mapping.AppendDataChunk(app, w.chunk) == mapping.StateError {
			return errOf("append", mapping.AppenderError(app))
		}
	}
	return nil
}

const inlined = 12 // bytes of a text that is kept in the struct itself

// holdWords makes DuckDB's form of each text. Long ones are copied into chunks, which are returned, and have to live as long.
func (w *writer) holdWords(dict []string) (held []mapping.DataChunk) {
	w.text = w.text[:0]
	at := w.size // of the newest chunk
	var vec mapping.Vector
	for _, t := range dict {
		if len(t) <= inlined {
			var s stringT
			raw := (*[16]byte)(unsafe.Pointer(&s))
			binary.NativeEndian.PutUint32(raw[:], uint32(len(t)))
			copy(raw[4:], t)
			w.text = append(w.text, s)
			continue
		}
		if at == w.size {
			held = append(held, mapping.CreateDataChunk(w.types[colCategory:colCategory+1]))
			vec, at = mapping.DataChunkGetVector(held[len(held)-1], 0), 0
		}
		mapping.VectorAssignStringElement(vec, mapping.IdxT(at), t)
		w.text = append(w.text, vectorOf[stringT](vec, w.size)[at])
		at++
	}
	return held
}

// vectorOf is a vector's memory.
func vectorOf[T any](vec mapping.Vector, n int) []T {
	return unsafe.Slice((*T)(mapping.VectorGetData(vec)), n)
}

// ids reads a query of one UUID column, a vector at a time: there may be many millions.
func (w *writer) ids(query string, f func([]analytics.ID)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ready {
		return errClosed
	}
	some := make([]analytics.ID, w.size)
	return w.rows(query, func(chunk mapping.DataChunk, n int) {
		for i, h := range vectorOf[huge](mapping.DataChunkGetVector(chunk, 0), n) {
			some[i] = h.id()
		}
		f(some[:n])
	})
}

// rows reads a query, a vector at a time; the lock is held.
func (w *writer) rows(query string, f func(chunk mapping.DataChunk, n int)) error {
	var res mapping.Result
	defer mapping.DestroyResult(&res)
	if mapping.Query(w.conn, query, &res) == mapping.StateError {
		return errOf("read", mapping.ResultError(&res))
	}
	for {
		chunk := mapping.FetchChunk(res)
		if chunk.Ptr == nil {
			return nil
		}
		n := int(mapping.DataChunkGetSize(chunk))
		if n > 0 {
			f(chunk, n)
		}
		mapping.DestroyDataChunk(&chunk)
		if n == 0 {
			return nil
		}
	}
}
