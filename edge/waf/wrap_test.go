package waf

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// echo answers with the body that it got.
var echo = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusTeapot)
	_, _ = io.Copy(w, r.Body)
})

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec
}

func attack() *http.Request {
	r, _ := typical(http.MethodPost, "/users", `{"name":"<script>alert('geheim')</script>"}`)
	return r
}

// A blocked request gets a problem with an id, and the log has one line that explains that id without giving away
// what was sent.
func TestBlocked(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	reg := prometheus.NewPedanticRegistry()
	w := newWAF(t, Options{Log: slog.New(slog.NewJSONHandler(&log, nil)), Registerer: reg})
	r := attack()
	r.Header.Set("Cookie", "sid=topsecret; theme=<script>alert('cookie')</script>")
	r.Header.Set("Authorization", "Bearer topsecret")
	rec := serve(w.Wrap(echo), r)
	var p problem
	if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil {
		t.Fatal(err)
	}
	id := r.Header.Get("X-Request-Id")
	if rec.Code != http.StatusForbidden || rec.Header().Get("Content-Type") != "application/problem+json" || p.Type != "/problems/request-blocked" || p.Title == "" ||
		p.Status != http.StatusForbidden || p.Detail == "" || p.RequestID != id || p.Instance != "urn:request:"+id || rec.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v %s", rec.Code, rec.Header(), rec.Body)
	}
	line := log.String()
	for _, want := range []string{id, "941110", "ARGS:json.name", "REQUEST_COOKIES:theme", `"client":"192.0.2.1"`, `"path":"/users"`, `"mode":"block"`} {
		if !strings.Contains(line, want) {
			t.Errorf("the log does not say %s: %s", want, line)
		}
	}
	for _, secret := range []string{"topsecret", "geheim", "alert"} {
		if strings.Contains(line, secret) {
			t.Errorf("the log gives away %q: %s", secret, line)
		}
	}
	if strings.Count(line, "\n") != 1 {
		t.Errorf("more than one line: %s", line)
	}
	families, err := reg.Gather()
	if err != nil || len(families) < 5 {
		t.Errorf("%d metrics, %v", len(families), err)
	}
}

func TestModes(t *testing.T) {
	t.Parallel()
	w := newWAF(t, Options{Mode: ModeDetect})
	for _, c := range []struct {
		mode Mode
		want int
	}{{ModeDetect, http.StatusTeapot}, {ModeBlock, http.StatusForbidden}, {ModeOff, http.StatusTeapot}} {
		if err := w.SetMode(c.mode); err != nil {
			t.Fatal(err)
		}
		r := attack()
		if rec := serve(w.Wrap(echo), r); rec.Code != c.want || c.want == http.StatusTeapot && !strings.Contains(rec.Body.String(), "geheim") {
			t.Errorf("%s: %d %s", c.mode, rec.Code, rec.Body)
		}
	}
	if err := w.SetMode("loud"); err == nil {
		t.Error("mode loud was taken")
	}
	skipping := newWAF(t, Options{Skip: func(r *http.Request) bool { return r.URL.Path == "/users" }})
	if rec := serve(skipping.Wrap(echo), attack()); rec.Code != http.StatusTeapot {
		t.Errorf("skipped: %d", rec.Code)
	}
}

// Bodies are handed on as they came.
func TestBodies(t *testing.T) {
	t.Parallel()
	w := newWAF(t, Options{MaxBodyBytes: 1000})
	h := w.Wrap(echo)
	long := `{"name":"` + strings.Repeat("a", 980) + `"}`
	chunked, _ := typical(http.MethodPost, "/users", long)
	chunked.Body, chunked.ContentLength = io.NopCloser(iotest.OneByteReader(strings.NewReader(long))), -1
	chunked.Header.Del("Content-Length")
	chunked.TransferEncoding = []string{"chunked"}
	if rec := serve(h, chunked); rec.Code != http.StatusTeapot || rec.Body.String() != long {
		t.Errorf("a chunked body: %d %s", rec.Code, rec.Body)
	}
	tooLong := httptest.NewRequest(http.MethodPost, "/users", io.NopCloser(strings.NewReader(long+strings.Repeat(" ", 20))))
	tooLong.ContentLength = -1
	broken := httptest.NewRequest(http.MethodPost, "/users", io.NopCloser(iotest.ErrReader(errors.New("gone"))))
	broken.ContentLength = 5
	slow := httptest.NewRequest(http.MethodPost, "/users", io.NopCloser(iotest.ErrReader(os.ErrDeadlineExceeded)))
	slow.ContentLength = 5
	announced, _ := typical(http.MethodPost, "/users", "{}")
	announced.ContentLength = 1001
	notJSON, _ := typical(http.MethodPost, "/users", `{"name":`)
	deep, _ := typical(http.MethodPost, "/users", strings.Repeat("[", 100)+strings.Repeat("]", 100))
	for name, c := range map[string]struct {
		r      *http.Request
		status int
		typ    string
	}{
		"too long": {tooLong, 413, "too-large"}, "announced as too long": {announced, 413, "too-large"}, "broken": {broken, 400, "malformed"},
		"slow": {slow, 408, "request-timeout"}, "not JSON": {notJSON, 400, "malformed"}, "too deep": {deep, 400, "malformed"},
	} {
		rec := serve(h, c.r)
		if rec.Code != c.status || !strings.Contains(rec.Body.String(), `"/problems/`+c.typ+`"`) {
			t.Errorf("%s: %d %s", name, rec.Code, rec.Body)
		}
	}
	if n := w.bodies.Load(); n != 0 {
		t.Errorf("%d bytes of bodies were not given back", n)
	}
	tight := newWAF(t, Options{BodyMemory: 1})
	large, _ := typical(http.MethodPost, "/cart/add", `{"product_id":1`+strings.Repeat(" ", smallBody)+`}`)
	if rec := serve(tight.Wrap(echo), large); rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") != "1" {
		t.Errorf("no memory: %d %v", rec.Code, rec.Header())
	}
	small, _ := typical(http.MethodPost, "/cart/add", `{"product_id":1}`)
	if rec := serve(tight.Wrap(echo), small); rec.Code != http.StatusTeapot {
		t.Errorf("a small body finds no room: %d", rec.Code)
	}
}

// What would cost too much to inspect is refused, not let through.
func TestTooMuchText(t *testing.T) {
	t.Parallel()
	w := newWAF(t, Options{MaxValues: 50, MaxTextBytes: 5000})
	array := func(n int, text func(i int) string) string {
		var out []string
		for i := range n {
			out = append(out, text(i))
		}
		b, _ := json.Marshal(out)
		return string(b)
	}
	for name, c := range map[string]struct {
		body   string
		status int
	}{
		"few":              {array(50, func(i int) string { return "text " + itoa(i) }), 0},
		"many":             {array(51, func(i int) string { return "text " + itoa(i) }), 413},
		"many of the same": {array(5000, func(int) string { return "text" }), 0},
		"many numbers":     {array(5000, itoa), 0},
		"long":             {array(1, func(int) string { return strings.Repeat("text ", 1001) }), 413},
	} {
		r, body := typical(http.MethodPost, "/events", c.body)
		if v := w.Inspect(r, body); v.Status != c.status {
			t.Errorf("%s: %+v, want %d", name, v, c.status)
		}
	}
	busy := newWAF(t, Options{HeavyWait: time.Millisecond})
	for range cap(busy.heavy.slots) {
		if _, ok := busy.heavy.take(t.Context()); !ok {
			t.Fatal("no turn, and yet nobody else is there")
		}
	}
	for size, status := range map[int]int{heavyText - 100: 0, heavyText + 100: 503} {
		r, body := typical(http.MethodPost, "/users", `{"name":"`+strings.Repeat("a", size)+`"}`)
		if v := busy.Inspect(r, body); v.Status != status {
			t.Errorf("%d bytes while all turns are taken: %+v, want %d", size, v, status)
		}
	}
	var names strings.Builder
	names.WriteString(`{"a":1`)
	for i := range 1100 {
		names.WriteString(`,"n` + itoa(i) + `":1`)
	}
	r, body := typical(http.MethodPost, "/events", names.String()+"}")
	if v := w.Inspect(r, body); v.Status != http.StatusRequestEntityTooLarge {
		t.Errorf("many names: %+v", v)
	}
}
