package loadsim

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BenchmarkRun is the whole simulator against a server that does nothing, in one process: requests per second of wall time
// and per second of CPU, the server's share included.
func BenchmarkRun(b *testing.B) {
	var list []any
	for id := range int64(20) {
		p := fakeProduct(id + 1)
		p["description"] = strings.Repeat("words ", 80)
		list = append(list, p)
	}
	page, err := json.Marshal(list)
	if err != nil {
		b.Fatal(err)
	}
	one, _ := json.Marshal(list[0])
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := page
		if id, ok := strings.CutPrefix(r.URL.Path, "/products/"); ok {
			if body = one; id != "1" {
				w.WriteHeader(http.StatusNotFound)
				return
			}
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body)
	}))
	defer s.Close()
	before := cpuTime()
	r, err := Run(b.Context(), Options{Target: s.URL, Users: 32, Duration: 2 * time.Second, Scenario: ready(b, "browse")})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(r.Summary.Throughput, "requests/s")
	b.ReportMetric(float64(r.Summary.TotalRequests)/(cpuTime()-before).Seconds(), "requests/cpu-s")
	b.ReportMetric(r.ResponseTimes["all"].P50*1e6, "p50-µs")
	if r.Summary.Failed > 0 {
		b.Error(r.text())
	}
}

func BenchmarkParseList(b *testing.B) {
	var list []any
	for id := range int64(20) {
		list = append(list, fakeProduct(id+1))
	}
	page, _ := json.Marshal(list)
	b.SetBytes(int64(len(page)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseList(page); err != nil {
			b.Fatal(err)
		}
	}
}
