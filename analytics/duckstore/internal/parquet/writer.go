package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
)

// Type of a column.
type Type uint8

// Types of columns, and how a value is in [Values].Plain: little-endian but for UUID.
const (
	UUID      Type = iota // 16 bytes
	Timestamp             // microseconds since 1970, 8 bytes, of no zone
	Uint64                // 8 bytes
	Int64                 // 8 bytes
	Int32                 // 4 bytes
	Float                 // 4 bytes
	Text                  // UTF-8, always by Dict
)

// widths of values in Plain; a text has none.
var widths = [...]int{UUID: 16, Timestamp: 8, Uint64: 8, Int64: 8, Int32: 4, Float: 4, Text: 0}

// Column of a file. Only an optional one may have nulls.
type Column struct {
	Name     string
	Type     Type
	Optional bool
	Bloom    bool // readers look for single values: for columns of 8 bytes without Dict
}

// Values of one column of a row group.
type Values struct {
	Plain   []byte   // values that are not null, one after the other; for columns without Dict
	Dict    []string // the texts, or the bytes of numbers, that Index refers to
	Index   []uint32 // of values that are not null
	Defined []byte   // a bit for each row, lowest first: 1 where there is a value; looked at only if some are null
	Nulls   int
	// Least and Most of the values, as in Plain, so that readers skip row groups; empty: unknown.
	Least, Most string
}

// Writer writes one file.
type Writer struct {
	w       io.Writer
	columns []Column
	at      int64
	buf     []byte
	levels  []byte // of the page at hand, as body
	body    []byte
	footer  thrift // row groups so far
	groups  int
	rows    int64
	err     error
}

const magic = "PAR1"

// NewWriter begins a file.
func NewWriter(w io.Writer, columns []Column) *Writer {
	f := &Writer{w: w, columns: columns}
	f.buf = append(f.buf, magic...)
	return f
}

// chunk is where a column of a row group is.
type chunk struct {
	at, dictAt, size   int64
	bloomAt, bloomSize int64
	values             *Values
}

// Group writes a row group. An error stays; the file is of no use then.
func (f *Writer) Group(rows int, values []Values) error {
	if f.err != nil {
		return f.err
	}
	if len(values) != len(f.columns) {
		f.err = fmt.Errorf("parquet: %d columns, not %d", len(values), len(f.columns))
		return f.err
	}
	chunks := make([]chunk, len(values))
	for i := range values {
		chunks[i] = f.chunk(rows, i, &values[i])
	}
	for i, c := range f.columns {
		if v := &values[i]; c.Bloom && widths[c.Type] == 8 && len(v.Plain) > 0 {
			chunks[i].bloomAt = f.pos()
			f.buf = appendBloom(f.buf, v.Plain)
			chunks[i].bloomSize = f.pos() - chunks[i].bloomAt
		}
	}
	f.group(rows, chunks)
	f.groups, f.rows = f.groups+1, f.rows+int64(rows)
	return f.flush()
}

func (f *Writer) flush() error {
	n, err := f.w.Write(f.buf)
	f.at, f.buf, f.err = f.at+int64(n), f.buf[:0], err
	return err
}

func (f *Writer) pos() int64 { return f.at + int64(len(f.buf)) }

// pageRows are the rows of a page: what a reader takes in at a time should stay in its processor's cache. A multiple of eight, so that
// bitmaps can be cut.
const pageRows = 16_384

// chunk writes a dictionary, if there is one, and the pages.
func (f *Writer) chunk(rows, column int, v *Values) chunk {
	c := chunk{at: f.pos(), values: v}
	began := c.at
	if len(v.Index) > 0 {
		c.dictAt = c.at
		f.dictionary(f.columns[column].Type, v.Dict)
		c.at = f.pos()
	}
	for from, at := 0, 0; from < rows; from += pageRows {
		n := min(pageRows, rows-from)
		there := v.defined(from, n, rows)
		f.page(f.columns[column], v, from, n, at, there)
		at += there
	}
	c.size = f.pos() - began
	return c
}

// defined is how many of n rows have a value.
func (v *Values) defined(from, n, rows int) (there int) {
	switch v.Nulls {
	case 0:
		return n
	case rows:
		return 0
	}
	for _, b := range v.Defined[from/8 : (from+n+7)/8] {
		there += bits.OnesCount8(b)
	}
	return there
}

// page writes n rows from from on; there values belong to them, the first of which is the at-th.
func (f *Writer) page(column Column, v *Values, from, n, at, there int) {
	levels, body, encoding := f.levels[:0], f.body[:0], encodingPlain
	if column.Optional {
		var bitmap []byte
		if there > 0 && there < n {
			bitmap = v.Defined[from/8 : (from+n+7)/8]
		}
		levels = appendDefined(levels, bitmap, n, n-there)
	}
	if len(v.Index) > 0 {
		encoding = encodingDictionary
		body = appendIndices(body, v.Index[at:at+there], len(v.Dict))
		f.body = body
	} else if w := widths[column.Type]; w > 0 {
		body = v.Plain[at*w : (at+there)*w]
	}
	f.levels = levels
	var h thrift
	h.open()
	h.i32(1, 0) // a data page
	h.i32(2, len(levels)+len(body))
	h.i32(3, len(levels)+len(body))
	h.inner(5)
	h.i32(1, n)
	h.i32(2, encoding)
	h.i32(3, encodingRLE)
	h.i32(4, encodingRLE)
	h.close()
	h.close()
	f.buf = append(append(append(f.buf, h.b...), levels...), body...)
}

func (f *Writer) dictionary(t Type, dict []string) {
	size := 0
	for _, s := range dict {
		size += len(s)
	}
	if t == Text {
		size += 4 * len(dict)
	}
	var h thrift
	h.open()
	h.i32(1, 2) // a dictionary page
	h.i32(2, size)
	h.i32(3, size)
	h.inner(7)
	h.i32(1, len(dict))
	h.i32(2, encodingPlain)
	h.close()
	h.close()
	f.buf = append(f.buf, h.b...)
	for _, s := range dict {
		if t == Text {
			f.buf = binary.LittleEndian.AppendUint32(f.buf, uint32(len(s)))
		}
		f.buf = append(f.buf, s...)
	}
}

// Close completes the file; the underlying writer stays open.
func (f *Writer) Close() error {
	if f.err != nil {
		return f.err
	}
	foot := f.meta()
	f.buf = append(f.buf, foot...)
	f.buf = append(binary.LittleEndian.AppendUint32(f.buf, uint32(len(foot))), magic...)
	if err := f.flush(); err != nil {
		return err
	}
	f.err = errors.New("parquet: closed")
	return nil
}
