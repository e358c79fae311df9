package app

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/stampede-shop/stampede/internal/httpapi"
	"github.com/stampede-shop/stampede/telemetry"
)

// measuring is what a role measures of itself: how long things took, by name, and how its runtime fares.
type measuring struct {
	set     *telemetry.Set
	runtime telemetry.RuntimeReader
}

func newMeasuring() *measuring {
	return &measuring{set: telemetry.NewSet(telemetry.Options{})}
}

// telemetryStats is the member "telemetry" of a role's /internal/stats.
type telemetryStats struct {
	telemetry.Export
	Runtime telemetry.Runtime `json:"runtime"`
}

func (m *measuring) stats() telemetryStats {
	return telemetryStats{m.set.Export(), m.runtime.Read()}
}

// run keeps the windows moving until ctx ends.
func (m *measuring) run(ctx context.Context) { m.set.Run(ctx) }

// routes are the series of requests by method and pattern. Patterns come from us, methods from anybody.
type routes struct {
	set   *telemetry.Set
	mu    sync.Mutex
	known atomic.Pointer[map[routeKey]*telemetry.Series]
}

type routeKey struct{ method, pattern string }

func (m *measuring) routes() *routes {
	r := &routes{set: m.set}
	r.known.Store(&map[routeKey]*telemetry.Series{})
	return r
}

// series is that of a route; pattern may begin with a method, as those of net/http's mux may, and "" is a request for which there is
// no route. Except for the first time it takes no lock and allocates nothing.
func (r *routes) series(method, pattern string) *telemetry.Series {
	if s := (*r.known.Load())[routeKey{method, pattern}]; s != nil {
		return s
	}
	return r.learn(method, pattern)
}

func (r *routes) learn(method, pattern string) *telemetry.Series {
	key := routeKey{strings.Clone(method), pattern}
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
	default:
		method, key.method = "other", "other"
	}
	if pattern == "" {
		pattern = "unmatched"
	}
	name := pattern
	if !strings.Contains(pattern, " ") {
		name = method + " " + pattern
	}
	s := r.set.Series(telemetry.KindRoute, name)
	r.mu.Lock()
	defer r.mu.Unlock()
	grown := map[routeKey]*telemetry.Series{key: s}
	for k, v := range *r.known.Load() {
		grown[k] = v
	}
	r.known.Store(&grown)
	return s
}

// apiAnswered is what the middleware of an API process calls for each request.
func (m *measuring) apiAnswered() func(httpapi.Answered) {
	rs := m.routes()
	return func(a httpapi.Answered) { rs.series(a.Request.Method, a.Route).RecordStatus(a.Took, a.Status) }
}
