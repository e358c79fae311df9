package clickstore

import (
	"github.com/ClickHouse/ch-go/proto"
	"github.com/google/uuid"

	"github.com/stampede-shop/stampede/analytics"
)

// block is the events of one append, column by column. Its memory is kept for the next one.
type block struct {
	id             proto.ColUUID
	time, received proto.ColDateTime64
	kind           words
	shopper        optional[uint64]
	product        optional[int64]
	order          optional[uuid.UUID]
	category       words
	query          optional[string]
	quantity       proto.ColInt32
	amount         proto.ColInt64
	currency       words
	source         words
	attributes     optional[string]
	weight         proto.ColFloat32

	append, writer proto.ColUInt64
	stream         words
	sequence       proto.ColUInt64

	input proto.Input
}

// optional is a column in which the zero value is NULL.
type optional[T comparable] struct{ proto.ColNullable[T] }

func optionalOf[T comparable](values proto.ColumnOf[T]) optional[T] {
	return optional[T]{proto.ColNullable[T]{Values: values}}
}

func (c *optional[T]) add(v T) {
	var zero T
	null := uint8(0)
	if v == zero {
		null = 1
	}
	c.Nulls = append(c.Nulls, null)
	c.Values.Append(v)
}

// words is a column of texts that are often the same: numbers in a dictionary, as batches have them already.
type words struct {
	proto.ColLowCardinalityRaw
	dict   *dictionary
	number map[string]uint32
	local  []uint32 // numbers of a batch's words; 0: not looked up yet
}

// dictionary are the texts themselves. Where NULL is allowed, the first stands for it.
type dictionary struct {
	proto.ColStr
	nullable bool
}

// Type says what the texts are words of.
func (d *dictionary) Type() proto.ColumnType {
	if d.nullable {
		return proto.ColumnTypeNullable.Sub(proto.ColumnTypeString)
	}
	return proto.ColumnTypeString
}

func wordsOf(nullable bool) words {
	d := &dictionary{nullable: nullable}
	w := words{dict: d, number: map[string]uint32{}}
	w.Index, w.Key = d, proto.KeyUInt32
	return w
}

func (w *words) reset() {
	w.Reset()
	clear(w.number)
	w.word("")
}

func (w *words) word(text string) uint32 {
	n, ok := w.number[text]
	if !ok {
		n = uint32(len(w.number))
		w.number[text] = n
		w.dict.Append(text)
	}
	return n
}

// add appends a batch's column.
func (w *words) add(dict []string, column []uint32) {
	if cap(w.local) < len(dict) {
		w.local = make([]uint32, len(dict))
	}
	w.local = w.local[:len(dict)]
	clear(w.local)
	for _, i := range column {
		n := w.local[i]
		if n == 0 && i != 0 {
			n = w.word(dict[i])
			w.local[i] = n
		}
		w.Keys32 = append(w.Keys32, n)
	}
}

// same appends a word n times.
func (w *words) same(text string, n int) {
	word := w.word(text)
	for range n {
		w.Keys32 = append(w.Keys32, word)
	}
}

// make names the columns, once.
func (b *block) make() {
	b.kind, b.category, b.currency, b.source, b.stream = wordsOf(false), wordsOf(true), wordsOf(true), wordsOf(true), wordsOf(false)
	b.shopper, b.product = optionalOf[uint64](new(proto.ColUInt64)), optionalOf[int64](new(proto.ColInt64))
	b.order, b.query, b.attributes = optionalOf[uuid.UUID](new(proto.ColUUID)), optionalOf[string](new(proto.ColStr)), optionalOf[string](new(proto.ColStr))
	b.time.WithPrecision(proto.PrecisionMicro)
	b.received.WithPrecision(proto.PrecisionMicro)
	b.input = proto.Input{
		{Name: "id", Data: &b.id}, {Name: "time", Data: &b.time}, {Name: "received", Data: &b.received}, {Name: "kind", Data: &b.kind},
		{Name: "shopper", Data: &b.shopper}, {Name: "product", Data: &b.product}, {Name: "order_id", Data: &b.order}, {Name: "category", Data: &b.category},
		{Name: "query", Data: &b.query}, {Name: "quantity", Data: &b.quantity}, {Name: "amount", Data: &b.amount}, {Name: "currency", Data: &b.currency},
		{Name: "source", Data: &b.source}, {Name: "attributes", Data: &b.attributes}, {Name: "weight", Data: &b.weight},
		{Name: "append", Data: &b.append}, {Name: "writer", Data: &b.writer}, {Name: "stream", Data: &b.stream}, {Name: "sequence", Data: &b.sequence},
	}
}

// fill makes the block anew of batches. It returns how many events it has.
func (b *block) fill(batches []*analytics.Batch, number, writer uint64, at analytics.Place) int {
	if b.input == nil {
		b.make()
	}
	b.input.Reset()
	for _, w := range []*words{&b.kind, &b.category, &b.currency, &b.source, &b.stream} {
		w.reset()
	}
	for _, name := range analytics.KindNames() {
		b.kind.word(name)
	}
	n := 0
	for _, batch := range batches {
		b.add(batch)
		n += batch.Len()
	}
	for range n {
		b.append, b.writer, b.sequence = append(b.append, number), append(b.writer, writer), append(b.sequence, at.Sequence)
	}
	b.stream.same(at.Stream, n)
	return n
}

// size is about how many bytes the block has.
func (b *block) size() int {
	const numbers = 140 // bytes of an event that are not text
	text := func(c optional[string]) int { return len(c.Values.(*proto.ColStr).Buf) }
	n := numbers*len(b.id) + text(b.query) + text(b.attributes)
	for _, w := range []*words{&b.category, &b.currency, &b.source} {
		n += len(w.dict.Buf)
	}
	return n
}

// kindWord is a kind's number in the dictionary, which begins with "" and the names of all kinds.
func (b *block) kindWord(kind uint8) uint32 {
	if int(kind) >= len(analytics.KindNames()) {
		return 1 + uint32(analytics.KindUnknown)
	}
	return 1 + uint32(kind)
}

func (b *block) add(from *analytics.Batch) {
	n := from.Len()
	for i := range n {
		b.id = append(b.id, uuid.UUID(from.IDs[i]))
		b.time.AppendRaw(proto.DateTime64(from.Times[i]))
		b.received.AppendRaw(proto.DateTime64(from.Received))
		b.kind.Keys32 = append(b.kind.Keys32, b.kindWord(from.Kinds[i]))
		b.shopper.add(from.Shoppers[i])
		b.product.add(from.Products[i])
		b.query.add(from.Dict[from.Queries[i]])
		b.attributes.add(from.Dict[from.Attributes[i]])
		b.weight = append(b.weight, from.Weight(i))
		if from.Orders != nil {
			b.order.add(uuid.UUID(from.Orders[i]))
		} else {
			b.order.add(uuid.UUID{})
		}
	}
	b.quantity, b.amount = append(b.quantity, from.Quantities...), append(b.amount, from.Amounts...)
	b.category.add(from.Dict, from.Categories)
	b.currency.add(from.Dict, from.Currencies)
	b.source.add(from.Dict, from.Sources)
}
