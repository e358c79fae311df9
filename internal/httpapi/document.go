package httpapi

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/stampede-shop/stampede/internal/shop"
)

// APIVersion is the version of the interface that the document describes.
const APIVersion = "1.0.0"

// document is the OpenAPI document with the routes it was made of; their bodies are checked against its schemas.
type document struct {
	registry huma.Registry
	routes   []*route
	api      *huma.OpenAPI

	bodyDeadline time.Duration
}

// OpenAPI returns the OpenAPI 3.1 document, indented, the same bytes each time.
func OpenAPI() ([]byte, error) {
	a := &api{}
	d, err := newDocument(a.routes())
	if err != nil {
		return nil, err
	}
	return d.json()
}

func (d *document) json() ([]byte, error) {
	b, err := json.MarshalIndent(d.api, "", "  ")
	return append(b, '\n'), err
}

func newDocument(routes []route) (*document, error) {
	d := &document{registry: huma.NewMapRegistry("#/components/schemas/", schemaName), bodyDeadline: bodyDeadline}
	d.api = &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{Title: "Stampede", Version: APIVersion, Description: apiDescription,
			License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}},
		Servers: []*huma.Server{{URL: "/", Description: "The edge, port 8000"}},
		Tags:    tags,
		Components: &huma.Components{Schemas: d.registry, SecuritySchemes: map[string]*huma.SecurityScheme{
			"session": {Type: "apiKey", In: "cookie", Name: "sid", Description: "Set by the first cart, order or user call"},
			"admin":   {Type: "http", Scheme: "bearer", Description: "The administrator's token"},
		}},
	}
	d.registry.Schema(reflect.TypeFor[problem](), true, "")
	for _, r := range routes {
		if err := d.add(&r); err != nil {
			return nil, err
		}
	}
	return d, d.decorate()
}

// schemaName makes Cart of cart, Product of shop.Product, AddInput of addInput.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	return strings.ToUpper(name[:1]) + name[1:]
}

func (d *document) add(r *route) error {
	op := &huma.Operation{OperationID: r.id, Method: r.method, Path: r.path, Summary: r.summary, Description: r.text,
		Tags: []string{tagOf(r.path)}, Responses: map[string]*huma.Response{}}
	d.addParams(op, r)
	if r.body != nil {
		d.addBody(op, r.body)
	}
	d.describeRaw(op, r)
	for _, a := range r.answers {
		op.Responses[fmt.Sprint(a.status)] = d.response(a, r)
	}
	d.addProblems(op, r)
	switch r.access {
	case admin:
		op.Security = []map[string][]string{{"admin": {}}}
	case shopper:
		op.Security = []map[string][]string{{"session": {}}, {}}
	}
	d.api.AddOperation(op)
	d.routes = append(d.routes, r)
	return nil
}

func tagOf(path string) string {
	switch first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/"); first {
	case "products", "campaigns", "cart", "orders", "users":
		return first
	default:
		return "meta"
	}
}

func (d *document) addBody(op *huma.Operation, spec *bodySpec) {
	s := d.registry.Schema(spec.typ, true, "")
	if spec.patch {
		s = d.patchOf(spec.typ)
	}
	spec.schema = s
	op.RequestBody = &huma.RequestBody{Required: !spec.optional,
		Content: map[string]*huma.MediaType{"application/json": {Schema: s}}}
	if spec.patch {
		op.RequestBody.Content["application/merge-patch+json"] = &huma.MediaType{Schema: s}
	}
}

// patchOf is the schema of merge patches: as the type's, with nothing required, and null for what was not.
func (d *document) patchOf(t reflect.Type) *huma.Schema {
	full := d.registry.Schema(t, false, "")
	s := &huma.Schema{Type: huma.TypeObject, AdditionalProperties: false, Properties: map[string]*huma.Schema{}}
	for name, p := range full.Properties {
		one := *p
		one.Nullable = !slices.Contains(full.Required, name)
		s.Properties[name] = &one
	}
	name := strings.TrimSuffix(schemaName(t, ""), "Fields") + "Patch"
	delete(d.registry.Map(), schemaName(t, "")) // nothing refers to the full form
	d.registry.Map()[name] = s
	return &huma.Schema{Ref: "#/components/schemas/" + name}
}

// problemSchema is the schema of every error.
func problemSchema() *huma.Schema { return &huma.Schema{Ref: "#/components/schemas/Problem"} }

// addProblems documents the codes of a call by status.
func (d *document) addProblems(op *huma.Operation, r *route) {
	byStatus := map[int][]string{}
	for _, code := range r.problemCodes() {
		k := kinds[code]
		byStatus[k.status] = append(byStatus[k.status], string(code))
	}
	for status, codes := range byStatus {
		slices.Sort(codes)
		resp := &huma.Response{Description: strings.Join(slices.Compact(codes), ", "),
			Content: map[string]*huma.MediaType{"application/problem+json": {Schema: problemSchema()}},
			Headers: map[string]*huma.Header{"X-Request-Id": header("X-Request-Id")}}
		if status == 429 || status == 503 {
			resp.Headers["Retry-After"] = header("Retry-After")
		}
		if status == 401 {
			resp.Headers["WWW-Authenticate"] = header("WWW-Authenticate")
		}
		op.Responses[fmt.Sprint(status)] = resp
	}
}

// problemCodes are all codes that a call may answer with, the edge's firewall included.
func (r *route) problemCodes() []shop.Code {
	codes := append([]shop.Code{codeBlocked, shop.CodeTooManyRequests, shop.CodeInternal, shop.CodeUnavailable}, r.codes...)
	if r.body != nil {
		codes = append(codes, shop.CodeMalformed, codeTooLarge, codeUnsupported, shop.CodeInvalid)
	}
	if len(r.params) > 0 {
		codes = append(codes, shop.CodeInvalid, shop.CodeMalformed)
	}
	if strings.Contains(r.path, "{") {
		codes = append(codes, shop.CodeNotFound)
	}
	switch r.access {
	case admin:
		codes = append(codes, shop.CodeUnauthorized)
	case shopper:
		codes = append(codes, shop.CodeForbidden)
	}
	return codes
}
