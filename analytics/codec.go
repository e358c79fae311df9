package analytics

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"unsafe"
)

// The encoding of a batch, little-endian:
//
//	"SEB1", number of events u32, received i64, flags u8 (1: orders)
//	ids: 16 bytes each; orders likewise, if there are any
//	for each other column: smallest value i64, bytes of a value u8 (0, 1, 2, 4, 8), then the differences to the smallest
//	dictionary: number of texts u32; for each its length u32 and its bytes
//	CRC-32C of everything before
//
// Columns of fixed width are read at the speed of memory; most of a batch are the ids, which do not shrink anyway.

const (
	magic      = "SEB1"
	headerSize = 4 + 4 + 8 + 1
	flagOrders = 1
	// MaxEvents and MaxWords bound a batch that is decoded.
	MaxEvents = 1 << 20
	MaxWords  = 1 << 20
)

// ErrCorrupt says that bytes are no batch, or a broken one.
var ErrCorrupt = errors.New("analytics: not a batch, or a broken one")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// integer is what columns hold.
type integer interface {
	~uint8 | ~int32 | ~uint32 | ~int64 | ~uint64
}

// Append appends the encoding of b to dst. It takes some 10 ns an event.
func (b *Batch) Append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, magic...)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(b.Len()))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(b.Received))
	if b.Orders == nil {
		dst = append(append(dst, 0), idBytes(b.IDs)...)
	} else {
		dst = append(append(dst, flagOrders), idBytes(b.IDs)...)
		dst = append(dst, idBytes(b.Orders)...)
	}
	dst = putColumn(dst, b.Times)
	dst = putColumn(dst, b.Kinds)
	dst = putColumn(dst, b.Shoppers)
	dst = putColumn(dst, b.Products)
	dst = putColumn(dst, b.Categories)
	dst = putColumn(dst, b.Queries)
	dst = putColumn(dst, b.Quantities)
	dst = putColumn(dst, b.Amounts)
	dst = putColumn(dst, b.Currencies)
	dst = putColumn(dst, b.Sources)
	dst = putColumn(dst, b.Attributes)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(b.Dict)))
	for _, t := range b.Dict {
		dst = append(binary.LittleEndian.AppendUint32(dst, uint32(len(t))), t...)
	}
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

func idBytes(ids []ID) []byte {
	if len(ids) == 0 {
		return nil
	}
	return unsafe.Slice(&ids[0][0], 16*len(ids))
}

// putColumn writes the differences to the smallest value in as few bytes as all of them fit in.
func putColumn[T integer](dst []byte, v []T) []byte {
	var least, most T
	if len(v) > 0 {
		least, most = v[0], v[0]
		for _, x := range v {
			least, most = min(least, x), max(most, x)
		}
	}
	width := widthOf(uint64(most) - uint64(least)) // right for negative numbers too: modulo 2⁶⁴
	dst = append(binary.LittleEndian.AppendUint64(dst, uint64(least)), width)
	at := len(dst)
	dst = append(dst, make([]byte, int(width)*len(v))...)
	out := dst[at:]
	switch width {
	case 1:
		for i, x := range v {
			out[i] = byte(uint64(x) - uint64(least))
		}
	case 2:
		for i, x := range v {
			binary.LittleEndian.PutUint16(out[2*i:], uint16(uint64(x)-uint64(least)))
		}
	case 4:
		for i, x := range v {
			binary.LittleEndian.PutUint32(out[4*i:], uint32(uint64(x)-uint64(least)))
		}
	case 8:
		for i, x := range v {
			binary.LittleEndian.PutUint64(out[8*i:], uint64(x)-uint64(least))
		}
	}
	return dst
}

func widthOf(span uint64) byte {
	switch {
	case span == 0:
		return 0
	case span < 1<<8:
		return 1
	case span < 1<<16:
		return 2
	case span < 1<<32:
		return 4
	}
	return 8
}

// Decode reads what Append wrote, into b, whose memory it uses again. Texts are copied; raw may be changed afterwards. What is not
// UTF-8 in them becomes U+FFFD. An error is ErrCorrupt; b is then of no use.
func (b *Batch) Decode(raw []byte) error {
	if len(raw) < headerSize+4 || string(raw[:4]) != magic {
		return ErrCorrupt
	}
	body, sum := raw[:len(raw)-4], binary.LittleEndian.Uint32(raw[len(raw)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return fmt.Errorf("%w: its checksum is wrong", ErrCorrupt)
	}
	n := int(binary.LittleEndian.Uint32(raw[4:]))
	flags := raw[16]
	if n > MaxEvents || flags > flagOrders {
		return ErrCorrupt
	}
	b.Reset()
	b.Received = int64(binary.LittleEndian.Uint64(raw[8:]))
	if flags&flagOrders != 0 {
		b.Orders = []ID{}
	}
	d := decoder{left: body[headerSize:], n: n}
	if n*16 > len(d.left) {
		return ErrCorrupt
	}
	b.resize(n)
	d.ids(b.IDs)
	if b.Orders != nil {
		d.ids(b.Orders)
	}
	d.columns(b)
	if d.failed || !b.consistent() {
		return ErrCorrupt
	}
	return nil
}

// decoder takes a batch apart. Once failed it stays so.
type decoder struct {
	left   []byte
	n      int
	failed bool
}

func (d *decoder) take(n int) []byte {
	if d.failed || n > len(d.left) {
		d.failed = true
		return nil
	}
	out := d.left[:n]
	d.left = d.left[n:]
	return out
}

func (d *decoder) ids(to []ID) { copy(idBytes(to), d.take(16*d.n)) }

func (d *decoder) columns(b *Batch) {
	getColumn(d, b.Times)
	getColumn(d, b.Kinds)
	getColumn(d, b.Shoppers)
	getColumn(d, b.Products)
	getColumn(d, b.Categories)
	getColumn(d, b.Queries)
	getColumn(d, b.Quantities)
	getColumn(d, b.Amounts)
	getColumn(d, b.Currencies)
	getColumn(d, b.Sources)
	getColumn(d, b.Attributes)
	d.words(b)
}

func getColumn[T integer](d *decoder, v []T) {
	head := d.take(9)
	if head == nil {
		return
	}
	least, width := binary.LittleEndian.Uint64(head), int(head[8])
	in := d.take(width * len(v))
	if d.failed {
		return
	}
	switch width {
	case 0:
		for i := range v {
			v[i] = T(least)
		}
	case 1:
		for i := range v {
			v[i] = T(least + uint64(in[i]))
		}
	case 2:
		for i := range v {
			v[i] = T(least + uint64(binary.LittleEndian.Uint16(in[2*i:])))
		}
	case 4:
		for i := range v {
			v[i] = T(least + uint64(binary.LittleEndian.Uint32(in[4*i:])))
		}
	case 8:
		for i := range v {
			v[i] = T(least + binary.LittleEndian.Uint64(in[8*i:]))
		}
	default:
		d.failed = true
	}
}

func (d *decoder) words(b *Batch) {
	head := d.take(4)
	if head == nil {
		return
	}
	n := int(binary.LittleEndian.Uint32(head))
	if n > MaxWords || 4*n > len(d.left) {
		d.failed = true
		return
	}
	for range n {
		head := d.take(4)
		if head == nil {
			return
		}
		// One text that is not UTF-8 would have a store refuse its batch, and all that come after it, for ever.
		t := strings.ToValidUTF8(string(d.take(int(binary.LittleEndian.Uint32(head)))), "\uFFFD")
		b.Dict, b.text = append(b.Dict, t), b.text+len(t)
	}
	d.failed = d.failed || len(d.left) > 0
}

// consistent tells whether all numbers in the batch mean something.
func (b *Batch) consistent() bool {
	if b.Len() > 0 && (len(b.Dict) == 0 || b.Dict[0] != "") {
		return false
	}
	for _, col := range [][]uint32{b.Categories, b.Queries, b.Currencies, b.Sources, b.Attributes} {
		most := uint32(0)
		for _, w := range col {
			most = max(most, w)
		}
		if b.Len() > 0 && int(most) >= len(b.Dict) {
			return false
		}
	}
	for i, k := range b.Kinds {
		if k == 0 || Kind(k) >= kinds || !b.IDs[i].valid() {
			return false
		}
	}
	return true
}
