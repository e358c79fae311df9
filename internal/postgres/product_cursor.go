package postgres

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"math"

	"github.com/stampede-shop/stampede/internal/shop"
)

// listOrder is one of the sorts: the column of its index, the direction (ties are broken by id in the same direction),
// the number that stands for it in cursors, and the kind of its marks.
type listOrder struct {
	tag    byte
	column string
	desc   bool
	float  bool
	mark   byte
}

var listOrders = map[shop.Sort]listOrder{
	shop.SortPopular:   {tag: 1, column: "popularity", desc: true, mark: markPopularity},
	shop.SortNewest:    {tag: 2, column: "id", desc: true, mark: markNewest},
	shop.SortPrice:     {tag: 3, column: "price", mark: markPrice},
	shop.SortPriceDesc: {tag: 4, column: "price", desc: true, mark: markPrice},
	shop.SortRating:    {tag: 5, column: "rating", desc: true, float: true, mark: markRating},
}

// listKey is where a page ended: the sort column's value (the bits of a float) and the id.
type listKey struct {
	value uint64
	id    int64
}

func (o listOrder) arg(k listKey) any {
	if o.float {
		return math.Float64frombits(k.value)
	}
	return int64(k.value)
}

// Cursors are a version byte, the sort's tag, value, id and a checksum that keeps accidents out (not forgers: a cursor
// gives access to nothing that a plain list does not).
const (
	cursorVersion = 1
	cursorBody    = 2 + 8 + 8
)

func encodeCursor(o listOrder, k listKey) string {
	b := make([]byte, 0, cursorBody+4)
	b = append(b, cursorVersion, o.tag)
	b = binary.BigEndian.AppendUint64(b, k.value)
	b = binary.BigEndian.AppendUint64(b, uint64(k.id))
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	return base64.RawURLEncoding.EncodeToString(b)
}

func decodeCursor(o listOrder, s string) (listKey, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != cursorBody+4 || b[0] != cursorVersion ||
		binary.BigEndian.Uint32(b[cursorBody:]) != crc32.ChecksumIEEE(b[:cursorBody]) {
		return listKey{}, shop.Invalid("cursor", "is not one of ours: take it from the Link header, or leave it out for the first page")
	}
	if b[1] != o.tag {
		return listKey{}, shop.Invalid("cursor", "belongs to another sort: leave it out for the first page")
	}
	k := listKey{value: binary.BigEndian.Uint64(b[2:]), id: int64(binary.BigEndian.Uint64(b[10:]))}
	if o.float && math.IsNaN(math.Float64frombits(k.value)) {
		return listKey{}, shop.Invalid("cursor", "is not one of ours")
	}
	return k, nil
}
