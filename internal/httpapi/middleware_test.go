package httpapi

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/trace"

	"github.com/stampede-shop/stampede/internal/account"
	"github.com/stampede-shop/stampede/internal/shop"
)

func TestRequestID(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if a := b.do("GET", "/products/1", "", "X-Request-Id: abc-1.2:3_X"); a.Header.Get("X-Request-Id") != "abc-1.2:3_X" {
		t.Errorf("%v", a.Header)
	}
	for _, bad := range []string{"", "a b", `a"b`, strings.Repeat("x", 65), "a/b"} {
		if got := b.do("GET", "/products/1", "", "X-Request-Id: "+bad).Header.Get("X-Request-Id"); got == bad || len(got) != 36 {
			t.Errorf("%q became %q", bad, got)
		}
	}
	if !strings.Contains(b.log.String(), `"request_id":"abc-1.2:3_X"`) {
		t.Error("the id is not in the log")
	}
}

func TestServerTimingAndMetrics(t *testing.T) {
	t.Parallel()
	b := setup(t)
	a := b.do("GET", "/products?ids=1", "")
	if st := a.Header.Get("Server-Timing"); !strings.HasPrefix(st, "l1;desc=miss, db;dur=1.3;desc=replica-1, total;dur=") {
		t.Errorf("Server-Timing %q", st)
	}
	b.do("GET", "/products/1", "")
	b.do("GET", "/products/99", "")
	b.do("GET", "/wherever", "")
	rec := httptest.NewRecorder()
	promhttp.HandlerFor(b.metrics, promhttp.HandlerOpts{}).ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{
		`stampede_http_requests_total{method="GET",route="/",status="4xx"} 1`,
		`stampede_http_requests_total{method="GET",route="/products",status="2xx"} 1`,
		`stampede_http_requests_total{method="GET",route="/products/{id}",status="2xx"} 1`,
		`stampede_http_requests_total{method="GET",route="/products/{id}",status="4xx"} 1`,
		`stampede_http_request_duration_seconds_count{method="GET",route="/products/{id}"} 2`,
		`stampede_http_requests_in_flight 0`,
	} {
		if !strings.Contains(rec.Body.String(), want+"\n") {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

// What stands between the middleware and the mux may hand on a copy of the request.
func TestRouteIsKnownBehindACopy(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /things/{id}", func(http.ResponseWriter, *http.Request) {})
	routed, reg := Routed(mux), prometheus.NewRegistry()
	between := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { routed.ServeHTTP(w, r.Clone(r.Context())) })
	Middleware(between, MiddlewareDeps{Registerer: reg}).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/things/7", nil))
	rec := httptest.NewRecorder()
	promhttp.HandlerFor(reg, promhttp.HandlerOpts{}).ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	if want := `stampede_http_requests_total{method="GET",route="/things/{id}",status="2xx"} 1`; !strings.Contains(rec.Body.String(), want) {
		t.Errorf("no %s in %s", want, rec.Body)
	}
}

func TestPanicIsAProblem(t *testing.T) {
	t.Parallel()
	var log safeBuffer
	reg := prometheus.NewRegistry()
	d := MiddlewareDeps{Log: slog.New(slog.NewJSONHandler(&log, nil)), Registerer: reg}
	h := Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"x"`)
		if r.URL.Path == "/late" {
			w.Write([]byte("half")) //nolint:errcheck
			http.NewResponseController(w).Flush()
		}
		panic("boom")
	}), d)
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest("GET", "/early", nil))
	if rec.Code != 500 || rec.Header().Get("ETag") != "" || !strings.Contains(rec.Body.String(), "/problems/internal") {
		t.Errorf("%d %v %s", rec.Code, rec.Header(), rec.Body)
	}
	if !strings.Contains(log.String(), "panic: boom") || !strings.Contains(log.String(), "middleware_test.go") {
		t.Errorf("no stack in the log: %s", log.String())
	}
	func() {
		defer func() {
			if recover() != http.ErrAbortHandler { //nolint:errorlint
				t.Error("half an answer was left to look whole")
			}
		}()
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/late", nil))
	}()
	Middleware(h, d) // the same registry again
}

func TestContextOfARequest(t *testing.T) {
	t.Parallel()
	var log safeBuffer
	var client, id, parent string
	h := Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		client, id = account.Client(r.Context()), RequestID(r.Context())
		parent = trace.SpanContextFromContext(r.Context()).TraceID().String()
		slog.New(LogHandler(slog.NewJSONHandler(&log, nil))).With("a", 1).InfoContext(r.Context(), "inside")
	}), MiddlewareDeps{Log: slog.New(slog.NewJSONHandler(&log, nil)), AccessLog: true})
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("X-Request-Id", "r1")
	r.Header.Set("X-Forwarded-For", "2.2.2.2, 1.1.1.1")
	r.Header.Set("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	h.ServeHTTP(httptest.NewRecorder(), r)
	if client != "2.2.2.2" || id != "r1" || parent != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("client %q id %q trace %q", client, id, parent)
	}
	for _, line := range strings.Split(strings.TrimSpace(log.String()), "\n") {
		var l struct {
			ID string `json:"request_id"`
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil || l.ID != "r1" || strings.Count(line, "request_id") != 1 {
			t.Errorf("log line %s", line)
		}
	}
	if RequestID(context.Background()) != "" || clientOf(&http.Request{RemoteAddr: "@", Header: http.Header{}}) != "@" {
		t.Error("outside of a request")
	}
}

func TestServerTimingIsSafe(t *testing.T) {
	t.Parallel()
	got := serverTiming([]shop.TimingEntry{{Tier: "l 1", Desc: "a,b\n"}, {Tier: "db", Dur: 1500 * time.Nanosecond}}, time.Millisecond)
	if got != "l_1;desc=a_b_, db;dur=0.001, total;dur=1" {
		t.Errorf("%q", got)
	}
}

// Whoever observes is told of each request once, with what is known of it.
func TestObserve(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /things/{id}", func(w http.ResponseWriter, r *http.Request) {
		shop.Observe(r.Context(), "db", "replica-1", 5)
		if r.PathValue("id") == "bad" {
			panic("oh")
		}
		w.WriteHeader(http.StatusTeapot)
	})
	var got []Answered
	h := Middleware(Routed(mux), MiddlewareDeps{Observe: func(a Answered) { got = append(got, a) }, NewID: func() string { return "made" }})
	for _, path := range []string{"/things/7", "/things/bad", "/nowhere"} {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil))
	}
	if len(got) != 3 {
		t.Fatalf("told %d times", len(got))
	}
	for i, want := range []Answered{{Route: "/things/{id}", Status: 418}, {Route: "/things/{id}", Status: 500}, {Status: 404}} {
		a := got[i]
		if a.Route != want.Route || a.Status != want.Status || a.ID != "made" || a.Start.IsZero() || (a.Cause != nil) != (want.Status == 500) {
			t.Errorf("%+v, want %+v", a, want)
		}
	}
	if e := got[0].Timing.Entries(); len(e) != 1 || e[0].Desc != "replica-1" {
		t.Errorf("%+v", e)
	}
}
