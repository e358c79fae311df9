package httpapi

import (
	"net/http"
	"strconv"

	"github.com/stampede-shop/stampede/internal/shop"
)

// queueAnswer is a shopper's place in the waiting room.
type queueAnswer struct {
	Position int64 `json:"position" minimum:"0" doc:"Shoppers before this one"`
	Estimate int64 `json:"estimate_s" minimum:"0" doc:"Seconds to wait"`
	Admitted bool  `json:"admitted"`
	Hopeless bool  `json:"hopeless" doc:"What is waited for is sold out before their turn"`
}

// problemAnswer explains a problem type.
type problemAnswer struct {
	Type        string `json:"type"`
	Title       string `json:"title"`
	Status      int    `json:"status"`
	Description string `json:"description"`
}

// anything is a JSON object without a schema.
type anything map[string]any

func (a *api) metaRoutes() []route {
	return []route{
		{method: "GET", path: "/queue", id: "getQueue", summary: "The shopper's place in the waiting room", access: open,
			answers: []answer{{status: 200, doc: "The place; without a waiting room everybody is admitted", body: queueAnswer{}}}, handle: a.queue},
		{method: "GET", path: "/openapi.json", id: "getOpenAPI", summary: "This document", access: open, params: []param{ifNoneMatch},
			answers: []answer{{status: 200, doc: "An OpenAPI 3.1 document", body: anything{}, headers: []string{"ETag"}}, notModified}, handle: a.openAPI},
		{method: "GET", path: "/problems/{code}", id: "getProblem", summary: "What an error's type means", access: open,
			answers: []answer{{status: 200, doc: "The explanation", body: problemAnswer{}}}, handle: a.problem},
	}
}

// queue answers for a platform without a waiting room: nobody waits.
func (a *api) queue(c *call) error { return c.json(http.StatusOK, queueAnswer{Admitted: true}) }

func (a *api) openAPI(c *call) error { return c.public(a.openapi, keepDocument) }

func (a *api) problem(c *call) error {
	code := shop.Code(c.r.PathValue("code"))
	k, ok := kinds[code]
	if !ok {
		return shop.NotFound("problem type", strconv.Quote(cut(string(code))))
	}
	c.w.Header().Set("Cache-Control", "public, max-age=3600")
	return c.write(http.StatusOK, encode(problemAnswer{Type: problemType(code), Title: k.title, Status: k.status, Description: k.help}))
}
