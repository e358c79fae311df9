package shop

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
)

// ProductMembers are the members of a product's JSON, in their order.
var ProductMembers = []string{"id", "sku", "name", "slug", "description", "brand", "category", "price", "currency", "image_url",
	"rating", "rating_count", "attributes", "availability", "version", "created_at", "updated_at"}

// FieldSet is a choice of ProductMembers, a bit for each in their order; 0 is all of them.
type FieldSet uint32

// EncodedProduct is a product with its JSON. Both are made once for each version of it and then shown as often as it is
// asked for, so neither may be changed. Derived is for what is made of it on the way out.
type EncodedProduct struct {
	Product Product
	Derived Derived

	json  []byte
	spans atomic.Pointer[[]span]
}

// EncodeProduct makes the JSON of a product: compact, times in UTC, without escapes for HTML.
func EncodeProduct(p Product) (*EncodedProduct, error) {
	var b bytes.Buffer
	p = tidy(p)
	if err := appendProduct(&b, p); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return &EncodedProduct{Product: p, json: b.Bytes()[:b.Len()-1]}, nil
}

// JSON is the JSON.
func (e *EncodedProduct) JSON() []byte { return e.json[:len(e.json):len(e.json)] }

// Line is the JSON with a newline at its end, which terminals like; a copy only for a product of a page.
func (e *EncodedProduct) Line() []byte {
	if n := len(e.json); n < cap(e.json) && e.json[:n+1][n] == '\n' {
		return e.json[: n+1 : n+1]
	}
	return append(e.JSON(), '\n')
}

// Weight is about how many bytes it takes in memory.
func (e *EncodedProduct) Weight() int { return productOverhead + 2*len(e.json) }

const productOverhead = 600

// AppendFields appends the JSON with the chosen members only, cut out of the whole one.
func (e *EncodedProduct) AppendFields(dst []byte, fields FieldSet) []byte {
	if fields == 0 {
		return append(dst, e.JSON()...)
	}
	dst = append(dst, '{')
	first := true
	for i, s := range e.members() {
		if fields&(1<<i) == 0 {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(dst, e.json[s.from:s.to]...)
	}
	return append(dst, '}')
}

// members finds the members once.
func (e *EncodedProduct) members() []span {
	if s := e.spans.Load(); s != nil {
		return *s
	}
	s := parts(e.json)
	e.spans.Store(&s)
	return s
}

// span is a part of some JSON.
type span struct{ from, to int }

// parts finds the members ("name":value) of a compact and valid object.
func parts(b []byte) []span {
	var out []span
	depth, from, inString := 0, 1, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			depth++
		case c == ',' && depth == 1:
			out, from = append(out, span{from, i}), i+1
		case c == '}' || c == ']':
			if depth--; depth == 0 && i > from {
				out = append(out, span{from, i})
			}
		}
	}
	return out
}

// MarshalBinary gives the JSON: whatever stores it gives back the same bytes, and so the same validators.
func (e *EncodedProduct) MarshalBinary() ([]byte, error) { return e.Line(), nil }

// UnmarshalBinary is the inverse of MarshalBinary. It keeps data.
func (e *EncodedProduct) UnmarshalBinary(data []byte) error {
	r := newProductReader(data)
	p := r.product()
	end := r.at
	r.word("\n")
	if err := r.done(); err != nil {
		return err
	}
	e.Product, e.json = p, data[:end]
	return nil
}

// tidy puts a product into the form that is shown, whatever storage gave.
func tidy(p Product) Product {
	p.CreatedAt, p.UpdatedAt = p.CreatedAt.UTC(), p.UpdatedAt.UTC()
	if len(p.Attributes) == 0 {
		p.Attributes = json.RawMessage("{}")
	}
	return p
}

func appendProduct(b *bytes.Buffer, p Product) error {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(p); err != nil {
		return fmt.Errorf("shop: product %d cannot be encoded: %w", p.ID, err)
	}
	b.Truncate(b.Len() - 1) // the encoder's newline
	return nil
}

// EncodedReader is a ProductReader whose products come with their JSON.
type EncodedReader interface {
	// EncodedProduct is Product.
	EncodedProduct(ctx context.Context, id int64) (*EncodedProduct, error)
	// EncodedProducts is Products.
	EncodedProducts(ctx context.Context, ids []int64) ([]*EncodedProduct, error)
	// EncodedList is ListProducts.
	EncodedList(ctx context.Context, q ProductQuery) (*EncodedPage, error)
}

// Encoding is r itself when it keeps products encoded, or else one that encodes what r reads, each time.
func Encoding(r ProductReader) EncodedReader {
	if e, ok := r.(EncodedReader); ok {
		return e
	}
	return encoding{r}
}

type encoding struct{ r ProductReader }

func (e encoding) EncodedProduct(ctx context.Context, id int64) (*EncodedProduct, error) {
	p, err := e.r.Product(ctx, id)
	if err != nil {
		return nil, err
	}
	return EncodeProduct(p)
}

func (e encoding) EncodedProducts(ctx context.Context, ids []int64) ([]*EncodedProduct, error) {
	products, err := e.r.Products(ctx, ids)
	out := make([]*EncodedProduct, len(products))
	for i, p := range products {
		var failed error
		out[i], failed = EncodeProduct(p)
		err = errors.Join(err, failed)
	}
	return out, err
}

func (e encoding) EncodedList(ctx context.Context, q ProductQuery) (*EncodedPage, error) {
	page, err := e.r.ListProducts(ctx, q)
	if err != nil {
		return nil, err
	}
	return EncodePage(page)
}
