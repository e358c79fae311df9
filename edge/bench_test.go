package edge

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// BenchmarkOverhead is a 1 KiB GET over keep-alive connections, straight and through the edge, client included: compare
// the p50 of the two.
func BenchmarkOverhead(b *testing.B) {
	page := strings.Repeat("x", 1024)
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, page) }))
	defer origin.Close()
	e, err := New(Options{Origins: []string{origin.URL}})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = e.Serve(b.Context(), l) }()
	tr := &http.Transport{DisableCompression: true}
	defer tr.CloseIdleConnections()
	for name, url := range map[string]string{"direct": origin.URL, "edge": "http://" + l.Addr().String()} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var took []time.Duration
			for b.Loop() {
				begun := time.Now()
				res, err := (&http.Client{Transport: tr}).Get(url)
				if err != nil {
					b.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
				took = append(took, time.Since(begun))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
		})
	}
}
