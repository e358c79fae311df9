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
	{Name: "shopper", Type: parquet.Uint64, Optional: true}, {Name: "product", Type: parquet.Int64, Optional: true}, {Name: "order_id", Type: parquet.UUID, Optional: true},
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
	words  [columns]map[string]uint32 // of columns with a dictionary
	of     []uint32                   // of a batch's words: 1 + number in a column's dictionary
}

func (g *rowGroup) reset() {
	g.rows = 0
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

// add takes the events of a batch from from to to.
func (g *rowGroup) add(b *analytics.Batch, from, to int) {
	ids := &g.values[colID]
	for i := from; i < to; i++ {
		ids.Plain = append(ids.Plain, b.IDs[i][:]...)
	}
	g.values[colTime].Plain = plain64(g.values[colTime].Plain, b.Times[from:to])
	for _, t := range b.Times[from:to] {
		g.least[0], g.most[0] = min(g.least[0], t), max(g.most[0], t)
	}
	g.least[1], g.most[1] = min(g.least[1], b.Received), max(g.most[1], b.Received)
	g.same(colReceived, word64(b.Received), to-from)
	kinds := &g.values[colKind]
	for _, k := range b.Kinds[from:to] {
		kinds.Index = append(kinds.Index, uint32(k))
	}
	some64(g, colShopper, b.Shoppers[from:to])
	some64(g, colProduct, b.Products[from:to])
	g.orders(b, from, to)
	for _, c := range textColumns {
		g.texts(c.col, c.words(b)[from:to], b.Dict)
	}
	quantities := &g.values[colQuantity]
	for _, q := range b.Quantities[from:to] {
		quantities.Plain = binary.LittleEndian.AppendUint32(quantities.Plain, uint32(q))
	}
	g.values[colAmount].Plain = plain64(g.values[colAmount].Plain, b.Amounts[from:to])
	g.weights(b, from, to)
	g.rows += to - from
}

func plain64[T ~int64 | ~uint64](dst []byte, v []T) []byte {
	at := len(dst)
	dst = grown(dst, 8*len(v))
	out := dst[at:]
	for i, x := range v {
		binary.LittleEndian.PutUint64(out[8*i:], uint64(x))
	}
	return dst
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
func some64[T ~int64 | ~uint64](g *rowGroup, col int, v []T) {
	to := &g.values[col]
	to.Defined = g.bitmap(to.Defined, len(v))
	at := len(to.Plain)
	to.Plain = grown(to.Plain, 8*len(v))
	for i, x := range v {
		if x == 0 {
			to.Nulls++
			continue
		}
		row := g.rows + i
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

func (g *rowGroup) orders(b *analytics.Batch, from, to int) {
	v := &g.values[colOrder]
	v.Defined = g.bitmap(v.Defined, to-from)
	if b.Orders == nil {
		v.Nulls += to - from
		return
	}
	for i, id := range b.Orders[from:to] {
		if id.IsZero() {
			v.Nulls++
			continue
		}
		v.Defined[(g.rows+i)>>3] |= 1 << ((g.rows + i) & 7)
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

func (g *rowGroup) texts(col int, words []uint32, dict []string) {
	v := &g.values[col]
	v.Defined = g.bitmap(v.Defined, len(words))
	if cap(g.of) < len(dict) {
		g.of = make([]uint32, 2*len(dict))
	}
	of := g.of[:len(dict)]
	clear(of)
	for i, word := range words {
		if word == 0 {
			v.Nulls++
			continue
		}
		if of[word] == 0 {
			of[word] = g.number(col, dict[word]) + 1
		}
		row := g.rows + i
		v.Defined[row>>3] |= 1 << (row & 7)
		v.Index = append(v.Index, of[word]-1)
	}
}

func (g *rowGroup) weights(b *analytics.Batch, from, to int) {
	if b.Weights == nil {
		g.same(colWeight, wordFloat(1), to-from)
		return
	}
	for _, w := range b.Weights[from:to] {
		g.same(colWeight, wordFloat(w), 1)
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
