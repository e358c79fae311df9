package parquet

import "encoding/binary"

// thrift writes structs in Thrift's compact protocol, in which Parquet's headers and footers are. Fields are written in rising order.
type thrift struct {
	b    []byte
	last []int16 // field written last, of each open struct
}

// Types of the compact protocol.
const (
	typeTrue   = 1
	typeFalse  = 2
	typeByte   = 3
	typeI32    = 5
	typeI64    = 6
	typeBinary = 8
	typeList   = 9
	typeStruct = 12
)

func (t *thrift) open()  { t.last = append(t.last, 0) }
func (t *thrift) close() { t.b, t.last = append(t.b, 0), t.last[:len(t.last)-1] }

func (t *thrift) field(id int16, typ byte) {
	last := &t.last[len(t.last)-1]
	t.b = append(t.b, byte(id-*last)<<4|typ) // no struct here leaves out more than 15 fields
	*last = id
}

func (t *thrift) zigzag(v int64) { t.b = binary.AppendUvarint(t.b, uint64(v<<1)^uint64(v>>63)) }

func (t *thrift) i32(id int16, v int)   { t.field(id, typeI32); t.zigzag(int64(v)) }
func (t *thrift) i64(id int16, v int64) { t.field(id, typeI64); t.zigzag(v) }
func (t *thrift) byte(id int16, v byte) { t.field(id, typeByte); t.b = append(t.b, v) }

func (t *thrift) bool(id int16, v bool) {
	if v {
		t.field(id, typeTrue)
	} else {
		t.field(id, typeFalse)
	}
}

func (t *thrift) text(id int16, s string) { t.field(id, typeBinary); t.raw(s) }

func (t *thrift) raw(s string) {
	t.b = append(binary.AppendUvarint(t.b, uint64(len(s))), s...)
}

// list opens a list of n elements, which are to follow.
func (t *thrift) list(id int16, typ byte, n int) {
	t.field(id, typeList)
	if n < 15 {
		t.b = append(t.b, byte(n)<<4|typ)
		return
	}
	t.b = binary.AppendUvarint(append(t.b, 0xf0|typ), uint64(n))
}

// inner opens a struct in a field.
func (t *thrift) inner(id int16) { t.field(id, typeStruct); t.open() }

// empty is a struct without fields.
func (t *thrift) empty(id int16) { t.inner(id); t.close() }
