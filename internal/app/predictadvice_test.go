package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/app/opshttp"
	"github.com/stampede-shop/stampede/internal/app/running"
	"github.com/stampede-shop/stampede/predict/bottleneck"
)

func familiesOf(process, text string) map[string]*dto.MetricFamily {
	families := map[string]*dto.MetricFamily{}
	mergeFamilies(families, []byte(text), process)
	return families
}

// The use of each resource follows from two readings of the metrics, by hand.
func TestResourceMeter(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	proc := func(stat string) {
		for name, text := range map[string]string{"stat": stat, "meminfo": "MemTotal: 100 kB\nMemAvailable:   3 kB\n"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	m := newResourceMeter(config.Config{Catalog: config.CatalogConfig{PoolSize: 10}, Checkout: config.CheckoutConfig{Slots: 4}})
	m.proc, m.cores = dir, 2
	reading := func(requests, cpu, busy, slots, waited, n, lag float64) map[string]*dto.MetricFamily {
		return familiesOf("api-1", fmt.Sprintf(`# TYPE stampede_http_requests_total counter
stampede_http_requests_total{route="a"} %[1]v
stampede_http_requests_total{route="b"} %[1]v
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total %[2]v
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes 1024
# TYPE stampede_query_seconds histogram
stampede_query_seconds_bucket{statement="x",database="shard1",node="p",le="+Inf"} 1
stampede_query_seconds_sum{statement="x",database="shard1",node="p"} %[3]v
stampede_query_seconds_count{statement="x",database="shard1",node="p"} 1
# TYPE batch_run_seconds histogram
batch_run_seconds_bucket{batch="a",le="+Inf"} 1
batch_run_seconds_sum{batch="a"} %[4]v
batch_run_seconds_count{batch="a"} 1
# TYPE queue_outbox_lag_seconds histogram
queue_outbox_lag_seconds_bucket{source="shard1",le="+Inf"} %[6]v
queue_outbox_lag_seconds_sum{source="shard1"} %[5]v
queue_outbox_lag_seconds_count{source="shard1"} %[6]v
# TYPE stampede_replica_lag_seconds gauge
stampede_replica_lag_seconds{set="catalog",node="replica-1"} %[7]v
`, requests, cpu, busy, slots, waited, n, lag))
	}
	at := time.Unix(1000, 0)
	proc("cpu 100 0 0 100 0 0 0 0 7 7\n")
	if s, ok := m.sample(at, reading(10, 5, 2, 1, 3, 2, 1)); ok {
		t.Errorf("one reading gave %+v", s)
	}
	proc("cpu 250 0 0 140 10 0 0 0 7 7\n")
	s, ok := m.sample(at.Add(2*time.Second), reading(20, 6, 12, 5, 13, 4, 2))
	want := map[string]float64{"cpu/api-1": 0.25, "cpu/machine": 0.75, "pool/api-1:shard1": 0.5, "hotrow/api-1": 0.5, "queue/shard1": 0.5, "lag/replica-1": 0.4, "memory/api-1": 0.25}
	if !ok || s.Load != 10 || len(s.Use) != len(want) {
		t.Fatalf("%v %+v", ok, s)
	}
	for name, v := range want {
		if math.Abs(s.Use[name]-v) > 1e-9 {
			t.Errorf("%s: %v, want %v", name, s.Use[name], v)
		}
	}
	if s, ok := m.sample(at.Add(4*time.Second), reading(0, 0, 0, 0, 0, 0, 0)); !ok || s.Load != 0 || s.Use["cpu/api-1"] != 0 {
		t.Errorf("after a restart: %+v", s)
	}
}

// A lag that grows is foretold at /admin/advice, which needs the token, and explained where that is configured.
func TestAdviceIsServed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		p := &platformOps{token: "the-token", members: func() []opshttp.Member { return nil }, status: func() any { return nil }}
		gather := func(context.Context) map[string]*dto.MetricFamily {
			lag := 1 + time.Since(began).Seconds()/60
			return familiesOf("api-1", fmt.Sprintf("# TYPE stampede_replica_lag_seconds gauge\nstampede_replica_lag_seconds{node=\"replica-1\"} %v\n", lag))
		}
		p.advisor = newAdvisor(config.Config{}, slog.New(slog.DiscardHandler), gather)
		p.advisor.meter.proc = t.TempDir() // the machine under the test is not to be foretold
		p.advisor.explain = &bottleneck.Explainer{URL: "http://llm.invalid/", Client: &http.Client{Transport: roundTrip(func(*http.Request) string {
			return `{"choices":[{"message":{"content":"It lags."}}]}`
		})}}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); p.advisor.run(ctx) }()
		time.Sleep(150 * time.Second) // of the bubble's clock
		synctest.Wait()
		var st running.AdviceStatus
		if code := askAdvice(t, p, "the-token", &st); code != 200 || len(st.Advice) != 1 || st.Sample == nil {
			t.Fatalf("%d %+v", code, st)
		}
		a := st.Advice[0]
		if left := 240 - 150.; a.Resource != "lag/replica-1" || math.Abs(a.Seconds-left) > 20 || a.Explained != "It lags." {
			t.Errorf("%+v", a)
		}
		if code := askAdvice(t, p, "guess", nil); code != http.StatusUnauthorized {
			t.Errorf("without the token: %d", code)
		}
		cancel()
		<-done
		p.advisor = nil
		if code := askAdvice(t, p, "the-token", nil); code != http.StatusNotFound {
			t.Errorf("off: %d", code)
		}
	})
}

func askAdvice(t *testing.T, p *platformOps, token string, into any) int {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "http://localhost/admin/advice", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	p.handler().ServeHTTP(w, r)
	if into != nil {
		if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
			t.Error(err)
		}
	}
	return w.Code
}

type roundTrip func(*http.Request) string

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Status: "200 OK", Header: http.Header{}, Body: io.NopCloser(strings.NewReader(f(r))), Request: r}, nil
}

func TestExplainConfig(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		e    config.ExplainConfig
		want string
	}{
		{config.ExplainConfig{}, ""},
		{config.ExplainConfig{URL: "https://llm.example.com/v1/chat/completions", Model: "m"}, ""},
		{config.ExplainConfig{URL: "https://llm.example.com/v1/chat/completions"}, "advice.explain.model"},
		{config.ExplainConfig{URL: "llm.example.com", Model: "m"}, "advice.explain.url"},
	} {
		cfg := config.Default()
		cfg.Advice.Explain = c.e
		if err := cfg.Validate(); c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: %v", c.e, err)
		}
	}
}
