package parquet

// Numbers of Parquet's encodings.
const (
	encodingPlain      = 0
	encodingRLE        = 3
	encodingDictionary = 8
)

// physical are Parquet's numbers of physical types.
var physical = [...]int{UUID: 7, Timestamp: 2, Uint64: 2, Int64: 2, Int32: 1, Float: 4, Text: 6}

// group puts a row group into the footer.
func (f *Writer) group(rows int, chunks []chunk) {
	t := &f.footer
	total := int64(0)
	t.open()
	t.list(1, typeStruct, len(chunks))
	for i, c := range chunks {
		total += c.size
		t.open()
		first := c.at
		if c.dictAt > 0 {
			first = c.dictAt
		}
		t.i64(2, first)
		t.inner(3)
		f.column(i, rows, c)
		t.close()
		t.close()
	}
	t.i64(2, total)
	t.i64(3, int64(rows))
	t.close()
}

func (f *Writer) column(i, rows int, c chunk) {
	t := &f.footer
	t.i32(1, physical[f.columns[i].Type])
	encodings := []int{encodingRLE, encodingPlain}
	if c.dictAt > 0 {
		encodings = append(encodings, encodingDictionary)
	}
	t.list(2, typeI32, len(encodings))
	for _, e := range encodings {
		t.zigzag(int64(e))
	}
	t.list(3, typeBinary, 1)
	t.raw(f.columns[i].Name)
	t.i32(4, 0) // not compressed
	t.i64(5, int64(rows))
	t.i64(6, c.size)
	t.i64(7, c.size)
	t.i64(9, c.at)
	if c.dictAt > 0 {
		t.i64(11, c.dictAt)
	}
	t.inner(12)
	t.i64(3, int64(c.values.Nulls))
	if c.values.Least != "" {
		t.text(5, c.values.Most)
		t.text(6, c.values.Least)
		t.bool(7, true) // they are values, not bounds: readers answer from them
		t.bool(8, true)
	}
	t.close()
	if c.bloomSize > 0 {
		t.i64(14, c.bloomAt)
		t.i32(15, int(c.bloomSize))
	}
}

// meta is the footer.
func (f *Writer) meta() []byte {
	var t thrift
	t.open()
	t.i32(1, 2)
	t.list(2, typeStruct, 1+len(f.columns))
	t.open()
	t.text(4, "schema")
	t.i32(5, len(f.columns))
	t.close()
	for _, c := range f.columns {
		c.schema(&t)
	}
	t.i64(3, f.rows)
	t.list(4, typeStruct, f.groups)
	t.b = append(t.b, f.footer.b...)
	t.text(6, "stampede")
	t.close()
	return t.b
}

func (c Column) schema(t *thrift) {
	t.open()
	t.i32(1, physical[c.Type])
	if c.Type == UUID {
		t.i32(2, 16)
	}
	optional := 0
	if c.Optional {
		optional = 1
	}
	t.i32(3, optional)
	t.text(4, c.Name)
	switch c.Type {
	case UUID:
		t.inner(10)
		t.empty(14)
		t.close()
	case Timestamp:
		t.inner(10)
		t.inner(8)
		t.bool(1, false)
		t.inner(2)
		t.empty(2)
		t.close()
		t.close()
		t.close()
	case Uint64:
		t.i32(6, 14)
		t.inner(10)
		t.inner(10)
		t.byte(1, 64)
		t.bool(2, false)
		t.close()
		t.close()
	case Text:
		t.i32(6, 0)
		t.inner(10)
		t.empty(1)
		t.close()
	}
	t.close()
}
