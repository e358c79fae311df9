package app

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/app/opshttp"
	"github.com/stampede-shop/stampede/internal/dashboard"
)

// However many look at the dashboard, each process is asked once a snapshot, and all are shown the same.
func TestViewersShareOneAnswer(t *testing.T) {
	t.Parallel()
	const viewers, looks = 20, 4
	var asked atomic.Int64
	process := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/internal/stats" {
			asked.Add(1)
		}
		_, _ = io.WriteString(w, `{}`)
	}))
	t.Cleanup(process.Close)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	live := dashboard.NewCollector(dashboard.Options{Every: 50 * time.Millisecond,
		Metrics: func(context.Context) map[string][]dashboard.Family { return map[string][]dashboard.Family{} }})
	p := &platformOps{token: "the-token", live: live, status: func() any { return nil },
		members: func() []opshttp.Member { return []opshttp.Member{{Name: "edge", Ops: process.URL}} }}
	server := httptest.NewServer(http.HandlerFunc(p.stream))
	t.Cleanup(server.Close)
	var running sync.WaitGroup
	running.Go(func() { live.Run(ctx) })
	t.Cleanup(running.Wait)
	t.Cleanup(cancel)
	var mu sync.Mutex
	seen := map[string]bool{}
	var all sync.WaitGroup
	for range viewers {
		all.Go(func() {
			resp, err := http.Get(server.URL)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = resp.Body.Close() }()
			lines := bufio.NewScanner(resp.Body)
			lines.Buffer(nil, 1<<20)
			for n := 0; n < looks && lines.Scan(); {
				data, ok := strings.CutPrefix(lines.Text(), "data: ")
				if !ok {
					continue
				}
				var what struct{ Time string }
				if err := json.Unmarshal([]byte(data), &what); err != nil || what.Time == "" {
					t.Errorf("%v: %s", err, data)
				}
				mu.Lock()
				seen[what.Time] = true
				mu.Unlock()
				n++
			}
		})
	}
	all.Wait()
	if n := asked.Load(); n < looks || n > int64(len(seen)+looks) { // who leaves may have been the one for whom it was made
		t.Errorf("asked %d times for %d answers to %d viewers", n, len(seen), viewers)
	}
	if len(seen) >= viewers*looks/2 {
		t.Errorf("%d viewers who looked %d times were shown %d different answers", viewers, looks, len(seen))
	}
}

// The advisor is given what its meter reads, all of it and nothing else.
func TestAdvisorReadsOnlyWhatItNeeds(t *testing.T) {
	t.Parallel()
	all := map[string][]dashboard.Family{"api-1": {{Name: "stampede_http_requests_total", Series: []dashboard.Series{{Value: 3}}},
		{Name: "stampede_cache_hits_total", Series: []dashboard.Series{{Value: 5}}}}}
	p := &platformOps{}
	p.measured.Store(&all)
	got := p.lastFamilies(t.Context())
	if len(got) != 1 || got["stampede_http_requests_total"].GetMetric()[0].GetCounter().GetValue() != 3 {
		t.Errorf("%v", got)
	}
	everything := map[string]*dto.MetricFamily{}
	for name := range meterReads {
		everything[name] = &dto.MetricFamily{Metric: []*dto.Metric{{Histogram: &dto.Histogram{SampleSum: new(float64), SampleCount: new(uint64)},
			Gauge: &dto.Gauge{Value: new(float64)}, Counter: &dto.Counter{Value: new(float64)}}}}
	}
	now, use := counters{}, map[string]float64{}
	m := newResourceMeter(config.Config{})
	m.proc = t.TempDir()
	m.read(now, use, everything)
	for _, key := range []string{"requests", "cpu ", "busy :", "slots ", "waited ", "left "} {
		if _, ok := now[key]; !ok {
			t.Errorf("%q is not read: %v", key, now)
		}
	}
	if _, ok := use["lag/"]; !ok {
		t.Errorf("the lag is not read: %v", use)
	}
}
