package duckstore

import (
	"encoding/binary"
	"math"

	"github.com/stampede-shop/stampede/analytics"
	"github.com/stampede-shop/stampede/analytics/duckstore/internal/parquet"
)

// groupRows are the events of a row group: as many as in DuckDB's own.
const groupRows = 122_880

// landedColumns are the columns of a landed file, in the table's order.
var landedColumns = []parquet.Column{
	{Name: "id", Type: parquet.UUID}, {Name: "time", Type: parquet.Timestamp}, {Name: "received", Type: parquet.Timestamp}, {Name: "kind", Type: parquet.Text},
	{Name: "shopper", Type: parquet.Uint64, Optional: true, Bloom: true}, {Name: "product", Type: parquet.Int64, Optional: true}, {Name: "order_id", Type: parquet.UUID, Optional: true},
	{Name: "category", Type: parquet.Text, Optional: true}, {Name: "query", Type: parquet.Text, Optional: true}, {Name: "quantity", Type: parquet.Int32},
	{Name: "amount", Type: parquet.Int64}, {Name: "currency", Type: parquet.Text, Optional: true}, {Name: "source", Type: parquet.Text, Optional: true},
	{Name: "attributes", Type: parquet.Text, Optional: true}, {Name: "weight", Type: parquet.Float},
}

// rowGroup gathers events of several batches column by column. Its memory is used again.
type rowGroup struct {
	rows   int
	values [columns]parquet.Values
	least  [2]int64 // of times, received
	most   [2]int64
	kinds  uint64                     // a bit for each that is there
	words  [columns]map[string]uint32 // of columns with a dictionary
	of     []uint32                   // of a batch's words: 1 + number in a column's dictionary
}

func (g *rowGroup) reset() {
	g.rows, g.kinds = 0, 0
	g.least, g.most = [2]int64{math.MaxInt64, math.MaxInt64}, [2]int64{math.MinInt64, math.MinInt64}
	for i := range g.values {
		v := &g.values[i]
		*v = parquet.Values{Plain: v.Plain[:0], Index: v.Index[:0], Dict: v.Dict[:0], Defined: v.Defined[:0]}
		if g.words[i] != nil {
			clear(g.words[i])
		}
	}
	g.values[colKind].Dict = append(g.values[colKind].Dict, analytics.KindNames()...)
}

// add takes some events of a batch.
func (g *rowGroup) add(b *analytics.Batch, some []uint32) {
	g.ids(b, some)
	g.times(b, some)
	g.least[1], g.most[1] = min(g.least[1], b.Received), max(g.most[1], b.Received)
	g.same(colReceived, word64(b.Received), len(some))
	kinds := &g.values[colKind]
	for _, i := range some {
		kinds.Index = append(kinds.Index, uint32(b.Kinds[i]))
		g.kinds |= 1 << b.Kinds[i]
	}
	some64(g, colShopper, b.Shoppers, some)
	some64(g, colProduct, b.Products, some)
	g.orders(b, some)
	for _, c := range textColumns {
		g.texts(c.col, c.words(b), some, b.Dict)
	}
	quantities := &g.values[colQuantity]
	for _, i := range some {
		quantities.Plain = binary.LittleEndian.AppendUint32(quantities.Plain, uint32(b.Quantities[i]))
	}
	amounts := &g.values[colAmount]
	at := len(amounts.Plain)
	amounts.Plain = grown(amounts.Plain, 8*len(some))
	for k, i := range some {
		binary.LittleEndian.PutUint64(amounts.Plain[at+8*k:], uint64(b.Amounts[i]))
	}
	g.weights(b, some)
	g.rows += len(some)
}

func (g *rowGroup) ids(b *analytics.Batch, some []uint32) {
	v := &g.values[colID]
	at := len(v.Plain)
	v.Plain = grown(v.Plain, 16*len(some))
	for k, i := range some {
		copy(v.Plain[at+16*k:], b.IDs[i][:])
	}
}

func (g *rowGroup) times(b *analytics.Batch, some []uint32) {
	v := &g.values[colTime]
	at := len(v.Plain)
	v.Plain = grown(v.Plain, 8*len(some))
	for k, i := range some {
		t := b.Times[i]
		g.least[0], g.most[0] = min(g.least[0], t), max(g.most[0], t)
		binary.LittleEndian.PutUint64(v.Plain[at+8*k:], uint64(t))
	}
}

// grown is dst with n more bytes, which mean nothing yet.
func grown(dst []byte, n int) []byte {
	if cap(dst)-len(dst) >= n {
		return dst[:len(dst)+n]
	}
	return append(dst, make([]byte, n)...)
}

// word64 are a number's bytes, little-endian.
func word64(v int64) string { return string(binary.LittleEndian.AppendUint64(nil, uint64(v))) }

// some64 adds numbers of which 0 means absent.
func some64[T ~int64 | ~uint64](g *rowGroup, col int, v []T, some []uint32) {
	to := &g.values[col]
	to.Defined = g.bitmap(to.Defined, len(some))
	at := len(to.Plain)
	to.Plain = grown(to.Plain, 8*len(some))
	for k, i := range some {
		x := v[i]
		if x == 0 {
			to.Nulls++
			continue
		}
		row := g.rows + k
		to.Defined[row>>3] |= 1 << (row & 7)
		binary.LittleEndian.PutUint64(to.Plain[at:], uint64(x))
		at += 8
	}
	to.Plain = to.Plain[:at]
}

// bitmap makes room for n more rows, of which none is there yet.
func (g *rowGroup) bitmap(b []byte, n int) []byte {
	for need := (g.rows + n + 7) / 8; len(b) < need; {
		b = append(b, 0)
	}
	return b
}

func (g *rowGroup) orders(b *analytics.Batch, some []uint32) {
	v := &g.values[colOrder]
	v.Defined = g.bitmap(v.Defined, len(some))
	if b.Orders == nil {
		v.Nulls += len(some)
		return
	}
	for k, i := range some {
		id := b.Orders[i]
		if id.IsZero() {
			v.Nulls++
			continue
		}
		v.Defined[(g.rows+k)>>3] |= 1 << ((g.rows + k) & 7)
		v.Plain = append(v.Plain, id[:]...)
	}
}

// number is where a text is in a column's dictionary, which it is put into if need be.
func (g *rowGroup) number(col int, text string) uint32 {
	if g.words[col] == nil {
		g.words[col] = map[string]uint32{}
	}
	n, ok := g.words[col][text]
	if !ok {
		v := &g.values[col]
		n = uint32(len(v.Dict))
		v.Dict, g.words[col][text] = append(v.Dict, text), n
	}
	return n
}

// same adds n times a value to a column that has few different ones.
func (g *rowGroup) same(col int, value string, n int) {
	word, v := g.number(col, value), &g.values[col]
	for range n {
		v.Index = append(v.Index, word)
	}
}

func (g *rowGroup) texts(col int, words, some []uint32, dict []string) {
	v := &g.values[col]
	v.Defined = g.bitmap(v.Defined, len(some))
	if cap(g.of) < len(dict) {
		g.of = make([]uint32, 2*len(dict))
	}
	of := g.of[:len(dict)]
	clear(of)
	for k, i := range some {
		word := words[i]
		if word == 0 {
			v.Nulls++
			continue
		}
		if of[word] == 0 {
			of[word] = g.number(col, dict[word]) + 1
		}
		row := g.rows + k
		v.Defined[row>>3] |= 1 << (row & 7)
		v.Index = append(v.Index, of[word]-1)
	}
}

func (g *rowGroup) weights(b *analytics.Batch, some []uint32) {
	if b.Weights == nil {
		g.same(colWeight, wordFloat(1), len(some))
		return
	}
	for _, i := range some {
		g.same(colWeight, wordFloat(b.Weights[i]), 1)
	}
}

func wordFloat(w float32) string {
	return string(binary.LittleEndian.AppendUint32(nil, math.Float32bits(w)))
}

// write writes the group, if anything is in it, and empties it.
func (g *rowGroup) write(to *parquet.Writer) error {
	if g.rows == 0 {
		return nil
	}
	for i, col := range []int{colTime, colReceived} {
		g.values[col].Least, g.values[col].Most = word64(g.least[i]), word64(g.most[i])
	}
	g.values[colKind].Least, g.values[colKind].Most = g.namesOfKinds()
	for i := range g.values {
		if landedColumns[i].Type == parquet.Text || i == colReceived || i == colWeight {
			g.values[i].Plain = nil
		} else {
			g.values[i].Index, g.values[i].Dict = nil, nil
		}
	}
	err := to.Group(g.rows, g.values[:])
	g.reset()
	return err
}

// namesOfKinds are the first and the last by the alphabet of those that are there.
func (g *rowGroup) namesOfKinds() (least, most string) {
	for _, k := range kindsByName {
		if g.kinds&(1<<k) == 0 {
			continue
		}
		if least == "" {
			least = analytics.KindNames()[k]
		}
		most = analytics.KindNames()[k]
	}
	return least, most
}
