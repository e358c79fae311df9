package httpapi

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/stampede-shop/stampede/internal/shop"
)

// productMembers are the fields of a product that fields= may name, in the order of the JSON.
var productMembers = []struct {
	name string
	get  func(p *shop.Product) any
}{
	{"id", func(p *shop.Product) any { return p.ID }},
	{"sku", func(p *shop.Product) any { return p.SKU }},
	{"name", func(p *shop.Product) any { return p.Name }},
	{"slug", func(p *shop.Product) any { return p.Slug }},
	{"description", func(p *shop.Product) any { return p.Description }},
	{"brand", func(p *shop.Product) any { return p.Brand }},
	{"category", func(p *shop.Product) any { return p.Category }},
	{"price", func(p *shop.Product) any { return p.Price }},
	{"currency", func(p *shop.Product) any { return p.Currency }},
	{"image_url", func(p *shop.Product) any { return p.ImageURL }},
	{"rating", func(p *shop.Product) any { return p.Rating }},
	{"rating_count", func(p *shop.Product) any { return p.RatingCount }},
	{"attributes", func(p *shop.Product) any { return p.Attributes }},
	{"availability", func(p *shop.Product) any { return p.Availability }},
	{"version", func(p *shop.Product) any { return p.Version }},
	{"created_at", func(p *shop.Product) any { return p.CreatedAt }},
	{"updated_at", func(p *shop.Product) any { return p.UpdatedAt }},
}

// projection is which members to write, by index; nil means all.
type projection []int

func (q *queryParams) fields() projection {
	var names []string
	for part := range strings.SplitSeq(q.raw("fields"), ",") {
		if part = strings.TrimSpace(part); part != "" {
			names = append(names, part)
		}
	}
	p, unknown := projectionOf(names)
	for _, name := range unknown {
		q.bad("fields", strconv.Quote(cut(name))+" is not a field of a product")
	}
	return p
}

func projectionOf(names []string) (p projection, unknown []string) {
	for _, name := range names {
		i := slices.IndexFunc(productMembers, func(m struct {
			name string
			get  func(p *shop.Product) any
		}) bool {
			return m.name == name
		})
		switch {
		case i < 0:
			unknown = append(unknown, name)
		case !slices.Contains(p, i):
			p = append(p, i)
		}
	}
	slices.Sort(p)
	return p, unknown
}

// tidy puts a product into the form that is shown, whatever storage gave.
func tidy(p shop.Product) shop.Product {
	p.CreatedAt, p.UpdatedAt = p.CreatedAt.UTC(), p.UpdatedAt.UTC()
	if len(p.Attributes) == 0 {
		p.Attributes = json.RawMessage("{}")
	}
	return p
}

// appendTo writes a product's JSON.
func (f projection) appendTo(b *bytes.Buffer, p shop.Product) {
	p = tidy(p)
	if f == nil {
		b.Write(bytes.TrimRight(encode(p), "\n"))
		return
	}
	b.WriteByte('{')
	for n, i := range f {
		if n > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"` + productMembers[i].name + `":`)
		b.Write(bytes.TrimRight(encode(productMembers[i].get(&p)), "\n"))
	}
	b.WriteByte('}')
}

func (f projection) one(p shop.Product) []byte {
	var b bytes.Buffer
	f.appendTo(&b, p)
	b.WriteByte('\n')
	return b.Bytes()
}

func (f projection) list(products []shop.Product) []byte {
	var b bytes.Buffer
	b.WriteByte('[')
	for i, p := range products {
		if i > 0 {
			b.WriteByte(',')
		}
		f.appendTo(&b, p)
	}
	b.WriteString("]\n")
	return b.Bytes()
}
