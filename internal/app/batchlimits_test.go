package app

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stampede-shop/stampede/internal/app/config"
)

// A batch counts as many calls as it holds, against the client that the edge names.
func TestBatchLimits(t *testing.T) {
	t.Parallel()
	cfg := config.Default()
	cfg.Edge.Limits = "strict"
	s := &stack{cfg: cfg, log: slog.New(slog.DiscardHandler)}
	around, err := s.batchLimits()
	if err != nil {
		t.Fatal(err)
	}
	h := around(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	count := map[string]int{}
	for _, client := range []string{"192.0.2.1", "192.0.2.2"} {
		for range 100 {
			r := httptest.NewRequest("GET", "/products/1", nil)
			r.RemoteAddr = "@"
			r.Header.Set("X-Forwarded-For", client+", 10.0.0.1")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code == http.StatusOK {
				count[client]++
			} else if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" {
				t.Fatalf("%d %v", w.Code, w.Header())
			}
		}
	}
	for client, n := range count {
		if n < 80 || n > 95 { // a burst of 80, and 40 a second
			t.Errorf("%s: %d calls", client, n)
		}
	}
}
