package httpapi

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"github.com/stampede-shop/stampede/internal/shop"
)

// representation is an answer that is the same for everybody, with all that is sent of it made once: the body, under each
// content coding when it is first asked for, and the headers. It is kept with the value that it shows.
type representation struct {
	body  []byte
	plain variant
	keys  []string // Surrogate-Key
	coded [3]struct {
		once sync.Once
		is   *variant // nil: not worth it
	} // in the order of codings
}

// variant is a body as it is sent; etag and length are values of headers, shared by all answers.
type variant struct {
	body         []byte
	etag, length []string
}

func newVariant(body []byte, etag string) variant {
	return variant{body, []string{etag}, []string{strconv.Itoa(len(body))}}
}

// newRepresentation of a body; see bodyETag for version and headers. keys are what the edge purges it by, separated by spaces.
func newRepresentation(body []byte, version int64, keys string, headers ...string) *representation {
	return &representation{body: body, plain: newVariant(body, bodyETag(version, body, headers...)), keys: []string{keys}}
}

func (r *representation) etag() string { return r.plain.etag[0] }

// under is the body under a content coding, the plain one when that is no shorter.
func (r *representation) under(coding string) (v *variant, is bool) {
	i := slices.Index(codings, coding)
	if i < 0 || len(r.body) < minCompress {
		return &r.plain, false
	}
	c := &r.coded[i]
	c.once.Do(func() {
		var b bytes.Buffer
		if compress(&b, coding, r.body) == nil && b.Len() < len(r.body) {
			v := newVariant(bytes.Clone(b.Bytes()), withCoding(r.etag(), coding))
			c.is = &v
		}
	})
	if c.is == nil {
		return &r.plain, false
	}
	return c.is, true
}

// productRepresentation is that of one product with the chosen members.
func productRepresentation(e *shop.EncodedProduct, fields shop.FieldSet) *representation {
	if kept, ok := e.Derived.Get(fields).(*representation); ok {
		return kept
	}
	body := e.Line()
	if fields != 0 {
		body = append(e.AppendFields(nil, fields), '\n')
	}
	return e.Derived.Keep(fields, newRepresentation(body, e.Product.Version, productKey(e.Product.ID))).(*representation)
}

// pageRepresentation is that of a page of a list, purged by the key of lists and by those of its products.
func pageRepresentation(p *shop.EncodedPage, fields shop.FieldSet) *representation {
	if kept, ok := p.Derived.Get(fields).(*representation); ok {
		return kept
	}
	body := p.Line()
	if fields != 0 {
		body = arrayOf(p.Products, fields)
	}
	b := []byte(keyLists)
	for _, e := range p.Products {
		b = append(append(b, ' '), productKey(e.Product.ID)...)
	}
	return p.Derived.Keep(fields, newRepresentation(body, 0, string(b), p.Next)).(*representation)
}

// arrayOf puts the JSON of products together.
func arrayOf(products []*shop.EncodedProduct, fields shop.FieldSet) []byte {
	size := 3
	for _, e := range products {
		size += 1 + len(e.JSON())
	}
	b := append(make([]byte, 0, size), '[')
	for i, e := range products {
		if i > 0 {
			b = append(b, ',')
		}
		b = e.AppendFields(b, fields)
	}
	return append(b, "]\n"...)
}

// Headers whose values are never changed in place are shared between answers.
var (
	typeJSON   = []string{"application/json"}
	varyCoding = []string{"Accept-Encoding"}
)

// public answers with a representation under the coding that the client likes best, or 304.
func (c *call) public(rep *representation, p *policy) error {
	h := c.w.Header()
	if c.r.Header.Get("Authorization") != "" {
		h["Cache-Control"] = cachePrivate
	} else {
		h["Cache-Control"], h["Surrogate-Control"] = p.shoppers, p.edge
		if len(rep.keys[0]) > 0 {
			h["Surrogate-Key"] = rep.keys
		}
	}
	h["Etag"] = rep.plain.etag
	if noneMatch(c.r, rep.etag()) {
		c.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h["Content-Type"] = typeJSON
	if w, ok := c.w.(*compressor); ok {
		w.send(rep)
		return nil
	}
	h["Content-Length"] = rep.plain.length
	c.w.WriteHeader(http.StatusOK)
	c.w.Write(rep.body) //nolint:errcheck // the client may be gone
	return nil
}
