package app

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	pprofile "github.com/google/pprof/profile"

	"github.com/stampede-shop/stampede/edge"
	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/app/opshttp"
	"github.com/stampede-shop/stampede/internal/app/roleops"
	"github.com/stampede-shop/stampede/internal/httpapi"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/replica"
	"github.com/stampede-shop/stampede/telemetry/spans"
)

// observed is a process that measures itself, with heap profiles of two deploys kept, of an hour ago and of now.
func observed(t *testing.T, name string) (*roleops.Measuring, opshttp.Member) {
	t.Helper()
	dir := t.TempDir()
	m := roleops.NewMeasuring()
	if err := m.Open(config.TelemetryConfig{Enabled: true, Dir: dir, Profile: true, Flight: true, Spans: true, Slow: time.Second}, name, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	for deploy, ago := range map[string]time.Duration{"old": 62 * time.Minute, "new": 2 * time.Minute} {
		file := time.Now().UTC().Add(-ago).Format("heap-20060102T150405.000Z-") + deploy + ".pb.gz"
		f, err := os.Create(filepath.Join(dir, name, file))
		if err != nil {
			t.Fatal(err)
		}
		if err := pprof.Lookup("heap").WriteTo(f, 0); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	mux := http.NewServeMux()
	m.Mount(mux)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return m, opshttp.Member{Name: name, Ops: strings.TrimPrefix(s.URL, "http://")}
}

func askOps(t *testing.T, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	method := http.MethodGet
	if rest, ok := strings.CutPrefix(path, "POST "); ok {
		method, path = http.MethodPost, rest
	}
	r := httptest.NewRequest(method, "http://localhost:8001"+path, nil)
	r.Header.Set("Authorization", "Bearer t")
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec
}

func TestProfilesByTheOperationsEndpoint(t *testing.T) {
	t.Parallel()
	ago := func(d time.Duration) string { return time.Now().UTC().Add(-d).Format(time.RFC3339) } // by default the last minutes are asked for
	_, api := observed(t, "api-1")
	h := (&platformOps{token: "t", members: func() []opshttp.Member { return []opshttp.Member{api} }, status: func() any { return nil }}).handler()
	for _, c := range []struct {
		path, says string
		status     int
	}{
		{"/admin/profiles", `"name":"new"`, 200},
		{"/admin/profile?kind=heap&deploy=new", `"type":"inuse_space","unit":"bytes","root":{"name":"all"`, 200},
		{"/admin/profile?kind=heap&deploy=new&base=deploy:old", `"base":`, 200},
		{"/admin/profile?kind=heap&base=previous&type=alloc_space", `"base":`, 200},
		{"/admin/profile?kind=heap&from=" + ago(32*time.Minute) + "&to=" + ago(-28*time.Minute) + "&base=" + ago(92*time.Minute), `"base":`, 200},
		{"/admin/profile?kind=heap&deploy=new&format=folded", ";", 200},
		{"/admin/profile?kind=heap&deploy=none", "there is none: kind heap, deploy none", 404},
		{"/admin/profile?kind=cpu", "there is none: kind cpu", 404},
		{"/admin/profile?kind=goroutine", "one of cpu, heap", 400},
		{"/admin/profile?from=yesterday", "neither a time", 400},
		{"/admin/profile?kind=heap&deploy=new&format=svg", "one of flame, folded, pprof", 400},
		{"/admin/profile?kind=heap&deploy=new&type=x", "inuse_space", 400},
		{"/admin/profile?process=api-9", "one of api-1", 404},
		{"/admin/flight", `{"api-1":[]}`, 200},
		{"/admin/flight/flight-20261127T120000.000Z.trace", "no trace of that name", 404},
		{"POST /admin/flight?process=api-1", "the flight recorder is off", 409},
	} {
		rec := askOps(t, h, c.path)
		if rec.Code != c.status || !strings.Contains(rec.Body.String(), c.says) {
			t.Errorf("%s: %d %.300s, want %d %q", c.path, rec.Code, rec.Body, c.status, c.says)
		}
	}
	p, err := pprofile.ParseData(askOps(t, h, "/admin/profile?kind=heap&deploy=new&format=pprof").Body.Bytes())
	if err != nil || len(p.Sample) == 0 {
		t.Errorf("not a profile: %v", err)
	}
	r := httptest.NewRequest(http.MethodGet, "http://localhost:8001/admin/profile", nil)
	rec := httptest.NewRecorder()
	if h.ServeHTTP(rec, r); rec.Code != http.StatusUnauthorized {
		t.Errorf("without a token: %d", rec.Code)
	}
}

// A request that went through the edge and an API process is put together by its id, or that of its trace.
func TestATraceByItsID(t *testing.T) {
	t.Parallel()
	api, apiMember := observed(t, "api-1")
	front, edgeMember := observed(t, "edge")
	const traceparent, trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "4bf92f3577b34da6a3ce929d0e0e4736"
	begun := time.Now()
	r := httptest.NewRequest(http.MethodGet, "/products/7", nil)
	r.Header.Set("Traceparent", traceparent)
	api.Begun(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		api.Queried(r.Context(), replica.Queried{Name: "GetProduct", Database: "catalog", Node: "replica-1", Took: 3 * time.Millisecond})
		ctx, timing := shop.WithTiming(r.Context())
		shop.Observe(ctx, "l1", "miss", 0)
		api.ApiAnswered()(httpapi.Answered{Request: r, ID: "the-id", Route: "/products/{id}", Status: 200, Start: begun.Add(time.Millisecond), Took: 5 * time.Millisecond, Timing: timing})
	})).ServeHTTP(httptest.NewRecorder(), r)
	front.EdgeAnswered(config.ProfileShop)(edge.Answered{Method: "GET", Target: "/products/7", Status: 200, Start: begun, Took: 9 * time.Millisecond, ID: "the-id", Request: r,
		Header: http.Header{"Cache-Status": {"stampede; fwd=uri-miss"}}, Attempts: 1})
	h := (&platformOps{token: "t", members: func() []opshttp.Member { return []opshttp.Member{apiMember, edgeMember} }, status: func() any { return nil }}).handler()
	for _, id := range []string{"the-id", trace} {
		var got struct {
			Took      time.Duration `json:"took_ns"`
			Processes []tracePart   `json:"processes"`
		}
		rec := askOps(t, h, "/admin/trace/"+id)
		for end := time.Now().Add(time.Minute); strings.Count(rec.Body.String(), `"process"`) < 2 && time.Now().Before(end); { // a busy process answers too late at times
			rec = askOps(t, h, "/admin/trace/"+id)
		}
		if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil || len(got.Processes) != 2 {
			t.Fatalf("%v: %s", err, rec.Body)
		}
		first, second := got.Processes[0], got.Processes[1]
		if first.Process != "edge" || first.Route != "GET /products/{id}" || got.Took != 9*time.Millisecond || first.Spans[0].Detail != "stampede; fwd=uri-miss" {
			t.Errorf("%+v", first)
		}
		if second.Process != "api-1" || second.Offset != time.Millisecond || len(second.Spans) != 2 || second.Spans[0].Name != "l1" ||
			second.Spans[1].Name != "GetProduct" || second.Spans[1].Detail != "catalog on replica-1" || second.Spans[1].Took != 3*time.Millisecond {
			t.Errorf("%+v", second)
		}
	}
	if rec := askOps(t, h, "/admin/trace/another"); rec.Code != 404 || !strings.Contains(rec.Body.String(), "no process remembers") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	var lists map[string][]spans.Trace
	rec := askOps(t, h, "/admin/traces?class=recent")
	if err := json.Unmarshal(rec.Body.Bytes(), &lists); err != nil || len(lists["api-1"]) != 1 || lists["edge"][0].ID != "the-id" {
		t.Errorf("%v %s", err, rec.Body)
	}
}

// Everything that runs in the background ends with the context.
func TestMeasuringEnds(t *testing.T) { //nolint:paralleltest // a process has one flight recorder
	m, _ := observed(t, "worker")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { m.Run(ctx); close(done) }()
	m.Flown("GET /", "x", 2*time.Second) // whether it is written yet or not
	cancel()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("it goes on")
	}
}
