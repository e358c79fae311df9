package edge

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

func (p problem) Error() string { return p.Type + ": " + p.Detail }

// write sends p. The names of the types are stable; a program may branch on them.
func (p problem) write(w http.ResponseWriter, requestID string) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Request-Id", requestID)
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	if p.closeConn {
		h.Set("Connection", "close")
	}
	p.Type = "/problems/" + p.Type
	if p.Title = http.StatusText(p.Status); p.Title == "" {
		p.Title = "Client Closed Request"
	}
	p.RequestID = requestID
	body, _ := json.Marshal(p) // strings and ints only: cannot fail
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.Status)
	_, _ = w.Write(body)
}

var (
	problemNoOrigin = problem{Type: "temporarily-unavailable", Status: http.StatusServiceUnavailable, retryAfter: 1,
		Detail: "no server is available right now; try again in a moment"}
	problemDraining = problem{Type: "temporarily-unavailable", Status: http.StatusServiceUnavailable, retryAfter: 1, closeConn: true,
		Detail: "this server is shutting down; try again"}
	problemBadGateway = problem{Type: "bad-gateway", Status: http.StatusBadGateway,
		Detail: "the server did not complete its answer; it is not known whether the request took effect, so look before sending it again"}
	problemTimeout = problem{Type: "gateway-timeout", Status: http.StatusGatewayTimeout,
		Detail: "the server did not answer in time; it is not known whether the request took effect, so look before sending it again"}
	problemTooLarge = problem{Type: "too-large", Status: http.StatusRequestEntityTooLarge, closeConn: true,
		Detail: "the request body is larger than this server takes; send less at once"}
	problemSlowBody = problem{Type: "request-timeout", Status: http.StatusRequestTimeout, closeConn: true,
		Detail: "the request body did not arrive in time; send it again"}
	problemBadBody = problem{Type: "malformed", Status: http.StatusBadRequest, closeConn: true,
		Detail: "the request body could not be read; send it again"}
	// Hardly anybody reads this one: the client closed its side before the answer.
	problemClientGone = problem{Type: "client-closed-request", Status: 499, Detail: "the client closed the connection before the answer"}
	problemPurge      = problem{Type: "temporarily-unavailable", Status: http.StatusServiceUnavailable, retryAfter: 1,
		Detail: "the purge did not verifiably reach every edge; send it again"}
	problemMethod = problem{Type: "method-not-allowed", Status: http.StatusMethodNotAllowed,
		Detail: "this method is not available here"}
)
