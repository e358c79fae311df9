package httpapi

import (
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/stampede-shop/stampede/internal/shop"
)

const apiDescription = `Everything a shopper or an administrator can do. Prices are integers in minor units; times are RFC 3339 UTC.
Errors are RFC 9457 problems with a stable type. Unknown fields and bodies over 1 MiB are refused.
The first cart, order or user call sets the session cookie; nothing else is needed to buy.
Every GET answers HEAD as well, every path answers OPTIONS, and a wrong method is 405 with Allow.`

var tags = []*huma.Tag{
	{Name: "products", Description: "The catalogue and its administration"},
	{Name: "campaigns", Description: "What the front page puts forward for a while"},
	{Name: "cart", Description: "The shopper's cart"},
	{Name: "orders", Description: "Checkout and the shopper's own orders"},
	{Name: "users", Description: "Accounts"},
	{Name: "meta", Description: "The waiting room, this document, explanations of errors"},
}

// param is a query parameter or a request header.
type param struct {
	name, in, doc string
	schema        *huma.Schema
}

// answer is a response that is not a problem. body is a value of its type, nil for none; list makes it an array.
type answer struct {
	status  int
	doc     string
	body    any
	list    bool
	headers []string
}

var headerDocs = map[string]string{
	"ETag":             "Strong validator of this representation under this content coding",
	"Link":             `The next page: <…>; rel="next"; absent on the last`,
	"X-Next-Cursor":    "The cursor of the next page; absent on the last",
	"X-Missing-Ids":    "Ids that do not exist, comma-separated; absent when all do",
	"Location":         "Where the new thing is",
	"Cache-Control":    "Who may keep the answer and for how long",
	"Set-Cookie":       "The session cookie, when it is new",
	"X-Request-Id":     "The id under which this request is logged",
	"Retry-After":      "Seconds to wait before asking again",
	"Server-Timing":    "Where the time went and which tier answered",
	"WWW-Authenticate": "What to sign in with",
}

func header(name string) *huma.Header {
	return &huma.Header{Description: headerDocs[name], Schema: &huma.Schema{Type: huma.TypeString}}
}

func (d *document) response(a answer, r *route) *huma.Response {
	resp := &huma.Response{Description: a.doc, Headers: map[string]*huma.Header{}}
	names := append([]string{"X-Request-Id", "Server-Timing", "Cache-Control"}, a.headers...)
	if r.access == shopper {
		names = append(names, "Set-Cookie")
	}
	for _, name := range names {
		resp.Headers[name] = header(name)
	}
	if a.body == nil {
		return resp
	}
	s := d.registry.Schema(reflect.TypeOf(a.body), true, "")
	if a.list {
		s = &huma.Schema{Type: huma.TypeArray, Items: s}
	}
	resp.Content = map[string]*huma.MediaType{"application/json": {Schema: s}}
	return resp
}

var pathParam = regexp.MustCompile(`\{(\w+)\}`)

func (d *document) addParams(op *huma.Operation, r *route) {
	for _, m := range pathParam.FindAllStringSubmatch(r.path, -1) {
		s := &huma.Schema{Type: huma.TypeInteger, Format: "int64"}
		switch {
		case strings.HasPrefix(r.path, "/orders/"):
			s = &huma.Schema{Type: huma.TypeString, Format: "uuid"}
		case strings.HasPrefix(r.path, "/problems/"):
			s = &huma.Schema{Type: huma.TypeString}
		}
		op.Parameters = append(op.Parameters, &huma.Param{Name: m[1], In: "path", Required: true, Schema: s})
	}
	for _, p := range r.params {
		op.Parameters = append(op.Parameters, &huma.Param{Name: p.name, In: p.in, Description: p.doc, Schema: p.schema})
	}
}

// decorate adds what the shop's types cannot say of themselves, as that package knows nothing of HTTP.
func (d *document) decorate() error {
	schemas := d.registry.Map()
	for name, s := range schemas {
		for _, p := range s.Properties {
			if p.Type == huma.TypeArray && !strings.HasSuffix(name, "Patch") {
				p.Nullable = false // our encoders never write null for a list
			}
		}
	}
	for path, text := range propertyDocs {
		typ, name, _ := strings.Cut(path, ".")
		s := schemas[typ]
		if s == nil || s.Properties[name] == nil {
			return fmt.Errorf("httpapi: the document has no property %s", path)
		}
		s.Properties[name].Description = text
	}
	p := schemas["Product"].Properties
	p["attributes"] = &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true, Description: "Free JSON object"}
	p["availability"].Enum = []any{string(shop.InStock), string(shop.LowStock), string(shop.SoldOut)}
	schemas["Product"].Required = nil // fields= leaves out what was not asked for
	o := schemas["Order"].Properties
	o["shipping_address"] = &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
	o["status"].Enum = []any{string(shop.OrderConfirmed), string(shop.OrderCancelled), string(shop.OrderPending), string(shop.OrderFailed)}
	return nil
}

var propertyDocs = map[string]string{
	"Product.price":        "Minor units (cents) of currency",
	"Product.category":     "A path: a/b/c",
	"Product.availability": "low_stock: 1 to 10 units left",
	"Facets.total":         "Products that pass the filters",
	"Facets.exact":         "false: the counts are estimated from a sample",
	"Facets.examined":      "Products of the sample that pass the filters",
	"FacetCount.value":     "As the filter of that name takes it",
	"PriceBand.min":        "Minor units, inclusive",
	"PriceBand.max":        "Minor units, inclusive; absent in the last band",
	"Facets.more_brands":   "How many more brands there are than are named",
	"Product.version":      "Grows with every edit; the first part of the ETag",
	"Line.unit_price":      "Minor units, as of when it was put into the cart or last read",
	"Line.line_total":      "unit_price × quantity, minor units",
	"Cart.id":              "The shopper's id",
	"Cart.item_count":      "The sum of all quantities",
	"Cart.subtotal":        "Minor units",
	"Cart.version":         "Grows with every edit",
	"Order.id":             "A UUIDv7",
	"Order.total":          "Minor units",
	"Order.status":         "pending: the outcome of the payment is not known yet",
	"User.id":              "The id the shopper had as a guest",
	"LineError.available":  "Units left when asked",
	"LineError.old_price":  "Minor units",
	"LineError.new_price":  "Minor units",
}

// Answers and parameters that several calls share.

func query(name, doc string, s *huma.Schema) param {
	return param{name: name, in: "query", doc: doc, schema: s}
}

func intSchema(low, high float64) *huma.Schema {
	return &huma.Schema{Type: huma.TypeInteger, Format: "int64", Minimum: &low, Maximum: &high}
}

func textSchema(longest int) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, MaxLength: &longest}
}

var (
	idempotencyKey = param{"Idempotency-Key", "header", "At most 255 printable ASCII characters; a repeated call under the same key is done once; with another body it is 422 (checkout: within 24 h; cart: among its last 16 edits)", textSchema(maxKeyLen)}
	ifMatch        = param{"If-Match", "header", "The ETag that GET gave, under any content coding; 412 when it is old", &huma.Schema{Type: huma.TypeString}}
	ifNoneMatch    = param{"If-None-Match", "header", "304 when the ETag is still the same", &huma.Schema{Type: huma.TypeString}}
	notModified    = answer{status: http.StatusNotModified, doc: "As the client has it", headers: []string{"ETag"}}
)
