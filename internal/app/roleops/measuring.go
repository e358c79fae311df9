package roleops

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/httpapi"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/replica"
	"github.com/stampede-shop/stampede/telemetry"
	"github.com/stampede-shop/stampede/telemetry/flight"
	"github.com/stampede-shop/stampede/telemetry/profile"
	"github.com/stampede-shop/stampede/telemetry/spans"
)

// Measuring is what a role measures of itself: how long things took, by name, how its runtime fares, what requests spent their
// time on, and profiles.
type Measuring struct {
	Set      *telemetry.Set
	runtime  telemetry.RuntimeReader
	spans    *spans.Store        // nil: off
	profiler *profile.Profiler   // nil: off
	flight   *flight.Recorder    // nil: off
	second   telemetry.Histogram // requests of the last second, for flight
	log      *slog.Logger
	pausing  pausing
}

// NewMeasuring measures nothing before it is opened.
func NewMeasuring() *Measuring {
	return &Measuring{Set: telemetry.NewSet(telemetry.Options{}), log: slog.New(slog.DiscardHandler)}
}

// Open makes what the configuration asks for, before the first request.
func (m *Measuring) Open(cfg config.TelemetryConfig, process string, log *slog.Logger) (err error) {
	m.log = log
	if !cfg.Enabled {
		return nil
	}
	if cfg.Spans {
		m.spans = spans.NewStore(spans.Options{Process: process})
	}
	if cfg.Dir == "" {
		return nil
	}
	dir := filepath.Join(cfg.Dir, process)
	if cfg.Profile {
		if m.profiler, err = profile.New(profile.Options{Dir: dir, Log: log}); err != nil {
			return fmt.Errorf("telemetry.dir: %w", err)
		}
	}
	if cfg.Flight {
		if m.flight, err = flight.New(flight.Options{Dir: dir, Slow: cfg.Slow, Log: log}); err != nil {
			return fmt.Errorf("telemetry.dir: %w", err)
		}
	}
	return nil
}

// TelemetryStats is the member "telemetry" of a role's /internal/stats.
type TelemetryStats struct {
	telemetry.Export
	Runtime telemetry.Runtime `json:"runtime"`
}

// Stats are what other processes read.
func (m *Measuring) Stats() TelemetryStats {
	return TelemetryStats{m.Set.Export(), m.runtime.Read()}
}

// Run keeps the windows moving, profiles and records until ctx ends, but for pauses.
func (m *Measuring) Run(ctx context.Context) { m.pausing.between(ctx, m.run) }

func (m *Measuring) run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	if m.profiler != nil {
		wg.Go(func() { m.profiler.Run(ctx) })
	}
	if m.flight != nil {
		wg.Go(func() {
			if err := m.flight.Run(ctx); err != nil {
				m.log.Warn("no flight recorder", "error", err)
			}
		})
		wg.Go(func() { m.watch(ctx) })
	}
	m.Set.Run(ctx)
}

// fewRequests in a second tell nothing about a percentile.
const fewRequests = 20

// watch tells the flight recorder how requests of the last second fared.
func (m *Measuring) watch(ctx context.Context) {
	t := time.NewTicker(flight.Beat)
	defer t.Stop()
	var beats [time.Second / flight.Beat]telemetry.Snapshot
	for i := 0; ; i = (i + 1) % len(beats) {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		beats[i] = m.second.Drain()
		var second telemetry.Snapshot
		for _, b := range beats {
			second = second.Merge(b)
		}
		var p99 time.Duration
		if second.Count() >= fewRequests {
			p99 = second.Quantile(.99)
		}
		m.flight.Watch(second.Count(), p99)
	}
}

// Flown tells the flight recorder of a request.
func (m *Measuring) Flown(route, id string, took time.Duration) {
	if m.flight != nil {
		m.second.Record(took)
		m.flight.Observe(route, id, took)
	}
}

// routes are the series of requests by method and pattern. Patterns come from us, methods from anybody.
type routes struct {
	set   *telemetry.Set
	mu    sync.Mutex
	known atomic.Pointer[map[routeKey]*telemetry.Series]
}

type routeKey struct{ method, pattern string }

func (m *Measuring) routes() *routes {
	r := &routes{set: m.Set}
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

// ApiAnswered is what the middleware of an API process calls for each request.
func (m *Measuring) ApiAnswered() func(httpapi.Answered) {
	rs := m.routes()
	return func(a httpapi.Answered) {
		if m.Paused() {
			return
		}
		rs.series(a.Request.Method, a.Route).RecordStatus(a.Took, a.Status)
		m.Flown(a.Route, a.ID, a.Took)
		if m.spans == nil {
			return
		}
		m.spans.Keep(spans.Answered{ID: a.ID, TraceID: traceID(a.Request.Header), Method: a.Request.Method, Target: a.Request.RequestURI, Route: a.Route,
			Status: a.Status, Failed: telemetry.Failed(a.Status), Start: a.Start, Took: a.Took, Request: spans.From(a.Request.Context()), Extra: tiers(a.Timing)})
	}
}

func traceID(h http.Header) string {
	if v := h["Traceparent"]; len(v) == 1 {
		return spans.TraceID(v[0])
	}
	return ""
}

// tiers are the spans of what reported to the Server-Timing header. When they began is not known.
func tiers(t *shop.Timing) []spans.Span {
	entries := t.Entries()
	out := make([]spans.Span, 0, len(entries))
	for _, e := range entries {
		out = append(out, spans.Span{Kind: "tier", Name: e.Tier, Detail: e.Desc, Start: spans.Unknown, Took: e.Dur})
	}
	return out
}

// Begun makes what is done for a request findable by its context.
func (m *Measuring) Begun(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.spans == nil || m.Paused() {
			next.ServeHTTP(w, r)
			return
		}
		ctx, _ := spans.Begin(r.Context(), time.Now())
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// Queried is what the databases call for each statement.
func (m *Measuring) Queried(ctx context.Context, q replica.Queried) {
	if m.Paused() {
		return
	}
	m.Set.Series(telemetry.KindQuery, q.Name).Record(q.Took, q.Err != nil)
	m.Set.Series(telemetry.KindLink, q.Database+" on "+q.Node).Record(q.Took, q.Err != nil)
	spans.From(ctx).Ended("db", q.Name, q.Database+" on "+q.Node, q.Took, q.Err)
}

// Worked is what the worker calls for each message.
func (m *Measuring) Worked(job string, took time.Duration, err error) {
	if m.Paused() {
		return
	}
	m.Set.Series(telemetry.KindJob, job).Record(took, err != nil)
}
