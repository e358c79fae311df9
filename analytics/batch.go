package analytics

import (
	"encoding/binary"
	"time"
)

// Batch holds events column by column. All columns have the same length; texts are numbers in Dict, whose first entry is "".
// A Batch is not safe for concurrent use. The zero value is empty and ready.
type Batch struct {
	Received   int64 // when it was put together, microseconds since 1970
	IDs        []ID
	Times      []int64 // microseconds since 1970
	Kinds      []uint8
	Shoppers   []uint64
	Products   []int64
	Orders     []ID // nil: none has one
	Categories []uint32
	Queries    []uint32
	Quantities []int32
	Amounts    []int64
	Currencies []uint32
	Sources    []uint32
	Attributes []uint32
	// Weights are of how many events each stands for, when only a share of them is kept; nil: each for itself. They are not encoded.
	Weights []float32
	Dict    []string

	index map[string]uint32 // of Dict, while it is being put together
	text  int               // bytes in Dict
}

// Len is the number of events.
func (b *Batch) Len() int { return len(b.IDs) }

// Weight is how many events the i-th stands for.
func (b *Batch) Weight(i int) float32 {
	if b.Weights == nil {
		return 1
	}
	return b.Weights[i]
}

// Size estimates the bytes of the encoding, from above but for the header.
func (b *Batch) Size() int {
	n := len(b.IDs)*72 + b.text + 5*len(b.Dict)
	if b.Orders != nil {
		n += 16 * len(b.IDs)
	}
	return n
}

// Add appends an event that was checked.
func (b *Batch) Add(e *Event) {
	if !e.Order.IsZero() && b.Orders == nil {
		b.Orders = make([]ID, len(b.IDs), cap(b.IDs)+1)
	}
	if b.Orders != nil {
		b.Orders = append(b.Orders, e.Order)
	}
	b.IDs = append(b.IDs, e.ID)
	b.Times = append(b.Times, e.Time.UnixMicro())
	b.Kinds = append(b.Kinds, uint8(e.Kind))
	b.Shoppers = append(b.Shoppers, e.Shopper)
	b.Products = append(b.Products, e.Product)
	b.Categories = append(b.Categories, b.Word(e.Category))
	b.Queries = append(b.Queries, b.Word(e.Query))
	b.Quantities = append(b.Quantities, e.Quantity)
	b.Amounts = append(b.Amounts, e.Amount)
	b.Currencies = append(b.Currencies, b.Word(e.Currency))
	b.Sources = append(b.Sources, b.Word(e.Source))
	b.Attributes = append(b.Attributes, b.Word(e.Attributes))
}

// Word is the number of a text in Dict, which it is put into if need be.
func (b *Batch) Word(text string) uint32 {
	if len(b.Dict) == 0 {
		b.Dict = append(b.Dict, "")
	}
	if text == "" {
		return 0
	}
	if b.index == nil {
		b.index = make(map[string]uint32, 2*len(b.Dict))
		for i, t := range b.Dict {
			b.index[t] = uint32(i)
		}
	}
	if i, ok := b.index[text]; ok {
		return i
	}
	i := uint32(len(b.Dict))
	b.Dict, b.index[text] = append(b.Dict, text), i
	b.text += len(text)
	return i
}

// Event is the i-th event.
func (b *Batch) Event(i int) Event {
	e := Event{ID: b.IDs[i], Time: time.UnixMicro(b.Times[i]).UTC(), Kind: Kind(b.Kinds[i]), Shopper: b.Shoppers[i], Product: b.Products[i],
		Category: b.Dict[b.Categories[i]], Query: b.Dict[b.Queries[i]], Quantity: b.Quantities[i], Amount: b.Amounts[i],
		Currency: b.Dict[b.Currencies[i]], Source: b.Dict[b.Sources[i]], Attributes: b.Dict[b.Attributes[i]]}
	if b.Orders != nil {
		e.Order = b.Orders[i]
	}
	return e
}

// Keep drops the events for which keep is false.
func (b *Batch) Keep(keep []bool) {
	n := 0
	for i, k := range keep {
		if !k {
			continue
		}
		if n != i {
			b.IDs[n], b.Times[n], b.Kinds[n], b.Shoppers[n], b.Products[n] = b.IDs[i], b.Times[i], b.Kinds[i], b.Shoppers[i], b.Products[i]
			b.Categories[n], b.Queries[n], b.Quantities[n], b.Amounts[n] = b.Categories[i], b.Queries[i], b.Quantities[i], b.Amounts[i]
			b.Currencies[n], b.Sources[n], b.Attributes[n] = b.Currencies[i], b.Sources[i], b.Attributes[i]
			if b.Orders != nil {
				b.Orders[n] = b.Orders[i]
			}
			if b.Weights != nil {
				b.Weights[n] = b.Weights[i]
			}
		}
		n++
	}
	b.resize(n)
}

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	b.resize(0)
	b.Received, b.Orders, b.Weights, b.Dict, b.index, b.text = 0, nil, nil, b.Dict[:0], nil, 0
}

// resize makes every column n long; what is new is whatever was there before.
func (b *Batch) resize(n int) {
	b.IDs, b.Times, b.Kinds = sized(b.IDs, n), sized(b.Times, n), sized(b.Kinds, n)
	b.Shoppers, b.Products = sized(b.Shoppers, n), sized(b.Products, n)
	b.Categories, b.Queries, b.Quantities, b.Amounts = sized(b.Categories, n), sized(b.Queries, n), sized(b.Quantities, n), sized(b.Amounts, n)
	b.Currencies, b.Sources, b.Attributes = sized(b.Currencies, n), sized(b.Sources, n), sized(b.Attributes, n)
	if b.Orders != nil {
		b.Orders = sized(b.Orders, n)
	}
	if b.Weights != nil {
		b.Weights = sized(b.Weights, n)
	}
}

func sized[T any](s []T, n int) []T {
	if cap(s) >= n {
		return s[:n]
	}
	return make([]T, n)
}

// halves are an id as two numbers, for comparing and hashing.
func (id ID) halves() (hi, lo uint64) {
	return binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(id[8:])
}
