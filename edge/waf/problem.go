package waf

import (
	"net/http"

	"github.com/stampede-shop/stampede/edge/internal/respond"
)

// problem is an answer to a request that goes no further.
type problem = respond.Problem

// verdictProblem is the answer to a request that was objected to. It does not say which rule it was: whoever attacks
// would learn from it, and who runs the server finds it in the log under the id.
func verdictProblem(v Verdict) problem {
	switch v.Status {
	case http.StatusBadRequest:
		d := "the request body cannot be parsed as what its Content-Type says it is"
		if v.detail != "" {
			d = v.detail
		}
		return problem{Type: "malformed", Status: v.Status, Detail: d + "; correct it and send it again"}
	case http.StatusRequestEntityTooLarge:
		d := "the request carries more values than are taken at once"
		if v.detail != "" {
			d = v.detail
		}
		return problem{Type: "too-large", Status: v.Status, Detail: d + "; send less at once"}
	case http.StatusServiceUnavailable:
		return problem{Type: "temporarily-unavailable", Status: v.Status, RetryAfter: 1, Detail: "too many large requests at once; try again in a moment"}
	case http.StatusInternalServerError:
		return problem{Type: "internal", Status: v.Status, Detail: "something went wrong on our side: try again, and tell us the request id if it stays"}
	}
	return problem{Type: "request-blocked", Title: "The request was blocked", Status: http.StatusForbidden,
		Detail: "the request looks like an attack and was not passed on; if it is none, write it differently, or tell us the request id and we look into it"}
}

// named is p with the id of r, by which the log line is found.
func named(p problem, r *http.Request) (problem, string) {
	id := r.Header.Get("X-Request-Id")
	if id != "" {
		p.Instance = "urn:request:" + id
	}
	return p, id
}

// refuse sends p as the answer to r.
func refuse(w http.ResponseWriter, r *http.Request, p problem) {
	p, id := named(p, r)
	p.Write(w, r.Method, id)
}
