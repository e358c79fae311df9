package edge

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/stampede-shop/stampede/edge/httpcache"
)

// product answers with something that may be kept, and with headers that must not get out.
func product(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Surrogate-Control", "max-age=60")
	h.Set("Cache-Control", "public, max-age=0, must-revalidate")
	h.Set("Surrogate-Key", "p:1 lists")
	h.Set("Etag", `"1"`)
	h.Set("Stampede-Inner", "secret")
	h.Set("Server-Timing", "db;dur=1")
	_, _ = io.WriteString(w, "product "+r.URL.RequestURI())
}

func cached(o Options) Options {
	o.Cache = &httpcache.Options{Query: httpcache.SortQuery}
	return o
}

func TestHitsFromTheConnection(t *testing.T) {
	t.Parallel()
	a := tcpBackend(t, "a")
	a.handle(product)
	s := start(t, cached(Options{}), a)
	s.do(t, "GET", "/p", "")
	for _, c := range []struct {
		method, path string
		header       []string
		status       int
		body         string
	}{
		{"GET", "/p", nil, 200, "product /p"}, {"HEAD", "/p", nil, 200, ""}, {"GET", "/p", []string{"If-None-Match", `"1"`}, 304, ""},
		{"GET", "/p", []string{"X-Request-Id", "mine-1"}, 200, "product /p"}, {"GET", "/p", []string{"X-Request-Id", "not sane!"}, 200, "product /p"},
		{"GET", "/p", []string{"Cookie", "sid=1", "Cache-Control", "no-cache", "X-Forwarded-Host", "evil.example"}, 200, "product /p"},
		{"GET", "/p", []string{"Range", "bytes=0-2"}, 206, "pro"}, // these two by net/http
		{"GET", "/p?utm_source=x", nil, 200, "product /p"},
	} {
		res, body := s.do(t, c.method, c.path, "", c.header...)
		h := res.Header
		if res.StatusCode != c.status || body != c.body || !strings.HasPrefix(h.Get("Cache-Status"), "stampede; hit; ttl=") || h.Get("Age") == "" || h.Get("Date") == "" {
			t.Errorf("%s %s %v: %d %q %v", c.method, c.path, c.header, res.StatusCode, body, h)
		}
		for name := range h {
			if private(name) {
				t.Errorf("%s got out", name)
			}
		}
		id := h.Get("X-Request-Id")
		if len(h["X-Request-Id"]) != 1 || !saneID(id) || len(c.header) > 1 && c.header[1] == "mine-1" && id != "mine-1" {
			t.Errorf("request id %q", h["X-Request-Id"])
		}
		if st := strings.Join(h["Server-Timing"], ","); !strings.HasPrefix(st, "edge;") || strings.Contains(st, "db") {
			t.Errorf("Server-Timing %q", st)
		}
	}
	if n := a.hits.Load(); n != 1 {
		t.Errorf("the origin was asked %d times", n)
	}
	if st := s.CacheStats(); st.Hits != 8 || st.Misses != 1 {
		t.Errorf("%+v", st)
	}
}

// The path of hits and the one through net/http give the same answers, but for what is new in each.
func TestBothPathsAgree(t *testing.T) {
	t.Parallel()
	a := tcpBackend(t, "a")
	a.handle(product)
	fast, slow := start(t, cached(Options{}), a), start(t, cached(Options{SlowOnly: true}), a)
	for _, s := range []*setup{fast, slow} {
		s.do(t, "GET", "/p", "")
	}
	for _, method := range []string{"GET", "HEAD"} {
		for _, inm := range []string{`"0"`, `"1"`, `W/"1"`, "*"} {
			f, fb := fast.do(t, method, "/p", "", "If-None-Match", inm)
			w, wb := slow.do(t, method, "/p", "", "If-None-Match", inm)
			if f.StatusCode != w.StatusCode || fb != wb || f.ContentLength != w.ContentLength {
				t.Errorf("%s %s: %d %q, %d %q", method, inm, f.StatusCode, fb, w.StatusCode, wb)
			}
			for name := range w.Header {
				if f.Header.Get(name) != w.Header.Get(name) && !strings.Contains("Date Age X-Request-Id Server-Timing Cache-Status", name) {
					t.Errorf("%s: %q, %q", name, f.Header[name], w.Header[name])
				}
			}
			if len(f.Header) != len(w.Header) {
				t.Errorf("%v\n%v", f.Header, w.Header)
			}
		}
	}
}

// What would do as a validator is asked of both paths.
func TestValidators(t *testing.T) {
	t.Parallel()
	a := tcpBackend(t, "a")
	a.handle(product)
	also := func(tags string) string { return strings.ReplaceAll(tags, `"1-gzip"`, `"1-gzip", "1"`) }
	for name, slow := range map[string]bool{"fast": false, "slow": true} {
		s := start(t, cached(Options{SlowOnly: slow, Validators: also}), a)
		s.do(t, "GET", "/p", "")
		for tags, status := range map[string]int{`"1"`: 304, `"1-gzip"`: 304, `"0", W/"1-gzip"`: 304, `"1-br"`: 200, `"0"`: 200} {
			if res, _ := s.do(t, "GET", "/p", "", "If-None-Match", tags); res.StatusCode != status || !strings.HasPrefix(res.Header.Get("Cache-Status"), "stampede; hit") {
				t.Errorf("%s: %s: %d %v", name, tags, res.StatusCode, res.Header)
			}
		}
	}
}

func TestFastPathIsUsedAndCounted(t *testing.T) {
	t.Parallel()
	a := tcpBackend(t, "a")
	a.handle(product)
	reg := prometheus.NewRegistry()
	var admitted, denied, slow atomic.Int64
	s := start(t, cached(Options{Registerer: reg, Admit: func(v *Visit) bool {
		if v.Method != "GET" || v.Target != "/p" || v.Cookie() != "sid=1" || !v.Client.IsLoopback() || v.Lines("x-a")[0] != "b" {
			t.Errorf("%+v", v)
		}
		if admitted.Add(1) > 5 {
			denied.Add(1)
			return false
		}
		return true
	}, Admission: []func(http.Handler) http.Handler{func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { slow.Add(1); next.ServeHTTP(w, r) })
	}}}), a)
	for range 10 {
		s.do(t, "GET", "/p", "", "Cookie", "sid=1", "X-A", "b")
	}
	if slow.Load() != 5 || denied.Load() != 4 || admitted.Load() != 9 { // the first was no hit
		t.Errorf("admitted %d, denied %d, by net/http %d", admitted.Load(), denied.Load(), slow.Load())
	}
	if n := testutil.ToFloat64(s.m.requests.WithLabelValues("200")); n != 10 {
		t.Errorf("%v requests counted", n)
	}
	if n, err := testutil.GatherAndCount(reg, "stampede_edge_cache_requests_total"); n != 7 || err != nil {
		t.Errorf("%d outcomes, %v", n, err)
	}
}

// Middleware sits between cache and balancer: what it refuses is neither kept nor shared.
func TestMiddlewareSeesMissesOnly(t *testing.T) {
	t.Parallel()
	a := tcpBackend(t, "a")
	a.handle(product)
	var seen atomic.Int64
	s := start(t, cached(Options{Middleware: []func(http.Handler) http.Handler{func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			seen.Add(1)
			if r.Header.Get("X-Attack") != "" {
				w.Header().Set("Cache-Control", "no-store")
				w.WriteHeader(http.StatusForbidden)
				return
			}
			next.ServeHTTP(w, r)
		})
	}}}), a)
	if res, _ := s.do(t, "GET", "/p", "", "X-Attack", "1"); res.StatusCode != 403 || res.Header.Get("X-Request-Id") == "" {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
	for range 5 {
		if res, _ := s.do(t, "GET", "/p", ""); res.StatusCode != 200 {
			t.Errorf("%d", res.StatusCode)
		}
	}
	if seen.Load() > 3 { // refused, then alone or the first of all
		t.Errorf("%d requests came to the middleware", seen.Load())
	}
}

// What bypasses the cache is not waited for: a slow answer to one shopper keeps no other waiting for its own.
func TestBypass(t *testing.T) {
	t.Parallel()
	a := tcpBackend(t, "a")
	begun, release := make(chan struct{}), make(chan struct{})
	a.handle(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/p" {
			product(w, r)
			return
		}
		if c, err := r.Cookie("sid"); err == nil && c.Value == "slow" {
			close(begun)
			<-release
		}
		w.Header().Set("Cache-Control", "private, no-store")
		_, _ = io.WriteString(w, r.Method+" for "+r.Header.Get("Cookie"))
	})
	s := start(t, cached(Options{Bypass: func(r *http.Request) bool { return r.URL.Path == "/cart" }}), a)
	slow := make(chan string, 1)
	go func() { _, body, _ := s.try("GET", "/cart", "", "Cookie", "sid=slow"); slow <- body }()
	<-begun
	res, body := s.do(t, "GET", "/cart", "", "Cookie", "sid=quick")
	if body != "GET for sid=quick" || res.Header.Get("Cache-Status") != "stampede; fwd=bypass" || res.Header.Get("X-Request-Id") == "" {
		t.Errorf("%q %v", body, res.Header)
	}
	close(release)
	if body := <-slow; body != "GET for sid=slow" {
		t.Errorf("%q", body)
	}
	if res, _ := s.do(t, "POST", "/cart", "x"); res.Header.Get("Cache-Status") != "stampede; fwd=method; fwd-status=200" {
		t.Errorf("a write: %v", res.Header)
	}
	s.do(t, "GET", "/p", "")
	if res, _ := s.do(t, "GET", "/p", ""); !strings.HasPrefix(res.Header.Get("Cache-Status"), "stampede; hit") {
		t.Errorf("%v", res.Header)
	}
}

// Draining answers hits too, and closes their connections without cutting one off.
func TestDrainingHits(t *testing.T) {
	t.Parallel()
	a := tcpBackend(t, "a")
	a.handle(product)
	s := start(t, cached(Options{DrainGrace: 200 * time.Millisecond}), a)
	s.do(t, "GET", "/p", "")
	var wg sync.WaitGroup
	stop := make(chan struct{})
	errs := make(chan error, 8)
	for range 8 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				res, body, err := s.try("GET", "/p", "")
				if err != nil && strings.Contains(err.Error(), "refused") {
					return // the listener is closed
				}
				if err != nil || body != "product /p" {
					errs <- fmt.Errorf("%q %w", body, err)
					return
				}
				if res.Close {
					return
				}
			}
		})
	}
	time.AfterFunc(50*time.Millisecond, s.cancel)
	if err := <-s.served; err != nil {
		t.Error(err)
	}
	close(stop)
	wg.Wait()
	select {
	case err := <-errs:
		t.Error(err)
	default:
	}
}

// An origin that dies is bridged from the cache; while a fetch is under way its own deadline holds.
func TestOriginFails(t *testing.T) {
	t.Parallel()
	a := tcpBackend(t, "a")
	var broken atomic.Bool
	a.handle(func(w http.ResponseWriter, r *http.Request) {
		if broken.Load() {
			cut(w, r)
			return
		}
		w.Header().Set("Cache-Control", "max-age=0, stale-if-error=60")
		_, _ = io.WriteString(w, "good")
	})
	s := start(t, cached(Options{}), a)
	s.do(t, "GET", "/x", "")
	broken.Store(true)
	res, body := s.do(t, "GET", "/x", "")
	if res.StatusCode != 200 || body != "good" || !strings.Contains(res.Header.Get("Cache-Status"), "stale-if-error") {
		t.Errorf("%d %q %v", res.StatusCode, body, res.Header)
	}
	res, body = s.do(t, "GET", "/new", "")
	wantProblem(t, res, body, 502, "bad-gateway")
}
