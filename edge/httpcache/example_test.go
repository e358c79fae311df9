package httpcache_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/stampede-shop/stampede/edge/httpcache"
)

func Example() {
	origin := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Surrogate-Key", "p:1")
		_, _ = fmt.Fprint(w, "a product")
	})
	cache, err := httpcache.New(httpcache.Options{Name: "node"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cache.Close()
	handler := cache.Handler(origin)
	ask := func() {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/p/1", nil))
		fmt.Println(w.Body, "|", w.Header().Get("Cache-Status"))
	}
	ask()
	ask()
	cache.PurgeTags(false, "p:1")
	ask()
	// Output:
	// a product | node; fwd=uri-miss; fwd-status=200; stored
	// a product | node; hit; ttl=59
	// a product | node; fwd=uri-miss; fwd-status=200; stored
}
