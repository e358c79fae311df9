package edge

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestHeadersFromOutside(t *testing.T) {
	t.Parallel()
	a := tcpBackend(t, "a")
	got := make(chan http.Header, 1)
	a.handle(func(_ http.ResponseWriter, r *http.Request) {
		h := r.Header.Clone()
		h.Set("Host", r.Host)
		h.Set("Query", r.URL.RawQuery)
		got <- h
	})
	s := start(t, Options{}, a)
	s.do(t, "GET", "/p?a=1;b=%zz", "",
		"Stampede-Op", "forged", "Stampede-Admin", "1", "X-Request-Start", "t=1", "Surrogate-Key", "x",
		"Surrogate-Capability", "x", "X-Forwarded-For", "1.2.3.4", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "evil",
		"Forwarded", "for=1.2.3.4", "X-Real-Ip", "1.2.3.4", "Proxy", "http://evil", "Connection", "X-Secret", "X-Secret", "1",
		"X-Request-Id", "bad id\"", "Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	h := <-got
	want := map[string]string{
		"Stampede-Admin": "", "Surrogate-Key": "", "Surrogate-Capability": "", "X-Forwarded-For": "127.0.0.1",
		"X-Forwarded-Proto": "http", "X-Forwarded-Host": s.addr, "Forwarded": "", "X-Real-Ip": "", "Proxy": "",
		"X-Secret": "", "Host": s.addr, "Query": "a=1;b=%zz",
		"Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}
	for name, v := range want {
		if h.Get(name) != v {
			t.Errorf("%s = %q, want %q", name, h.Get(name), v)
		}
	}
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	for _, name := range []string{"Stampede-Op", "X-Request-Id"} {
		if !uuid.MatchString(h.Get(name)) {
			t.Errorf("%s = %q is no UUID", name, h.Get(name))
		}
	}
	if !regexp.MustCompile(`^t=\d{16}$`).MatchString(h.Get("X-Request-Start")) {
		t.Errorf("X-Request-Start = %q", h.Get("X-Request-Start"))
	}
}

func TestHeadersOnTheWayOut(t *testing.T) {
	t.Parallel()
	a := tcpBackend(t, "a")
	a.handle(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Surrogate-Key", "p1")
		h.Set("Surrogate-Control", "max-age=60")
		h.Set("Stampede-Internal", "x")
		h.Set("Keep-Alive", "timeout=5")
		h.Set("X-Request-Id", "from the origin")
		h.Set("Cache-Status", "inner; hit")
		h.Set("Server-Timing", "db;dur=1.5")
		w.WriteHeader(http.StatusTeapot)
	})
	s := start(t, Options{}, a)
	res, _ := s.do(t, "GET", "/", "", "X-Request-Id", "mine-1")
	for _, name := range []string{"Surrogate-Key", "Surrogate-Control", "Stampede-Internal", "Keep-Alive"} {
		if v, ok := res.Header[name]; ok {
			t.Errorf("%s leaked: %q", name, v)
		}
	}
	if v := res.Header["X-Request-Id"]; len(v) != 1 || v[0] != "mine-1" {
		t.Errorf("X-Request-Id %q", v)
	}
	if v := strings.Join(res.Header["Cache-Status"], ", "); v != "inner; hit, stampede; fwd=bypass" {
		t.Errorf("Cache-Status %q", v)
	}
	if v := strings.Join(res.Header["Server-Timing"], ", "); !regexp.MustCompile(`^db;dur=1.5, edge;dur=[0-9.]+$`).MatchString(v) {
		t.Errorf("Server-Timing %q", v)
	}
}

func TestForwardedChain(t *testing.T) {
	t.Parallel()
	e, err := New(Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, c := range []struct{ peer, in, out, proto string }{
		{"192.0.2.1:1", "8.8.8.8", "192.0.2.1", "http"},
		{"10.0.0.1:1", "8.8.8.8", "8.8.8.8, 10.0.0.1", "https"},
		{"10.0.0.1:1", "6.6.6.6, 8.8.8.8, 10.2.2.2", "8.8.8.8, 10.2.2.2, 10.0.0.1", "https"},
		{"10.0.0.1:1", "6.6.6.6, junk, 10.2.2.2", "10.2.2.2, 10.0.0.1", "https"},
		{"10.0.0.1:1", "", "10.0.0.1", "https"},
		{"[::1]:1", "2001:db8::1", "2001:db8::1, ::1", "https"},
		{"[::ffff:10.0.0.1]:1", "::ffff:8.8.8.8", "8.8.8.8, 10.0.0.1", "https"},
		{"@", "8.8.8.8", "", "http"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.peer
		r.Header.Set("X-Forwarded-For", c.in)
		r.Header.Set("X-Forwarded-Proto", "https")
		e.cleanRequest(r, time.Now())
		if got := r.Header.Get("X-Forwarded-For"); got != c.out || r.Header.Get("X-Forwarded-Proto") != c.proto {
			t.Errorf("%s behind %q: %q %q", c.peer, c.in, got, r.Header.Get("X-Forwarded-Proto"))
		}
	}
}

func TestMiddlewareSeesWhatShoppersDoNot(t *testing.T) {
	t.Parallel()
	a := tcpBackend(t, "a")
	a.handle(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Surrogate-Key", "p1") })
	var key, order string
	tag := func(name string) func(http.Handler) http.Handler {
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				order += name
				next.ServeHTTP(w, r)
				key = w.Header().Get("Surrogate-Key")
			})
		}
	}
	keep := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := httptest.NewRecorder()
			next.ServeHTTP(rec, r)
			key = rec.Header().Get("Surrogate-Key")
			_, _ = io.WriteString(w, "seen")
		})
	}
	s := start(t, Options{Middleware: []func(http.Handler) http.Handler{tag("1"), tag("2"), keep}}, a)
	if _, body := s.do(t, "GET", "/", ""); body != "seen" || order != "12" {
		t.Errorf("body %q order %q key %q", body, order, key)
	}
}

func TestSaneID(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]bool{"a-b_C.1:2": true, "": false, "a b": false, "a\nb": false, "ü": false,
		strings.Repeat("a", 64): true, strings.Repeat("a", 65): false} {
		if saneID(id) != want {
			t.Errorf("saneID(%q) = %v", id, !want)
		}
	}
}

func TestParseOrigin(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		"http://a:1": "tcp a:1 a:1", "http://a": "tcp a:80 a", "http://[::1]:9/": "tcp [::1]:9 [::1]:9", "unix:/run/x": "unix /run/x origin",
		"": "", "unix:": "", "https://a": "", "a:1": "", "http://a/path": "", "http://u:p@a": "", "http://": "", "http://a?x": "",
	} {
		network, target, host, err := parseOrigin(addr)
		if got := strings.TrimSpace(network + " " + target + " " + host); got != want || (err != nil) != (want == "") {
			t.Errorf("%q: %q %v", addr, got, err)
		}
	}
}
