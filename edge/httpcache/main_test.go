package httpcache

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	c.t = c.t.Add(d)
	c.mu.Unlock()
}

// bundle is a cache in front of an origin whose answer a test sets.
type bundle struct {
	t      *testing.T
	c      *Cache
	h      http.Handler
	clock  *clock
	origin atomic.Pointer[http.HandlerFunc]
	asked  atomic.Int64
	mu     sync.Mutex
	last   http.Header // of the request that the origin saw last
}

func setup(t *testing.T, o Options) *bundle {
	t.Helper()
	b := &bundle{t: t, clock: &clock{t: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}}
	o.Now = b.clock.now
	o.Name = "c"
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	b.c = c
	b.h = c.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.asked.Add(1)
		b.mu.Lock()
		b.last = r.Header.Clone()
		b.mu.Unlock()
		(*b.origin.Load())(w, r)
	}))
	t.Cleanup(c.Close)
	b.answer("body", "Cache-Control", "max-age=60")
	return b
}

func (b *bundle) handle(f http.HandlerFunc) { b.origin.Store(&f) }

// answer makes the origin answer 200 with body and headers, or 304 when the request's condition holds.
func (b *bundle) answer(body string, header ...string) { b.status(http.StatusOK, body, header...) }

func (b *bundle) status(status int, body string, header ...string) {
	b.handle(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", b.clock.now().UTC().Format(http.TimeFormat))
		for i := 0; i < len(header); i += 2 {
			if header[i] == "Expires" && strings.HasPrefix(header[i+1], "+") {
				d, _ := time.ParseDuration(header[i+1][1:])
				w.Header().Add("Expires", b.clock.now().Add(d).UTC().Format(http.TimeFormat))
				continue
			}
			w.Header().Add(header[i], header[i+1])
		}
		if tag := w.Header().Get("Etag"); tag != "" && r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
}

func (b *bundle) do(method, target string, header ...string) *httptest.ResponseRecorder {
	b.t.Helper()
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	b.h.ServeHTTP(w, r)
	return w
}

func (b *bundle) get(target string, header ...string) *httptest.ResponseRecorder {
	return b.do(http.MethodGet, target, header...)
}

// wantAsked checks how often the origin was asked so far.
func (b *bundle) wantAsked(n int64) {
	b.t.Helper()
	if got := b.asked.Load(); got != n {
		b.t.Fatalf("the origin was asked %d times, want %d", got, n)
	}
}

func wait(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never happened: " + what)
		}
	}
}
