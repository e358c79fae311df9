package loadsim

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/loadsim/scenario"
)

func TestJourney(t *testing.T) {
	t.Parallel()
	s := newFakeShop(t)
	var told atomic.Int64
	r := simulate(t, s, func(o *Options) {
		o.Progress = func(p Snapshot) { told.Add(p.Requests) }
		o.enough = func() bool { return s.orders.Load() >= 15 && told.Load() > 0 }
	})
	sum := r.Summary
	if sum.Failed != 0 || sum.SuccessRate != 1 {
		t.Errorf("bad: %d of %d: %v", sum.Failed, sum.TotalRequests, r.text())
	}
	if sum.Orders == 0 || sum.Orders != s.orders.Load() || sum.TotalRequests != s.requests.Load()-1 {
		t.Errorf("%d orders of %d, %d requests of %d and one to discover", sum.Orders, s.orders.Load(), sum.TotalRequests, s.requests.Load())
	}
	lists, views := r.ResponseTimes["browse"].Count, r.ResponseTimes["view"].Count
	if ratio := float64(lists) / float64(views); ratio < 20.0/8 || ratio > 20.0/3 {
		t.Errorf("%d lists, %d views", lists, views)
	}
	carts := r.ResponseTimes["cart"].Count
	if ratio := float64(carts) / float64(sum.Orders); ratio < 1 || ratio > 5 {
		t.Errorf("%d put into carts for %d orders", carts, sum.Orders)
	}
	if told.Load() == 0 || len(r.Series) < 2 {
		t.Errorf("progress %d, %d points", told.Load(), len(r.Series))
	}
	if s.sessions.Load() < sum.Journeys {
		t.Errorf("%d sessions, %d journeys: each has its own", s.sessions.Load(), sum.Journeys)
	}
}

func TestBrowseBuysNothing(t *testing.T) {
	t.Parallel()
	s := newFakeShop(t)
	r := simulate(t, s, func(o *Options) {
		o.Scenario, o.Think, o.enough = ready(t, "browse"), time.Millisecond, after(&s.requests, 150)
	})
	if s.sessions.Load() != 0 || r.ResponseTimes["cart"].Count != 0 || r.ResponseTimes["view"].Count == 0 || r.Summary.Failed != 0 {
		t.Errorf("%d sessions\n%s", s.sessions.Load(), r.text())
	}
}

func TestSameSeedSameChoices(t *testing.T) {
	t.Parallel()
	var paths [2][]string
	for i := range paths {
		s := newFakeShop(t)
		f := func(_ http.ResponseWriter, r *http.Request) bool {
			if len(paths[i]) < 100 {
				paths[i] = append(paths[i], r.Method+r.URL.String())
			}
			return false
		}
		s.fault.Store(&f)
		simulate(t, s, func(o *Options) { o.Users, o.enough = 1, after(&s.requests, 105) })
		s.Close()
	}
	n := min(len(paths[0]), len(paths[1]))
	if n < 30 || strings.Join(paths[0][:n], " ") != strings.Join(paths[1][:n], " ") {
		t.Errorf("%d choices compared, they differ", n)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	s := newFakeShop(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.plant("/orders/checkout", 1, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // else the server does not notice that the client has left
		cancel()
		<-r.Context().Done()
	})
	begun := time.Now()
	r, err := Run(ctx, Options{Target: s.URL, Users: 3, Duration: time.Hour})
	if !errors.Is(err, context.Canceled) || r == nil || !r.Summary.Interrupted || r.Summary.TotalRequests == 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	if r.Summary.Failed != 0 || time.Since(begun) > 10*time.Second {
		t.Errorf("what we break off ourselves is nobody's failure: %s", r.text())
	}
}

func TestFailsEarly(t *testing.T) {
	t.Parallel()
	serve := func(status int, body string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	for name, c := range map[string]struct {
		o    Options
		want error
	}{
		"no target":       {Options{}, ErrOptions},
		"no URL":          {Options{Target: "localhost:8000"}, ErrOptions},
		"empty scenario":  {Options{Target: "http://x", Scenario: &scenario.Scenario{}}, ErrOptions},
		"two models":      {Options{Target: "http://x", Users: 1, Rate: 1}, ErrOptions},
		"unknown profile": {Options{Target: "http://x", Profile: "x"}, ErrOptions},
		"no such part":    {Options{Target: "http://x", Part: 2, Parts: 2}, ErrOptions},
		"too few users":   {Options{Target: "http://x", Users: -1}, ErrOptions},
		"negative time":   {Options{Target: "http://x", Duration: -1}, ErrOptions},
		"nobody there":    {Options{Target: gone.URL}, ErrUnreachable},
		"another service": {Options{Target: serve(404, "no such page")}, ErrNotShop},
		"HTML":            {Options{Target: serve(200, "<html>")}, ErrNotShop},
		"other JSON":      {Options{Target: serve(200, `[{"a":1}]`)}, ErrNotShop},
		"more than JSON":  {Options{Target: serve(200, `[] x`)}, ErrNotShop},
		"empty":           {Options{Target: serve(200, "[]")}, ErrEmptyCatalogue},
	} {
		if r, err := Run(t.Context(), c.o); !errors.Is(err, c.want) || r != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestReportFiles(t *testing.T) {
	t.Parallel()
	s := newFakeShop(t)
	planted := s.plant("/orders/checkout", 2, func(w http.ResponseWriter, _ *http.Request) { reply(w, 500, "boom") })
	r := simulate(t, s, func(o *Options) { o.enough = after(planted, 2) })
	dir := filepath.Join(t.TempDir(), "a", "b")
	if err := r.WriteFiles(dir); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Summary       map[string]any                `json:"summary"`
		ResponseTimes map[string]map[string]float64 `json:"response_times"`
		Errors        map[string]Failures           `json:"errors"`
		Series        []Point                       `json:"time_series"`
	}
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"total_requests", "success_rate", "avg_throughput", "duration_s", "failed_requests", "orders"} {
		if got.Summary[name] == nil {
			t.Errorf("summary.%s is missing", name)
		}
	}
	for _, step := range []string{"browse", "view", "cart", "checkout", "all"} {
		for _, name := range []string{"avg", "p50", "p95", "p99", "max"} {
			if got.ResponseTimes[step][name] <= 0 {
				t.Errorf("response_times.%s.%s is missing", step, name)
			}
		}
	}
	if f := got.Errors["http_500"]; f.Count == 0 || len(f.Samples) == 0 || !strings.Contains(f.Samples[0], "boom") || len(got.Series) == 0 {
		t.Errorf("errors %+v, series %v", got.Errors, got.Series)
	}
	text, err := os.ReadFile(filepath.Join(dir, "report.txt"))
	if err != nil || !strings.Contains(string(text), "checkout") || !strings.Contains(string(text), "http_500") {
		t.Errorf("%v\n%s", err, text)
	}
}
