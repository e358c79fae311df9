// Package respond is what the parts of the edge share in answering for themselves, without an origin.
package respond

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// Problem is an RFC 9457 answer.
type Problem struct {
	Type      string `json:"type"` // without "/problems/", which Write puts before it; stable: a program may branch on it
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Instance  string `json:"instance,omitempty"`
	RequestID string `json:"request_id,omitempty"`

	RetryAfter int  `json:"-"` // seconds; 0 means no header
	CloseConn  bool `json:"-"` // a body that was not read goes with the connection
}

func (p Problem) Error() string { return p.Type + ": " + p.Detail }

// JSON is p as a document, about the request with that id, which may be empty.
func (p Problem) JSON(requestID string) []byte {
	p.RequestID = requestID
	p.Type = "/problems/" + p.Type
	if p.Title == "" {
		p.Title = http.StatusText(p.Status)
	}
	body, _ := json.Marshal(p) // strings and ints only: cannot fail
	return body
}

// Write sends p as the answer to a request of that method and id; both may be empty.
func (p Problem) Write(w http.ResponseWriter, method, requestID string) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	if requestID != "" {
		h.Set("X-Request-Id", requestID)
	}
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.RetryAfter))
	}
	if p.CloseConn {
		h.Set("Connection", "close")
	}
	body := p.JSON(requestID)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.Status)
	if method != http.MethodHead {
		_, _ = w.Write(body)
	}
}

// Innermost is net/http's own ResponseWriter, which MaxBytesReader tells to linger before it closes the connection, so
// that the client reads the answer instead of a reset.
func Innermost(w http.ResponseWriter) http.ResponseWriter {
	for {
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = u.Unwrap()
	}
}
