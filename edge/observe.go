package edge

import (
	"net/http"
	"time"
)

// Answered is a request that was answered, as Options.Observe sees it. It is valid during the call only.
type Answered struct {
	Method string
	Target string // path and query
	Status int    // 499 when the client left first, 502 when the answer broke off
	Start  time.Time
	Took   time.Duration // until the answer was handed over; for what is answered from the connection, until it was made

	// What follows is empty for hits that were answered straight from the connection.
	ID       string
	Request  *http.Request
	Header   http.Header // of the answer
	Attempts int         // at origins; what the cache fetches for several at once is not counted here, Cache-Status tells of it
}

// answered describes the request that a belongs to; whole is false when its answer was cut off.
func (a *answer) answered(r *http.Request, took time.Duration, whole bool) Answered {
	status := a.status
	switch {
	case !whole && r.Context().Err() != nil:
		status = problemClientGone.Status
	case !whole:
		status = http.StatusBadGateway
	case status == 0:
		status = http.StatusOK
	}
	return Answered{Method: r.Method, Target: r.URL.RequestURI(), Status: status, Start: a.x.start, Took: took, ID: a.x.id, Request: r,
		Header: a.Header(), Attempts: a.x.attempts}
}
