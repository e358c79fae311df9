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
	"github.com/stampede-shop/stampede/internal/app/roleops"
	"github.com/stampede-shop/stampede/internal/app/warming"
	"github.com/stampede-shop/stampede/internal/local/localtest"
)

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
	call := func(method, body string, want int) map[string]warming.Status {
		t.Helper()
		r := httptest.NewRequest(method, "http://localhost/admin/cache/warm", strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer the-token")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Fatalf("%s %s: %d %s", method, body, w.Code, w.Body)
		}
		var out map[string]warming.Status
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
	for _, w := range []*warming.Warming{one, two} {
		localtest.Eventually(t, "cancelled", func() bool { return w.Progress().State == warm.Cancelled })
	}
	close(release)
	if st := call("POST", `{"top":5}`, http.StatusAccepted); len(st) != 2 || st["api-2"].Refused != "" {
		t.Errorf("%+v", st)
	}
	for _, w := range []*warming.Warming{one, two} {
		localtest.Eventually(t, "done", func() bool { return w.Progress().State == warm.Done })
		if p := w.Progress(); p.Reason != "asked" || p.Loaded != 1 {
			t.Errorf("%+v", p)
		}
	}
	p.members = func() []opshttp.Member { return []opshttp.Member{{Name: "api-1", Ops: "http://127.0.0.1:1"}} }
	call("GET", "", http.StatusServiceUnavailable)
	call("POST", "", http.StatusServiceUnavailable)
}

// warmingProcess is an API process as far as warming sees it: its tier waits for release.
func warmingProcess(t *testing.T, release <-chan struct{}) (*warming.Warming, string) {
	t.Helper()
	tier := warm.NewTier(warming.DataTierName, func(ctx context.Context, keys []string) (warm.Outcome, error) {
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
	w := warming.New("", config.WarmConfig{Campaigns: []config.CampaignConfig{{Name: "sale", Start: time.Now().Add(time.Hour), Before: time.Minute}, {Name: "past"}}},
		slog.New(slog.DiscardHandler))
	w.Warmer = wr
	ops := roleops.New()
	w.Routes(ops)
	server := httptest.NewServer(ops.Mux)
	t.Cleanup(server.Close)
	return w, server.URL
}
