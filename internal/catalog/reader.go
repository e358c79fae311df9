package catalog

import (
	"bufio"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"iter"

	"github.com/stampede-shop/stampede/internal/shop"
)

// MaxRecord bounds one record of a file, in bytes.
const MaxRecord = 1 << 20

// DefaultStock is the initial stock, in units, of records that name none.
const DefaultStock = 1000

// Format is that of an import file.
type Format string

// The formats. CSV has a header row with field names; a JSON file holds one array of objects.
const (
	NDJSON Format = "ndjson"
	JSON   Format = "json"
	CSV    Format = "csv"
)

// ErrEmpty says that a file has no records, good or bad.
var ErrEmpty = errors.New("there are no products in it: one is a line of NDJSON, an element of a JSON array, or a line of CSV below the one with the names")

// ReaderOptions tune a Reader; the zero value works.
type ReaderOptions struct {
	// Format of the file; "" finds out by its first character.
	Format Format
	// Stock of records that name none, in units; nil means DefaultStock.
	Stock *int64
	// OnBad hears of each bad record. May be nil.
	OnBad func(Bad)
	// OnWarning hears, once for each name, of fields that nobody knows; they are ignored. May be nil.
	OnWarning func(line int, message string)
}

// Reader reads an import file. Fields: sku, name, price (required; price in decimal major units, exact to the cent),
// slug, description, brand, category, currency, image_url, popularity, rating, rating_count, attributes, stock.
// A SKU that was seen before in the file makes its record a bad one: the first counts.
type Reader struct {
	in     *bufio.Reader
	o      ReaderOptions
	stock  int64
	seed   maphash.Seed
	seen   map[uint64]int // hash of a SKU → line; a hash saves most of the memory
	warned map[string]bool
	good   int
	bad    int
	err    error
}

// NewReader reads from in.
func NewReader(in io.Reader, o ReaderOptions) *Reader {
	r := &Reader{in: bufio.NewReaderSize(in, 64<<10), o: o, stock: DefaultStock, seed: maphash.MakeSeed(),
		seen: map[uint64]int{}, warned: map[string]bool{}}
	if o.Stock != nil {
		r.stock = *o.Stock
	}
	return r
}

// Items is the stream of good records, to be read once.
func (r *Reader) Items() iter.Seq[shop.CatalogItem] {
	return func(yield func(shop.CatalogItem) bool) {
		format, err := r.format()
		if err != nil {
			r.err = err
			return
		}
		switch format {
		case NDJSON:
			err = r.readLines(yield)
		case JSON:
			err = r.readArray(yield)
		case CSV:
			err = r.readCSV(yield)
		default:
			err = fmt.Errorf("catalog: unknown format %q: use ndjson, json or csv", format)
		}
		if err == nil && r.good+r.bad == 0 {
			err = ErrEmpty
		}
		if !errors.Is(err, errStop) {
			r.err = err
		}
	}
}

// Err is why the stream ended early, nil at the end of the file, which is ErrEmpty when there was no record in it. Bad records are
// not errors.
func (r *Reader) Err() error { return r.err }

// Good and Bad count records so far.
func (r *Reader) Good() int { return r.good }

// Bad is the number of bad records so far.
func (r *Reader) Bad() int { return r.bad }

// errStop ends reading because the consumer has enough.
var errStop = errors.New("catalog: stopped")

// format skips a byte order mark and looks at the first character that is not space.
func (r *Reader) format() (Format, error) {
	if mark, _ := r.in.Peek(3); string(mark) == "\ufeff" {
		_, _ = r.in.Discard(3) // it was peeked at: cannot fail
	}
	if r.o.Format != "" {
		return r.o.Format, nil
	}
	for n := 1; ; n++ {
		head, err := r.in.Peek(n)
		if len(head) < n {
			if errors.Is(err, io.EOF) || errors.Is(err, bufio.ErrBufferFull) {
				return NDJSON, nil // empty, or nothing but space
			}
			return "", fmt.Errorf("catalog: %w", err)
		}
		switch head[n-1] {
		case ' ', '\t', '\r', '\n':
		case '[':
			return JSON, nil
		case '{':
			return NDJSON, nil
		default:
			return CSV, nil
		}
	}
}

// reject reports a record.
func (r *Reader) reject(b Bad) {
	r.bad++
	if r.o.OnBad != nil {
		r.o.OnBad(b)
	}
}

// offer builds a record and hands it on; errStop when the consumer wants no more.
func (r *Reader) offer(line int, names []string, value func(string) cell, yield func(shop.CatalogItem) bool) error {
	item, unknown, err := build(line, names, value, r.stock)
	for _, name := range unknown {
		r.warn(line, name)
	}
	var bad Bad
	if errors.As(err, &bad) {
		r.reject(bad)
		return nil
	}
	h := maphash.String(r.seed, item.Product.SKU)
	if first, again := r.seen[h]; again {
		r.reject(Bad{Line: line, SKU: item.Product.SKU, Field: "sku", Reason: fmt.Sprintf("stood on line %d already", first)})
		return nil
	}
	r.seen[h] = line
	r.good++
	if !yield(item) {
		return errStop
	}
	return nil
}

// maxWarned bounds the memory for names of unknown fields.
const maxWarned = 1000

func (r *Reader) warn(line int, name string) {
	if r.warned[name] || len(r.warned) >= maxWarned {
		return
	}
	r.warned[name] = true
	if r.o.OnWarning != nil {
		r.o.OnWarning(line, fmt.Sprintf("field %q is unknown and ignored", name))
	}
}
