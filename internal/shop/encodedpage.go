package shop

import (
	"bytes"
	"encoding/binary"
)

// EncodedPage is a page with its JSON, an array in which each product's JSON lies: it is written once.
type EncodedPage struct {
	Products []*EncodedProduct
	Next     string
	Derived  Derived

	line []byte // the array and a newline
}

// EncodePage makes the JSON of a page.
func EncodePage(p ProductPage) (*EncodedPage, error) {
	var b bytes.Buffer
	b.WriteByte('[')
	products := make([]Product, len(p.Products))
	ends := make([]int, len(p.Products))
	for i := range p.Products {
		if i > 0 {
			b.WriteByte(',')
		}
		products[i] = tidy(p.Products[i])
		if err := appendProduct(&b, products[i]); err != nil {
			return nil, err
		}
		ends[i] = b.Len()
	}
	b.WriteString("]\n")
	page := &EncodedPage{Products: make([]*EncodedProduct, len(products)), Next: p.Next, line: b.Bytes()}
	from := 1
	for i, end := range ends {
		page.Products[i] = &EncodedProduct{Product: products[i], json: page.cut(from, end)}
		from = end + 1
	}
	return page, nil
}

// cut is a product's JSON within the page's.
func (p *EncodedPage) cut(from, end int) []byte { return p.line[from:end:end] }

// Line is the JSON array with a newline at its end.
func (p *EncodedPage) Line() []byte { return p.line }

// Page is the page without its JSON.
func (p *EncodedPage) Page() ProductPage {
	page := ProductPage{Products: make([]Product, len(p.Products)), Next: p.Next}
	for i, e := range p.Products {
		page.Products[i] = e.Product
	}
	return page
}

// Weight is about how many bytes it takes in memory.
func (p *EncodedPage) Weight() int { return 2*len(p.line) + productOverhead*(1+len(p.Products)) }

// MarshalBinary gives the cursor, with its length before it, and the JSON, as that of a product does.
func (p *EncodedPage) MarshalBinary() ([]byte, error) {
	out := binary.AppendUvarint(make([]byte, 0, binary.MaxVarintLen64+len(p.Next)+len(p.line)), uint64(len(p.Next)))
	return append(append(out, p.Next...), p.line...), nil
}

// UnmarshalBinary is the inverse of MarshalBinary. It keeps data.
func (p *EncodedPage) UnmarshalBinary(data []byte) error {
	n, size := binary.Uvarint(data)
	if size <= 0 || n > uint64(len(data)-size) {
		return errNotEncoded
	}
	next, line := data[size:size+int(n)], data[size+int(n):] //nolint:gosec // n is not longer than data
	r := newProductReader(line)
	page := EncodedPage{Next: string(next), line: line}
	r.word("[")
	for !r.skip(']') {
		if len(page.Products) > 0 {
			r.word(",")
		}
		from := r.at
		product := r.product()
		if r.failed {
			break
		}
		page.Products = append(page.Products, &EncodedProduct{Product: product, json: page.cut(from, r.at)})
	}
	r.word("\n")
	if err := r.done(); err != nil {
		return err
	}
	p.Products, p.Next, p.line = page.Products, page.Next, page.line
	return nil
}
