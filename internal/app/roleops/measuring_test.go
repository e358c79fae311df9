package roleops

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stampede-shop/stampede/edge"
	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/httpapi"
	"github.com/stampede-shop/stampede/internal/web"
	"github.com/stampede-shop/stampede/telemetry"
)

// The edge, which has no mux, finds the route that the mux of the API process behind it would.
func TestPatternsAreThoseOfTheMux(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	var words []string
	for _, p := range slices.Concat(httpapi.Patterns(), web.Patterns()) {
		mux.HandleFunc(p, func(http.ResponseWriter, *http.Request) {})
		for _, w := range strings.Split(p[strings.Index(p, " ")+1:], "/") {
			if w != "" && !strings.Contains(w, "{") {
				words = append(words, w)
			}
		}
	}
	slices.Sort(words)
	words = append(slices.Compact(words), "7", "x-y", "me")
	ps := shopPatterns()
	match := func(target string) string {
		if p := ps.match(target); p != nil {
			return p.text
		}
		return ""
	}
	route := func(path string) string {
		for _, method := range []string{"GET", "POST"} {
			if _, p := mux.Handler(httptest.NewRequest(method, path, nil)); p != "" {
				return p[strings.Index(p, " ")+1:]
			}
		}
		return ""
	}
	for _, p := range slices.Concat(httpapi.Patterns(), web.Patterns()) {
		p = p[strings.Index(p, " ")+1:]
		path := regexp.MustCompile(`{[a-z_]+(\.\.\.)?}`).ReplaceAllString(strings.TrimSuffix(p, "{$}"), "7")
		if got, want := match(path), route(path); got != want || want == "" {
			t.Errorf("%s is of %q, want %q", path, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		path := "/" + strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 0, 4).Draw(t, "segments"), "/")
		if path != "/" && rapid.Bool().Draw(t, "slash") {
			path += "/"
		}
		query := rapid.SampledFrom([]string{"", "?", "?a=/b"}).Draw(t, "query")
		if got, want := match(path+query), route(path); got != want {
			t.Fatalf("%s is of %q, want %q", path, got, want)
		}
	})
}

func TestRequestsAreCountedByRoute(t *testing.T) {
	t.Parallel()
	m := NewMeasuring()
	api, atEdge := m.ApiAnswered(), m.EdgeAnswered(config.ProfileShop)
	for i := range 10 {
		r := httptest.NewRequest("GET", fmt.Sprint("/products/", i), nil)
		api(httpapi.Answered{Request: r, Route: "/products/{id}", Status: 200, Took: time.Millisecond})
		atEdge(edge.Answered{Method: "GET", Target: fmt.Sprintf("/products/%d?fields=id", i), Status: 503, Took: time.Second})
		r = httptest.NewRequest("GET", "/", nil)
		r.Method = fmt.Sprint("BREW", i)
		api(httpapi.Answered{Request: r, Status: 405, Took: time.Millisecond})
	}
	m.EdgeAnswered(config.ProfilePlain)(edge.Answered{Method: "GET", Target: "/whatever", Status: 200, Took: time.Millisecond})
	atEdge(edge.Answered{Method: "GET", Target: "/cart", Status: 200, Took: time.Second, Header: http.Header{"Cache-Status": {"stampede; fwd=bypass"}}})
	exported := exportSoon(t, m)
	if s := exported.Find(telemetry.KindLink, "origins"); s == nil || s.Window("10s").Count != 1 {
		t.Errorf("requests that were passed on: %+v", s)
	}
	for name, want := range map[string][3]uint64{"GET /products/{id}": {20, 10, 10}, "other unmatched": {10, 0, 0}, "GET /": {1, 0, 1}} {
		s := exported.Find(telemetry.KindRoute, name)
		if s == nil {
			t.Errorf("%s is missing", name)
			continue
		}
		if w := s.Window("10s"); w.Count != want[0] || w.Errors != want[1] || w.Classes[1] != want[2] {
			t.Errorf("%s: %d, %d errors, %v", name, w.Count, w.Errors, w.Classes)
		}
	}
}

// exportSoon waits for the end of the second that is being measured.
func exportSoon(t *testing.T, m *Measuring) TelemetryStats {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		s := m.Stats()
		if slices.ContainsFunc(s.Series, func(x telemetry.SeriesExport) bool { return x.Windows[0].Count > 0 }) {
			return s
		}
		select {
		case <-ctx.Done():
			t.Fatal("nothing was exported")
		case <-tick.C:
		}
	}
}

func BenchmarkObserveAtTheEdge(b *testing.B) {
	observe := NewMeasuring().EdgeAnswered(config.ProfileShop)
	for b.Loop() {
		observe(edge.Answered{Method: "GET", Target: "/products/4711", Status: 200, Took: time.Millisecond})
	}
}

func BenchmarkKeptAtTheEdge(b *testing.B) {
	m := NewMeasuring()
	if err := m.Open(config.TelemetryConfig{Enabled: true, Spans: true}, "edge", slog.New(slog.DiscardHandler)); err != nil {
		b.Fatal(err)
	}
	observe := m.EdgeAnswered(config.ProfileShop)
	r := httptest.NewRequest("GET", "/products/4711", nil)
	h := http.Header{"Cache-Status": {"stampede; fwd=uri-miss"}, "Server-Timing": {"l1;desc=hit"}}
	b.ReportAllocs()
	for b.Loop() {
		observe(edge.Answered{Method: "GET", Target: "/products/4711", Status: 200, Took: time.Millisecond, Request: r, Header: h, Attempts: 1})
	}
}
