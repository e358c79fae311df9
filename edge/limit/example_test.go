package limit_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/edge/limit"
)

// Sign-ins are guessed at: they get a class of their own, before the one for everything else.
func Example() {
	l, err := limit.New(limit.Options{
		Classes: []limit.Class{
			{Name: "sign-in", Match: func(r *http.Request) bool {
				return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/login")
			},
				Address: limit.Rate{Requests: 10, Per: time.Minute, Burst: 2}},
			{Name: "all", Address: limit.Rate{Requests: 100, Burst: 200}},
		},
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	shop := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	h := limit.Bounds{}.Wrap(l.Wrap(shop))
	for range 3 {
		r := httptest.NewRequest(http.MethodPost, "/users/login", strings.NewReader("{}"))
		r.RemoteAddr = "10.0.0.7:4711"
		r.Header.Set("X-Forwarded-For", "203.0.113.9")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		fmt.Printf("%d, RateLimit: %s, Retry-After: %q\n", w.Code, w.Header().Get("RateLimit"), w.Header().Get("Retry-After"))
	}
	// Output:
	// 200, RateLimit: "sign-in-address";r=1;t=6, Retry-After: ""
	// 200, RateLimit: "sign-in-address";r=0;t=12, Retry-After: ""
	// 429, RateLimit: "sign-in-address";r=0;t=12, Retry-After: "6"
}
