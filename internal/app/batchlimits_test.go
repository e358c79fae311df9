package app

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stampede-shop/stampede/internal/app/config"
)

// A batch counts as many calls as it holds, against the client that the edge names, and so do the carts into which it puts a product.
func TestBatchLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // no time passes
		cfg := config.Default()
		cfg.Edge.Limits, cfg.Edge.CartsPerClient = "strict", 5
		cfg.Session.Keys = []string{"YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE="}
		s := &stack{cfg: cfg, log: slog.New(slog.DiscardHandler)}
		around, err := s.batchLimits()
		if err != nil {
			t.Fatal(err)
		}
		h := around(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
		done := func(n int, client, method, path, body string) (count int) {
			for range n {
				r := httptest.NewRequest(method, path, strings.NewReader(body))
				r.RemoteAddr = "@"
				r.Header.Set("X-Forwarded-For", client+", 10.0.0.1")
				r.Header.Set("X-Request-Id", strings.Repeat("x", count+1)) // without a session it is another cart
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if w.Code == http.StatusOK {
					count++
				} else if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" {
					t.Fatalf("%d %v", w.Code, w.Header())
				}
			}
			return count
		}
		for _, client := range []string{"192.0.2.1", "192.0.2.2"} {
			if n := done(100, client, "GET", "/products/1", ""); n != 80 { // the burst
				t.Errorf("%s: %d calls", client, n)
			}
			if n := done(10, client, "POST", "/cart/add", `{"product_id":7}`); n != 5 {
				t.Errorf("%s: a product is put into %d carts", client, n)
			}
		}
	})
}
