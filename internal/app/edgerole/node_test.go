package edgerole

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/app/roleops"
	"github.com/stampede-shop/stampede/internal/httpapi"
	"github.com/stampede-shop/stampede/internal/web"
)

// The edge knows of each path of the shop whether its answers are for everybody. A new path has to be put here.
func TestForEverybody(t *testing.T) {
	t.Parallel()
	everybody := map[string]bool{
		"/products": true, "/products/facets": true, "/products/{id}": true, "/products/{id}/stock": true, "/openapi.json": true, "/problems/{code}": true,
		"/products/batch": true, // is only ever posted
		"/products/":      true, "/problems/": true, "/": true, "/c/{category...}": true, "/p/{ref}": true, "/sale/{slug}": true, "/search": true, "/img/{file}": true, "/assets/{file}": true,
		"/batch": false, "/cart": false, "/cart/add": false, "/cart/items/{product_id}": false, "/cart/": false, "/orders": false, "/orders/": false, "/orders/checkout": false,
		"/orders/{id}": false, "/orders/{id}/cancel": false, "/users": false, "/users/": false, "/users/login": false, "/users/logout": false, "/users/me": false, "/campaigns": true, "/campaigns/": false, "/campaigns/{slug}": false, "/queue": false, "/events": false,
		"/bag": false, "/bag/add": false, "/bag/update": false, "/bag/checkout": false, "/account": false, "/account/login": false, "/account/register": false,
		"/account/logout": false, "/account/orders/{id}": false, "/account/orders/{id}/cancel": false,
	}
	for _, pattern := range append(httpapi.Patterns(), web.Patterns()...) {
		path := strings.TrimSuffix(pattern[strings.IndexByte(pattern, '/'):], "{$}")
		want, known := everybody[path]
		if !known {
			t.Errorf("%s: nobody has said whether its answers are for everybody", path)
		}
		path = strings.NewReplacer("{id}", "7", "{ref}", "7-lamp", "{code}", "x", "{file}", "x.css", "{category...}", "a/b", "{slug}", "winter", "{product_id}", "7").Replace(path)
		if got := forEverybody(httptest.NewRequest("GET", path, nil)); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}

// A method that the API does not have is answered there, which knows those that the path has, or at the edge when it cannot be passed on.
func TestOddMethods(t *testing.T) {
	t.Parallel()
	n := shopEdge(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", "GET for "+r.Method)
		w.WriteHeader(http.StatusMethodNotAllowed)
	}, nil)
	for method, allow := range map[string]string{"PROPFIND": "GET for PROPFIND", "BREW": "GET for BREW", "TRACE": "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"} {
		if w := call(n, "192.0.2.1:1", method, "/products", ""); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != allow {
			t.Errorf("%s: %d %v %s", method, w.Code, w.Header(), w.Body)
		}
	}
}

func TestAnyCoding(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`"a"`: `"a", "a-zstd", "a-br", "a-gzip"`, `W/"5-a-br" , "b-gzip"`: `W/"5-a", W/"5-a-zstd", W/"5-a-br", W/"5-a-gzip", "b", "b-zstd", "b-br", "b-gzip"`,
		"*": "*", "": "", "nonsense": "nonsense", strings.Repeat(`"a",`, 6): strings.Repeat(`"a",`, 6),
	} {
		if got := anyCoding(in); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}

// edgeOps starts an edge's operations endpoint in front of no origin that lives.
func edgeOps(t *testing.T, change func(*config.Config)) http.Handler {
	t.Helper()
	cfg := config.Default()
	cfg.Edge.Origins = []string{"http://127.0.0.1:1"}
	change(&cfg)
	n, err := NewNode(cfg, "edge", slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	ops := roleops.New()
	n.opsRoutes(ops, cfg)
	return ops.Mux
}

func call(h http.Handler, from, method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://localhost"+path, strings.NewReader(body))
	r.RemoteAddr = from
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// Who may purge an edge that runs alone.
func TestEdgeOps(t *testing.T) {
	t.Parallel()
	const here, there, purge = "127.0.0.1:1234", "192.0.2.1:1234", `{"tags":["x"]}`
	open := edgeOps(t, func(*config.Config) {})
	closed := edgeOps(t, func(c *config.Config) { c.Admin.Token, c.Edge.WAF.Mode = "0123456789abcdef", "off" })
	for name, c := range map[string]struct {
		h                http.Handler
		from, path, body string
		header           []string
		status           int
		says             string
	}{
		"here":            {open, here, "/admin/cache/purge", purge, nil, 200, `"purged":1`},
		"over a socket":   {open, "@", "/admin/cache/purge", `{"all":true}`, nil, 200, ""},
		"there":           {open, there, "/admin/cache/purge", purge, nil, 403, "this machine"},
		"internal there":  {closed, there, "/internal/waf/reload", "", nil, 403, "this machine"},
		"by a page":       {open, here, "/admin/cache/purge", purge, []string{"Origin", "http://evil.example"}, 403, "another site"},
		"nothing named":   {open, here, "/admin/cache/purge", "{}", nil, 400, "nothing named"},
		"unknown":         {open, here, "/admin/cache/purge", `{"tgas":["x"]}`, nil, 400, "tgas"},
		"reload":          {open, here, "/admin/waf/reload", "", nil, 200, `"rules":`},
		"no token":        {closed, here, "/admin/cache/purge", purge, nil, 401, "admin token"},
		"wrong token":     {closed, here, "/admin/cache/purge", purge, []string{"Authorization", "Bearer x"}, 401, "admin token"},
		"token":           {closed, there, "/admin/cache/purge", purge, []string{"Authorization", "Bearer 0123456789abcdef"}, 200, ""},
		"without the WAF": {closed, there, "/admin/waf/reload", "", []string{"Authorization", "Bearer 0123456789abcdef"}, 409, "firewall is off"},
	} {
		if w := call(c.h, c.from, "POST", c.path, c.body, c.header...); w.Code != c.status || !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	var stats struct{ Edge edgeStats }
	if err := json.Unmarshal(call(open, here, "GET", "/admin/stats", "").Body.Bytes(), &stats); err != nil || stats.Edge.Cache == nil || !stats.Edge.Live ||
		stats.Edge.WAF.Rules < 100 || stats.Edge.Limits != "on" || stats.Edge.Cache.Purges != 2 {
		t.Errorf("%v %+v", err, stats)
	}
}

// What is behind decides: a write to somebody else's server is never sent twice, and its query is passed on as it came.
func TestProfiles(t *testing.T) {
	t.Parallel()
	for profile, want := range map[string]string{config.ProfilePlain: "/products?b=1&a=2&utm_source=m", config.ProfileShop: "/products?a=2&b=1"} {
		asked := make(chan string, 10)
		origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/readyz" {
				return
			}
			asked <- r.Method + " " + r.RequestURI
			if r.Method == http.MethodPost {
				c, _, _ := http.NewResponseController(w).Hijack()
				_ = c.Close()
			}
		}))
		t.Cleanup(origin.Close)
		cfg := config.Default()
		cfg.Edge.Origins, cfg.Edge.Profile, cfg.Edge.WAF.Mode, cfg.Edge.Limits = []string{origin.URL}, profile, "off", "off"
		n, err := NewNode(cfg, "edge", slog.New(slog.DiscardHandler), prometheus.NewRegistry())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(n.Close)
		if call(n, "192.0.2.1:1", "GET", "/products?b=1&a=2&utm_source=m", ""); <-asked != "GET "+want {
			t.Errorf("%s: the query was changed", profile)
		}
		call(n, "192.0.2.1:1", "POST", "/cart/add", "{}")
		if sent := len(asked); (sent > 1) != (profile == config.ProfileShop) {
			t.Errorf("%s: a write was sent %d times", profile, sent)
		}
	}
}

// Folders of rules are read by name; one that is not there is an error at the start, not a firewall with holes.
func TestRuleFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"b.conf", "a.conf", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, err := ruleFiles(config.WAFConfig{Files: []string{filepath.Join(dir, "notes.txt"), dir}})
	if err != nil || len(files) != 3 || filepath.Base(files[1]) != "a.conf" {
		t.Errorf("%v %v", files, err)
	}
	cfg := config.Default()
	cfg.Edge.Origins, cfg.Edge.WAF.Files = []string{"http://127.0.0.1:1"}, []string{filepath.Join(dir, "none")}
	ops := roleops.New()
	if _, err := Start(context.Background(), cfg, "edge", slog.New(slog.NewTextHandler(io.Discard, nil)), ops); err == nil || !strings.Contains(err.Error(), "edge.waf.files") {
		t.Errorf("%v", err)
	}
}

// What `up` reads of an edge has its figures in.
func TestEdgeStatsHaveTelemetry(t *testing.T) {
	t.Parallel()
	rec := call(edgeOps(t, func(*config.Config) {}), "127.0.0.1:5", "GET", "/internal/stats", "")
	var got struct {
		Telemetry roleops.TelemetryStats `json:"telemetry"`
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil || got.Telemetry.Runtime.Goroutines == 0 || got.Telemetry.At.IsZero() {
		t.Errorf("%v: %d bytes, %+v", err, rec.Body.Len(), got.Telemetry.Runtime)
	}
}
