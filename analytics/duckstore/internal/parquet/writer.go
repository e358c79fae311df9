package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
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

// Column of a file. Only an optional one may have nulls.
type Column struct {
	Name     string
	Type     Type
	Optional bool
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
	at, dictAt, size int64
	values           *Values
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

// chunk writes a dictionary, if there is one, and one page.
func (f *Writer) chunk(rows, column int, v *Values) chunk {
	c := chunk{at: f.pos(), values: v}
	began := c.at
	encoding := encodingPlain
	if len(v.Index) > 0 {
		c.dictAt, encoding = c.at, encodingDictionary
		f.dictionary(f.columns[column].Type, v.Dict)
		c.at = f.pos()
	}
	var levels []byte
	if f.columns[column].Optional {
		levels = appendDefined(nil, v.Defined, rows, v.Nulls)
	}
	body := v.Plain
	if encoding == encodingDictionary {
		body = appendIndices(make([]byte, 0, 2*len(v.Index)+16), v.Index, len(v.Dict))
	}
	var h thrift
	h.open()
	h.i32(1, 0) // a data page
	h.i32(2, len(levels)+len(body))
	h.i32(3, len(levels)+len(body))
	h.inner(5)
	h.i32(1, rows)
	h.i32(2, encoding)
	h.i32(3, encodingRLE)
	h.i32(4, encodingRLE)
	h.close()
	h.close()
	f.buf = append(append(append(f.buf, h.b...), levels...), body...)
	c.size = f.pos() - began
	return c
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
