package limit

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// problem is an RFC 9457 answer.
type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	RequestID string `json:"request_id,omitempty"`

	retryAfter int // seconds; 0 means no header
	closeConn  bool
}

// write sends p; a body that was not read goes with the connection.
func (p problem) write(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	if p.closeConn {
		h.Set("Connection", "close")
	}
	p.Type = "/problems/" + p.Type
	p.Title = http.StatusText(p.Status)
	if p.RequestID = r.Header.Get("X-Request-Id"); p.RequestID != "" {
		h.Set("X-Request-Id", p.RequestID)
	}
	body, _ := json.Marshal(p) // strings and ints only: cannot fail
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}
