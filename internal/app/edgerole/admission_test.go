package edgerole

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stampede-shop/stampede/edge/admission"
	"github.com/stampede-shop/stampede/edge/limit"
	"github.com/stampede-shop/stampede/internal/app/config"
)

func TestImportance(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]admission.Class{
		"POST /orders/checkout": admission.Checkout, "POST /bag/checkout": admission.Checkout, "POST /cart/add": admission.Cart, "GET /cart": admission.Cart,
		"POST /bag/add": admission.Cart, "POST /batch": admission.Cart, "POST /users/login": admission.Cart, "GET /account": admission.Cart,
		"GET /products?limit=20": admission.Browse, "GET /": admission.Browse, "POST /events": admission.Browse, "GET /products/1 stampede-crawl/1": admission.Crawl,
		"GET / Mozilla/5.0 (compatible; Googlebot/2.1)": admission.Crawl, "POST /orders/checkout somebot/1": admission.Checkout,
	} {
		part := strings.SplitN(line, " ", 3)
		r := httptest.NewRequest(part[0], part[1], nil)
		if len(part) > 2 {
			r.Header.Set("User-Agent", part[2])
		}
		if got := importance(r); got != want {
			t.Errorf("%s: %v, want %v", line, got, want)
		}
	}
}

// shopEdge is an edge in front of a shop that answers with handler.
func shopEdge(t testing.TB, handler http.HandlerFunc, change func(*config.Config)) *Node {
	t.Helper()
	origin := httptest.NewServer(handler)
	t.Cleanup(origin.Close)
	cfg := config.Default()
	cfg.Edge.Origins, cfg.Edge.Profile = []string{origin.URL}, config.ProfileShop
	cfg.Session.Keys = []string{"YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE="}
	cfg.Edge.Cache.Enabled = false
	if change != nil {
		change(&cfg)
	}
	n, err := NewNode(cfg, "edge", slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return n
}

// A client is its session if we signed it, and its address if not.
func TestClientIsNotInvented(t *testing.T) {
	t.Parallel()
	n := shopEdge(t, http.NotFound, nil)
	w := httptest.NewRecorder()
	s, err := n.sessions.Ensure(w, httptest.NewRequest("GET", "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	for cookie, want := range map[string]string{w.Result().Cookies()[0].Value: s.UserID, "1.made.up": "192.0.2.7", "": "192.0.2.7"} {
		r := httptest.NewRequest("GET", "/cart", nil)
		r.Header.Set("X-Forwarded-For", "192.0.2.7, 10.0.0.1")
		r.AddCookie(&http.Cookie{Name: "sid", Value: cookie})
		if got := n.client(r); got != want {
			t.Errorf("%q: %q, want %q", cookie, got, want)
		}
	}
}

// With every place taken a browser gets a page that asks again, a program a problem; both hear when to come back.
func TestBusyEdge(t *testing.T) {
	t.Parallel()
	arrived, leave := make(chan struct{}), make(chan struct{})
	n := shopEdge(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/cart" {
			close(arrived)
			<-leave
		}
	}, func(c *config.Config) {
		c.Edge.Admission = config.AdmissionConfig{Enabled: true, Min: 1, Max: 1, Target: time.Millisecond}
	})
	go call(n, "192.0.2.1:1", "GET", "/cart", "")
	<-arrived
	defer close(leave)
	for accept, kind := range map[string]string{"text/html": "text/html", "application/json": "application/problem+json"} {
		w := call(n, "192.0.2.2:1", "GET", "/cart", "", "Accept", accept)
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || !strings.HasPrefix(w.Header().Get("Content-Type"), kind) ||
			(w.Header().Get("Refresh") != "") != (kind == "text/html") {
			t.Errorf("%s: %d %v %s", accept, w.Code, w.Header(), w.Body)
		}
	}
	if s := n.stats().Admission; s == nil || s.InFlight != 1 || s.Refused == 0 {
		t.Errorf("%+v", s)
	}
}

// What the edge refuses for want of a server, or because it is one too many, is a page for a browser too, and says when to come back.
func TestRefusalsArePages(t *testing.T) {
	t.Parallel()
	limited := shopEdge(t, http.NotFound, func(c *config.Config) { c.Edge.Limits = "strict" })
	alone := shopEdge(t, http.NotFound, func(c *config.Config) { c.Edge.Origins = []string{"http://127.0.0.1:1"} })
	for accept, kind := range map[string]string{"text/html": "text/html", "application/json": "application/problem+json"} {
		for status, n := range map[int]*Node{http.StatusTooManyRequests: limited, http.StatusServiceUnavailable: alone} {
			w := call(n, "192.0.2.3:1", "GET", "/cart", "", "Accept", accept)
			for n == limited && w.Code != status { // however slow the machine is, what may be sent is used up faster than it grows
				for n.limits.Admit(limit.ClassReads, netip.MustParseAddr("192.0.2.3"), "") {
				}
				w = call(n, "192.0.2.3:1", "GET", "/cart", "", "Accept", accept)
			}
			if w.Code != status || !strings.HasPrefix(w.Header().Get("Content-Type"), kind) || w.Header().Get("Retry-After") == "" ||
				(w.Header().Get("Refresh") != "") != (kind == "text/html") || !strings.Contains(w.Header().Get("Cache-Control"), "no-store") {
				t.Errorf("%s: %d %v %s", accept, w.Code, w.Header(), w.Body)
			}
		}
	}
}

// What the firewall refuses is a page for a browser, which names the request, and a problem for a program.
func TestBlockedAtTheEdge(t *testing.T) {
	t.Parallel()
	n := shopEdge(t, http.NotFound, nil)
	for accept, kind := range map[string]string{"text/html": "text/html", "application/json": "application/problem+json"} {
		w := call(n, "192.0.2.2:1", "GET", "/search?q=%3Cscript%3Ealert(1)%3C/script%3E", "", "Accept", accept)
		id := w.Header().Get("X-Request-Id")
		if w.Code != http.StatusForbidden || !strings.HasPrefix(w.Header().Get("Content-Type"), kind) || id == "" || !strings.Contains(w.Body.String(), id) ||
			w.Header().Get("Cache-Control") == "" {
			t.Errorf("%s: %d %v %s", accept, w.Code, w.Header(), w.Body)
		}
	}
}
