package app

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/cache/warm"
	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/app/opshttp"
)

// warmingProcess is an API process as far as warming sees it: its tier waits for release.
func warmingProcess(t *testing.T, release <-chan struct{}) (*warming, string) {
	t.Helper()
	tier := warm.NewTier(dataTierName, func(ctx context.Context, keys []string) (warm.Outcome, error) {
		select {
		case <-release:
			return warm.Outcome{Loaded: keys}, nil
		case <-ctx.Done():
			return warm.Outcome{}, context.Cause(ctx)
		}
	})
	wr, err := warm.New(warm.Options{}, tier)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(wr.Close)
	wr.Seen("/products/1")
	w := &warming{Warmer: wr, s: &stack{log: slog.New(slog.DiscardHandler)}}
	w.cfg.Campaigns = []config.CampaignConfig{{Name: "sale", Start: time.Now().Add(time.Hour), Before: time.Minute}, {Name: "past"}}
	ops := newRoleOps()
	w.routes(ops)
	server := httptest.NewServer(ops.mux)
	t.Cleanup(server.Close)
	return w, server.URL
}

// One call warms all processes; a second one is refused while they are at it; cancelling ends it; status tells all.
func TestPlatformWarms(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	one, url1 := warmingProcess(t, release)
	two, url2 := warmingProcess(t, release)
	p := &platformOps{token: "the-token", members: func() []opshttp.Member {
		return []opshttp.Member{{Name: "api-1", Ops: url1}, {Name: "api-2", Ops: url2}, {Name: "worker", Ops: "unix:/nowhere"}}
	}}
	h := p.handler()
	call := func(method, body string, want int) map[string]WarmStatus {
		t.Helper()
		r := httptest.NewRequest(method, "http://localhost/admin/cache/warm", strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer the-token")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Fatalf("%s %s: %d %s", method, body, w.Code, w.Body)
		}
		var out map[string]WarmStatus
		if want < 300 {
			if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
				t.Fatal(err)
			}
		} else if w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%v", w.Header())
		}
		return out
	}
	for _, bad := range []string{`{"top":-1}`, `{"rate":1e9}`, `{"tpo":3}`, `{`} {
		call("POST", bad, http.StatusBadRequest)
	}
	if st := call("GET", "", 200); len(st) != 2 || st["api-1"].State != warm.Idle || st["api-1"].Known != 1 ||
		len(st["api-1"].Campaigns) != 1 || st["api-1"].Campaigns[0].Name != "sale" {
		t.Errorf("%+v", st)
	}
	call("POST", `{"top":5,"rate":100}`, http.StatusAccepted)
	call("POST", "", http.StatusConflict)
	call("DELETE", "", 200)
	for _, w := range []*warming{one, two} {
		eventually(t, "cancelled", func() bool { return w.Progress().State == warm.Cancelled })
	}
	close(release)
	if st := call("POST", `{"top":5}`, http.StatusAccepted); len(st) != 2 || st["api-2"].Refused != "" {
		t.Errorf("%+v", st)
	}
	for _, w := range []*warming{one, two} {
		eventually(t, "done", func() bool { return w.Progress().State == warm.Done })
		if p := w.Progress(); p.Reason != "asked" || p.Loaded != 1 {
			t.Errorf("%+v", p)
		}
	}
	p.members = func() []opshttp.Member { return []opshttp.Member{{Name: "api-1", Ops: "http://127.0.0.1:1"}} }
	call("GET", "", http.StatusServiceUnavailable)
	call("POST", "", http.StatusServiceUnavailable)
}

// Shoppers are kept away until the first run has ended, but not for longer than they are to wait; the tier's own requests and what is not
// kept do not count as demand.
func TestReadyWaits(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	w, _ := warmingProcess(t, release)
	w.data = &dataTier{}
	w.meter = warm.NewMeter(time.Second, 0)
	w.ctx, w.cancel = context.WithCancel(t.Context())
	w.cfg.Start, w.cfg.ReadyWithin, w.cfg.Campaigns = true, time.Minute, nil
	w.store, _ = newWarmStore(t, "nats://127.0.0.1:1")
	if w.wait() != nil {
		t.Error("kept away before it began")
	}
	w.begin()
	if w.wait() == nil {
		t.Error("not kept away")
	}
	close(release)
	w.bg.Wait()
	if err := w.wait(); err != nil {
		t.Errorf("the run has ended, and yet %v", err)
	}
	w.cfg.ReadyWithin = time.Nanosecond
	w.begin()
	eventually(t, "let in", func() bool { return w.wait() == nil })
	w.cancel()
	w.bg.Wait()

	served := 0
	h := w.observe(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served++ }), http.NotFoundHandler())
	for _, c := range []struct {
		method, target string
		warming        bool
	}{{"GET", "/products/7", false}, {"GET", "/products/8", true}, {"POST", "/products/9", false}, {"GET", "/cart", false}} {
		r := httptest.NewRequest(c.method, c.target, nil)
		if c.warming {
			r.Header.Set(warmHeader, "prefetch")
		}
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	list, err := w.Popularity().Predict(t.Context(), time.Now(), 10)
	if err != nil || served != 4 || len(list) != 2 || w.meter.UnderWay() != 0 { // and what warmingProcess has seen
		t.Errorf("%+v, %v, %d served", list, err, served)
	}
}
