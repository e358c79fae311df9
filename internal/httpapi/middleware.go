package httpapi

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/stampede-shop/stampede/internal/account"
	"github.com/stampede-shop/stampede/internal/shop"
)

// MiddlewareDeps configures [Middleware]; the zero value works.
type MiddlewareDeps struct {
	Log        *slog.Logger          // nil discards
	Registerer prometheus.Registerer // nil: no metrics; using it again for another handler is fine
	AccessLog  bool                  // lines for requests that went well at level info instead of debug
	Now        func() time.Time      // nil is time.Now
	NewID      func() string         // of requests; nil makes UUIDv7s
	Observe    func(Answered)        // is told of each request, once it is answered, and must be quick; may be nil
}

// Answered is a request that was answered, as [MiddlewareDeps] has it observed. It is valid during the call only.
type Answered struct {
	Request *http.Request
	ID      string
	Route   string // the pattern, without a method; "" when there was none for it
	Status  int
	Start   time.Time
	Took    time.Duration
	Timing  *shop.Timing // which tiers worked on it
	Cause   error        // of a failure; nil when there was none
}

// state is what the middleware knows of a request, reachable through its context.
type state struct {
	id string

	mu      sync.Mutex
	err     error  // the cause of a failure, for the log
	pattern string // of the route that served it
}

type stateKey struct{}

func stateOf(ctx context.Context) *state {
	s, _ := ctx.Value(stateKey{}).(*state)
	return s
}

// RequestID is the id of the request that a context belongs to, "" outside of one.
func RequestID(ctx context.Context) string {
	if s := stateOf(ctx); s != nil {
		return s.id
	}
	return ""
}

// noteError keeps the cause of a failure for the request's log line.
func noteError(ctx context.Context, err error) {
	if s := stateOf(ctx); s != nil {
		s.mu.Lock()
		s.err = err
		s.mu.Unlock()
	}
}

func (s *state) cause() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *state) route() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pattern
}

// Routed goes directly around a ServeMux and tells the [Middleware] further out which pattern served a request: handlers in
// between may hand on a copy of the request, and the mux writes the pattern into that.
func Routed(mux http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if s := stateOf(r.Context()); s != nil {
				s.mu.Lock()
				s.pattern = r.Pattern[strings.Index(r.Pattern, " ")+1:] // less the method, which some patterns have
				s.mu.Unlock()
			}
		}()
		mux.ServeHTTP(w, r)
	})
}

type middleware struct {
	MiddlewareDeps
	next    http.Handler
	metrics *metrics
}

// Middleware gives every request an id, the trace it belongs to, its client's name for [account.Client], a Timing that
// becomes Server-Timing, a compressed answer if it may be, a log line and its place in the metrics; a panic becomes a
// 500 problem. Route patterns are those of a ServeMux further in that [Routed] goes around.
func Middleware(h http.Handler, d MiddlewareDeps) http.Handler {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.NewID == nil {
		d.NewID = func() string { return uuid.Must(uuid.NewV7()).String() }
	}
	return &middleware{MiddlewareDeps: d, next: h, metrics: newMetrics(d.Registerer)}
}

func (m *middleware) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := m.Now()
	st := &state{id: r.Header.Get("X-Request-Id")}
	if !saneID(st.id) {
		st.id = m.NewID()
	}
	ctx := context.WithValue(withTrace(r), stateKey{}, st)
	ctx, timing := shop.WithTiming(account.WithClient(ctx, clientOf(r)))
	r = r.WithContext(ctx)
	w.Header().Set("X-Request-Id", st.id)
	rec := &recorder{ResponseWriter: w, timing: timing, start: start, elapsed: func() time.Duration { return m.Now().Sub(start) }}
	m.metrics.begin()
	defer func() {
		p := recover()
		if p != nil && p != http.ErrAbortHandler { //nolint:errorlint // net/http compares it this way too
			m.failed(rec, r, p)
		}
		m.finish(rec, r, st, m.Now().Sub(start))
		if p == http.ErrAbortHandler { //nolint:errorlint
			panic(p)
		}
	}()
	if r.Header["If-None-Match"] != nil || r.Header["If-Match"] != nil {
		r.Header = r.Header.Clone() // compression rewrites validators, on our copy
	}
	c := newCompressor(rec, r)
	if untidy(r.URL.Path) {
		c.Header()["Content-Type"] = nil // keeps the mux's redirect from having a body of HTML
	}
	m.next.ServeHTTP(c, r)
	c.close()
}

// failed answers for a handler that panicked, unless it had answered already.
func (m *middleware) failed(rec *recorder, r *http.Request, p any) {
	err := fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	noteError(r.Context(), err)
	if rec.status == 0 {
		WriteProblem(rec, r, err)
		return
	}
	m.finish(rec, r, stateOf(r.Context()), rec.elapsed())
	panic(http.ErrAbortHandler) // half an answer must not look whole
}

// finish writes the log line and counts.
func (m *middleware) finish(rec *recorder, r *http.Request, st *state, took time.Duration) {
	if rec.finished {
		return
	}
	rec.finished = true
	if rec.status == 0 {
		rec.status = http.StatusOK // net/http sends that when nothing was written
	}
	m.metrics.end(st.route(), r.Method, rec.status, took)
	if m.Observe != nil {
		m.Observe(Answered{Request: r, ID: st.id, Route: st.route(), Status: rec.status, Start: rec.start, Took: took, Timing: rec.timing, Cause: st.cause()})
	}
	level := slog.LevelDebug
	if m.AccessLog {
		level = slog.LevelInfo
	}
	if rec.status >= 500 {
		level = slog.LevelError
	}
	if !m.Log.Enabled(r.Context(), level) {
		return
	}
	attrs := []slog.Attr{slog.String("request_id", st.id), slog.String("method", r.Method), slog.String("path", r.URL.Path),
		slog.String("route", st.route()), slog.Int("status", rec.status), slog.Int64("bytes", rec.bytes),
		slog.Float64("ms", float64(took.Microseconds())/1000), slog.String("client", account.Client(r.Context()))}
	if sc := trace.SpanContextFromContext(r.Context()); sc.HasTraceID() {
		attrs = append(attrs, slog.String("trace_id", sc.TraceID().String()))
	}
	if err := st.cause(); err != nil {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	m.Log.LogAttrs(r.Context(), level, "request", attrs...)
}

// withTrace makes the caller's traceparent the parent of what happens here, unless a tracer did so further out.
func withTrace(r *http.Request) context.Context {
	if trace.SpanContextFromContext(r.Context()).IsValid() {
		return r.Context()
	}
	return propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
}

// clientOf is the shopper's address: the first that X-Forwarded-For names, because our edge has dropped what it does not
// believe, or the connection's.
func clientOf(r *http.Request) string {
	first, _, _ := strings.Cut(r.Header.Get("X-Forwarded-For"), ",")
	if first = strings.TrimSpace(first); first != "" && len(first) <= 64 {
		return first
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// untidy tells a path that net/http's mux redirects: one with "//", "/./" or "/../".
func untidy(p string) bool {
	if !strings.HasPrefix(p, "/") || strings.Contains(p, "//") {
		return true
	}
	return strings.Contains(p, "/.") && slices.ContainsFunc(strings.Split(p, "/"), func(s string) bool { return s == "." || s == ".." })
}

// saneID accepts ids that are safe in headers, logs and file names.
func saneID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && !strings.ContainsRune("-_.:", rune(c)) {
			return false
		}
	}
	return true
}
