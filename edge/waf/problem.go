package waf

import (
	"encoding/json"
	"net/http"
)

// problem is an RFC 9457 answer.
type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Instance  string `json:"instance,omitempty"`
	RequestID string `json:"request_id,omitempty"`

	retryAfter int // seconds; 0 means no header
	closeConn  bool
}

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
		return problem{Type: "temporarily-unavailable", Status: v.Status, retryAfter: 1, Detail: "too many large requests at once; try again in a moment"}
	case http.StatusInternalServerError:
		return problem{Type: "internal", Status: v.Status, Detail: "something went wrong on our side: try again, and tell us the request id if it stays"}
	}
	return problem{Type: "request-blocked", Title: "The request was blocked", Status: http.StatusForbidden,
		Detail: "the request looks like an attack and was not passed on; if it is none, write it differently, or tell us the request id and we look into it"}
}

// write sends p with the id of r, by which the log line is found.
func (p problem) write(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	if p.retryAfter > 0 {
		h.Set("Retry-After", itoa(p.retryAfter))
	}
	if p.closeConn {
		h.Set("Connection", "close")
	}
	p.Type = "/problems/" + p.Type
	if p.Title == "" {
		p.Title = http.StatusText(p.Status)
	}
	if p.RequestID = r.Header.Get("X-Request-Id"); p.RequestID != "" {
		h.Set("X-Request-Id", p.RequestID)
		p.Instance = "urn:request:" + p.RequestID
	}
	body, _ := json.Marshal(p) // strings and ints only: cannot fail
	h.Set("Content-Length", itoa(len(body)))
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}
