package app

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stampede-shop/stampede/internal/app/opshttp"
	"github.com/stampede-shop/stampede/internal/app/running"
	"github.com/stampede-shop/stampede/internal/local"
)

// Who may call the operations endpoint, and what those who may not are told.
func TestPlatformOps(t *testing.T) {
	t.Parallel()
	gone := opshttp.Member{Name: "api-1", Ops: "unix:" + filepath.Join(t.TempDir(), "gone")}
	p := &platformOps{token: "the-token", host: "shop.example", members: func() []opshttp.Member { return []opshttp.Member{gone} }, status: func() any { return running.Status{Healthy: true} }}
	h := p.handler()
	const token = "Authorization: Bearer the-token"
	for _, c := range []struct {
		call   string
		header []string
		status int
		says   string
	}{
		{"GET /admin/status", []string{token}, 200, `"healthy":true`},
		{"GET /admin/status", []string{"Cookie: stampede_ops=the-token"}, 200, ""},
		{"GET /admin/status", []string{token, "Origin: http://localhost:8001"}, 200, ""},
		{"GET /admin/status", []string{token, "Host: Shop.example:8001"}, 200, ""},
		{"GET /admin/status", nil, 401, "STAMPEDE_ADMIN_TOKEN"},
		{"GET /admin/status", []string{"Authorization: Bearer another"}, 401, "admin token"},
		{"GET /debug/pprof/", nil, 401, "admin token"},
		{"GET /admin/status", []string{token, "Host: evil.example"}, 403, "Host"},
		{"GET /metrics", []string{"Host: evil.example"}, 403, "Host"},
		{"GET /admin/status", []string{token, "Origin: http://evil.example"}, 403, "another site"},
		{"GET /admin/status", []string{token, "Origin: null"}, 403, "another site"},
		{"POST /admin/cache/purge", []string{token, "Sec-Fetch-Site: cross-site"}, 403, "another site"},
		{"GET /admin/nothing", []string{token}, 404, "/admin/nothing"},
		{"GET /admin/cache/purge", []string{token}, 405, "use POST"},
		{"POST /admin/cache/purge", []string{token, "body: {}"}, 400, "nothing named"},
		{"POST /admin/cache/purge", []string{token, `body: {"tags":["x"]}`}, 503, "api-1"},
		{"GET /livez", nil, 200, "ok"},
		{"GET /readyz", nil, 503, "api-1"},
	} {
		method, path, _ := strings.Cut(c.call, " ")
		r := httptest.NewRequest(method, path, nil)
		r.Host = "localhost:8001"
		for _, line := range c.header {
			name, value, _ := strings.Cut(line, ": ")
			switch name {
			case "Host":
				r.Host = value
			case "body":
				r = httptest.NewRequest(method, "http://localhost:8001"+path, strings.NewReader(value))
				r.Header.Set("Authorization", "Bearer the-token")
			default:
				r.Header.Set(name, value)
			}
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		body := w.Body.String()
		if w.Code != c.status || !strings.Contains(body, c.says) {
			t.Errorf("%s %v: %d %s", c.call, c.header, w.Code, body)
		}
		if path == "/livez" || path == "/readyz" {
			continue
		}
		if w.Code >= 400 && (w.Header().Get("Content-Type") != "application/problem+json" || !json.Valid(w.Body.Bytes())) {
			t.Errorf("%s: not a problem: %v %s", c.call, w.Header(), body)
		}
		if w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: Cache-Control %q", c.call, w.Header().Get("Cache-Control"))
		}
	}
}

// A wrong token is told of on the form; the right one is kept in a cookie that no script reads.
func TestSignIn(t *testing.T) {
	t.Parallel()
	p := &platformOps{token: "the-token", members: func() []opshttp.Member { return nil }, status: func() any { return running.Status{} }}
	for token, status := range map[string]int{"the-token": http.StatusSeeOther, "another": http.StatusUnauthorized, "": http.StatusUnauthorized} {
		r := httptest.NewRequest("POST", "http://localhost/", strings.NewReader(url.Values{"token": {token}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		p.handler().ServeHTTP(w, r)
		cookie, right := w.Header().Get("Set-Cookie"), status == http.StatusSeeOther
		if w.Code != status || strings.Contains(cookie, "HttpOnly") != right || strings.Contains(w.Body.String(), "not the admin token") == right {
			t.Errorf("%q: %d %q %s", token, w.Code, cookie, w.Body)
		}
	}
}

// What the supervisor knows of the primaries is there beside what the API processes know, in the metrics too.
func TestPlatformOpsFailover(t *testing.T) {
	t.Parallel()
	own := prometheus.NewRegistry()
	own.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "stampede_failover_alone"}, func() float64 { return 1 }))
	p := &platformOps{token: "the-token", members: func() []opshttp.Member { return nil }, status: func() any { return running.Status{} },
		failover: func() any { return []local.ClusterStatus{{Cluster: 1, Primary: "replica-1"}} }, own: own}
	for path, says := range map[string]string{
		"/admin/replicas": `"failover":[{"cluster":1,"primary":"replica-1"`,
		"/metrics":        `stampede_failover_alone{process="up"} 1`,
	} {
		r := httptest.NewRequest("GET", "http://localhost"+path, nil)
		r.Header.Set("Authorization", "Bearer the-token")
		w := httptest.NewRecorder()
		p.handler().ServeHTTP(w, r)
		if w.Code != 200 || !strings.Contains(w.Body.String(), says) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

// A command shows what a problem says, not its JSON.
func TestProblemError(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`{"detail":"do that"}`: "GET /x: 401 Unauthorized: do that",
		"plain\n":              "GET /x: 401 Unauthorized: plain",
	} {
		if got := opshttp.ProblemError("GET /x", "401 Unauthorized", []byte(raw)).Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

type listenerAt struct {
	net.Listener
	addr *net.TCPAddr
}

func (l listenerAt) Addr() net.Addr { return l.addr }

// The URLs that are printed are ones that work here.
func TestURLOf(t *testing.T) {
	t.Parallel()
	for ip, want := range map[string]string{
		"127.0.0.1": "http://localhost:80", "0.0.0.0": "http://localhost:80", "::": "http://localhost:80", "::1": "http://localhost:80",
		"127.0.0.2": "http://127.0.0.2:80", "192.0.2.7": "http://192.0.2.7:80", "2001:db8::7": "http://[2001:db8::7]:80",
	} {
		if got := urlOf(listenerAt{addr: &net.TCPAddr{IP: net.ParseIP(ip), Port: 80}}); got != want {
			t.Errorf("%s: %s, want %s", ip, got, want)
		}
	}
}
