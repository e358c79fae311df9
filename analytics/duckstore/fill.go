package duckstore

import (
	"encoding/binary"
	"unsafe"

	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/stampede-shop/stampede/analytics"
)

// column is the memory of one of the chunk's vectors.
func column[T any](w *writer, i, n int) ([]T, mapping.Vector) {
	vec := mapping.DataChunkGetVector(w.chunk, mapping.IdxT(i))
	return vectorOf[T](vec, n), vec
}

// fill copies events into the chunk.
func (w *writer) fill(b *analytics.Batch, from, to int) {
	n := to - from
	ids, _ := column[huge](w, colID, n)
	for i, id := range b.IDs[from:to] {
		ids[i] = hugeOf(id)
	}
	times, _ := column[int64](w, colTime, n)
	copy(times, b.Times[from:to])
	received, _ := column[int64](w, colReceived, n)
	for i := range received {
		received[i] = b.Received
	}
	names, _ := column[uint8](w, colKind, n)
	copy(names, b.Kinds[from:to])
	numbers(w, colShopper, b.Shoppers[from:to])
	numbers(w, colProduct, b.Products[from:to])
	w.orders(b, from, to)
	for _, c := range textColumns {
		w.texts(c.col, c.words(b)[from:to])
	}
	quantities, _ := column[int32](w, colQuantity, n)
	copy(quantities, b.Quantities[from:to])
	amounts, _ := column[int64](w, colAmount, n)
	copy(amounts, b.Amounts[from:to])
	weights, _ := column[float32](w, colWeight, n)
	for i := range weights {
		weights[i] = b.Weight(from + i)
	}
}

// textColumns are where texts come from.
var textColumns = []struct {
	col   int
	words func(*analytics.Batch) []uint32
}{
	{colCategory, func(b *analytics.Batch) []uint32 { return b.Categories }},
	{colQuery, func(b *analytics.Batch) []uint32 { return b.Queries }},
	{colCurrency, func(b *analytics.Batch) []uint32 { return b.Currencies }},
	{colSource, func(b *analytics.Batch) []uint32 { return b.Sources }},
	{colAttributes, func(b *analytics.Batch) []uint32 { return b.Attributes }},
}

func hugeOf(id analytics.ID) huge {
	return huge{binary.BigEndian.Uint64(id[8:]), binary.BigEndian.Uint64(id[:8]) ^ 1<<63}
}

func (h huge) id() (id analytics.ID) {
	binary.BigEndian.PutUint64(id[:], h.high^1<<63)
	binary.BigEndian.PutUint64(id[8:], h.low)
	return id
}

// numbers copies a column in which 0 means absent.
func numbers[T ~int64 | ~uint64](w *writer, col int, v []T) {
	to, vec := column[T](w, col, len(v))
	copy(to, v)
	nulls(vec, v)
}

// nulls makes NULL of what is the zero value.
func nulls[T comparable](vec mapping.Vector, v []T) {
	var zero T
	var mask []uint64
	for i, x := range v {
		if x != zero {
			continue
		}
		if mask == nil {
			mapping.VectorEnsureValidityWritable(vec)
			mask = unsafe.Slice((*uint64)(mapping.VectorGetValidity(vec)), (len(v)+63)/64)
		}
		mask[i/64] &^= 1 << (i % 64)
	}
}

func (w *writer) orders(b *analytics.Batch, from, to int) {
	if b.Orders == nil {
		allNull(mapping.DataChunkGetVector(w.chunk, colOrder), to-from)
		return
	}
	out, vec := column[huge](w, colOrder, to-from)
	for i, id := range b.Orders[from:to] {
		out[i] = hugeOf(id)
	}
	nulls(vec, b.Orders[from:to])
}

func allNull(vec mapping.Vector, n int) {
	mapping.VectorEnsureValidityWritable(vec)
	clear(unsafe.Slice((*uint64)(mapping.VectorGetValidity(vec)), (n+63)/64))
}

func (w *writer) texts(col int, words []uint32) {
	out, vec := column[stringT](w, col, len(words))
	any := false
	for i, word := range words {
		out[i] = w.text[word]
		any = any || word != 0
	}
	if !any {
		allNull(vec, len(words))
		return
	}
	nulls(vec, words)
}
