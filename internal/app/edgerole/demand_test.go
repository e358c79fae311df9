package edgerole

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stampede-shop/stampede/cache/warm"
	"github.com/stampede-shop/stampede/edge"
	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/app/roleops"
	"github.com/stampede-shop/stampede/internal/app/warming"
	"github.com/stampede-shop/stampede/internal/local/localtest"
)

// What an edge is asked for comes to the process that warms, warming itself and what is not kept left out; an edge that starts is
// noticed.
func TestEdgeTellsItsDemand(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, mux := newEdgeDemand(), http.NewServeMux()
		d.route(mux)
		h := d.wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
		ask := func(n int, method, target string, prefetch bool) {
			for range n {
				r := httptest.NewRequest(method, target, nil)
				if prefetch {
					r.Header.Set(warming.Header, "prefetch")
				}
				w := httptest.NewRecorder()
				if h.ServeHTTP(w, r); w.Code != http.StatusTeapot {
					t.Fatal(w.Code)
				}
			}
		}
		ask(2000, "GET", "/products/1", false)
		ask(500, "GET", "/products/2", true)
		ask(500, "GET", "/cart", false)
		ask(500, "POST", "/products/1", false)
		for range 2000 {
			d.hit("GET", "/products/3", func(string) []string { return nil })
		}
		time.Sleep(demandWindow)
		wr, err := warm.New(warm.Options{}, warm.NewTier("x", nil))
		if err != nil {
			t.Fatal(err)
		}
		defer wr.Close()
		if !wr.Hear("edge-1", d.tally.Report()) {
			t.Error("an edge that has just started is not noticed")
		}
		list, err := wr.Popularity().Predict(t.Context(), time.Now(), 10)
		if err != nil || len(list) != 2 {
			t.Fatalf("%+v, %v", list, err)
		}
		for _, got := range list {
			if n := got.Rate * 60; n < 1600 || n > 2400 {
				t.Errorf("%s counted %v times, want about 2000", got.Key, n)
			}
		}
		rec := httptest.NewRecorder()
		if mux.ServeHTTP(rec, httptest.NewRequest("GET", warming.DemandPath, nil)); rec.Code != 200 || !strings.Contains(rec.Body.String(), `"window"`) {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
	})
}

// The edge as it is started counts each request once, whether or not its cache answers, and tells at its operations endpoint.
func TestEdgeCountsHitsAndMisses(t *testing.T) {
	t.Parallel()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			w.Header().Set("Cache-Control", "public, max-age=600")
			_, _ = io.WriteString(w, "page")
		}
	}))
	t.Cleanup(api.Close)
	cfg := config.Default()
	cfg.Edge.Origins, cfg.Edge.Profile, cfg.Edge.WAF.Mode, cfg.NATS.URL = []string{api.URL}, config.ProfileShop, "off", localtest.NATS(t)
	n, err := NewNode(cfg, "edge", slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	n.demand.tally = warm.NewTally(100, time.Second, 1)
	localtest.Eventually(t, "purges reach it", n.bus.Live)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- n.Serve(ctx, l) }()
	t.Cleanup(func() { stop(); <-served })
	hits := 0
	for range 20 {
		res, err := http.Get("http://" + l.Addr().String() + "/p/2") //nolint:noctx // a test's
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(res.Header.Get("Cache-Status"), "; hit") {
			hits++
		}
		_ = res.Body.Close()
	}
	ops := roleops.New()
	n.opsRoutes(ops, cfg)
	counted := uint64(0)
	localtest.Eventually(t, "told", func() bool {
		w := httptest.NewRecorder()
		ops.Mux.ServeHTTP(w, httptest.NewRequest("GET", warming.DemandPath, nil))
		var r warm.Report
		if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		for _, k := range r.Keys {
			counted = max(counted, k.Count)
		}
		return len(r.Keys) == 1 && r.Keys[0].Key == "/p/2"
	})
	if hits != 19 || counted < 1 || counted > 20 { // they may lie in two windows
		t.Errorf("%d hits, counted %d times", hits, counted)
	}

	cfg.Edge.Profile = config.ProfilePlain
	plain, err := NewNode(cfg, "edge", slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(plain.Close)
	if plain.demand != nil {
		t.Error("addresses of somebody else's origin are counted")
	}
}

// What each hit of an edge pays.
func BenchmarkEdgeDemand(b *testing.B) {
	d, v := newEdgeDemand(), &edge.Visit{Method: "GET", Target: "/products/1234"}
	b.ReportAllocs()
	for b.Loop() {
		d.hit(v.Method, v.Target, func(string) []string { return nil })
	}
}
