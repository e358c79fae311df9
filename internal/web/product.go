package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/stampede-shop/stampede/internal/shop"
)

const maxAttributes = 30

// attribute is one line of the details table.
type attribute struct{ Name, Value string }

// productBody is the product page's own part. Left is -1 when the number of units is not known.
type productBody struct {
	Product    shop.Product
	Left       int64
	State      shop.Availability
	Stock      string
	Attributes []attribute
	MaxUnits   int64
}

func (s *site) product(w http.ResponseWriter, r *http.Request) error {
	ref := r.PathValue("ref")
	number, _, _ := strings.Cut(ref, "-")
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil || id <= 0 {
		return shop.NotFound("product", ref)
	}
	p, err := s.Products.Product(r.Context(), id)
	if err != nil {
		return err
	}
	if ref != refOf(p) {
		edgeMay(w.Header(), keepPage, productTag(p.ID))
		http.Redirect(w, r, productURL(p), http.StatusMovedPermanently)
		return nil
	}
	b := productBody{Product: p, Left: -1, State: p.Availability, Attributes: attributes(p.Attributes)}
	if left, err := s.StockReader.Available(r.Context(), []int64{p.ID}); err != nil {
		s.Log.WarnContext(r.Context(), "product page shows the catalogue's availability", "product", p.ID, "error", err)
	} else {
		b.Left = left[p.ID]
		b.State = shop.AvailabilityOf(b.Left)
	}
	b.Stock, b.MaxUnits = stockLine(b.State, b.Left), 10
	keep := keepPage
	if b.State != shop.InStock {
		keep = keepScant
	}
	if b.State == shop.LowStock && b.Left > 0 {
		b.MaxUnits = b.Left
	}
	edgeMay(w.Header(), keep, productTag(p.ID))
	return s.render(w, r, http.StatusOK, "product", page{Title: p.Name, Body: b})
}

// refOf is the last part of the product page's address, unescaped.
func refOf(p shop.Product) string {
	ref := strconv.FormatInt(p.ID, 10)
	if p.Slug != "" {
		ref += "-" + p.Slug
	}
	return ref
}

// stockLine says in words what is left.
func stockLine(a shop.Availability, left int64) string {
	switch {
	case a == shop.SoldOut:
		return "Sold out"
	case a == shop.LowStock && left > 0:
		return fmt.Sprintf("Only %d left", left)
	case a == shop.LowStock:
		return "Only a few left"
	default:
		return "In stock"
	}
}

// attributes turns a product's free JSON object into lines; what is nested deeper than a list is left out.
func attributes(raw json.RawMessage) []attribute {
	var m map[string]any
	if json.Unmarshal(raw, &m) != nil {
		return nil
	}
	var out []attribute
	for k, v := range m {
		if text := plain(v); text != "" {
			out = append(out, attribute{Name: strings.ReplaceAll(k, "_", " "), Value: text})
		}
	}
	slices.SortFunc(out, func(a, b attribute) int { return strings.Compare(a.Name, b.Name) })
	return out[:min(len(out), maxAttributes)]
}

func plain(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		if v {
			return "yes"
		}
		return "no"
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []any:
		var parts []string
		for _, e := range v {
			if _, nested := e.([]any); nested {
				continue
			}
			if text := plain(e); text != "" {
				parts = append(parts, text)
			}
		}
		return strings.Join(parts, ", ")
	default:
		return ""
	}
}
