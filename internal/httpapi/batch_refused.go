package httpapi

import (
	"encoding/json"
	"net/http"
)

// headerRefused has the calls of a batch that the edge's firewall has taken out, and what they are to be answered with (edge/waf, HeaderRefused).
// The edge lets no client send it.
const headerRefused = "Stampede-Refused"

// refusedCalls reads it: problems by the places of their calls.
func refusedCalls(h http.Header) map[int]*problem {
	var all map[int]*problem
	for _, line := range h.Values(headerRefused) {
		var some struct {
			Calls   []int
			Problem problem
		}
		if json.Unmarshal([]byte(line), &some) != nil || some.Problem.Status < 400 || some.Problem.Status > 599 {
			continue
		}
		if all == nil {
			all = map[int]*problem{}
		}
		for _, i := range some.Calls {
			all[i] = &some.Problem
		}
	}
	return all
}

// ServeHTTP answers with the problem, the way the edge does.
func (p *problem) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	if p.RequestID != "" {
		h.Set("X-Request-Id", p.RequestID)
	}
	if p.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", retryAfter(0))
	}
	p.send(w, nil)
}

// handlerOf does a call, or refuses it. Either way it counts against the limits.
func (a *api) handlerOf(p *plannedCall) http.Handler {
	switch {
	case p.no == nil:
		return a.chain
	case a.Around != nil:
		return a.Around(p.no)
	}
	return p.no
}
