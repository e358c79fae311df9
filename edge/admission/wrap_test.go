package admission

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// one has a single place and lets nobody wait.
func one(t *testing.T, reg prometheus.Registerer) *Limiter {
	t.Helper()
	return newLimiter(t, Options{Min: 1, Initial: 1, Max: 1, Patience: [3]time.Duration{1, 1, 1}, ReadAhead: 16, Registerer: reg})
}

func TestRefusal(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	l := one(t, reg)
	p, err := l.Acquire(t.Context(), Browse, "")
	if err != nil {
		t.Fatal(err)
	}
	h := l.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("passed") }))
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/orders/checkout", strings.NewReader("{}")))
	var body struct {
		Type, Detail string
		Status       int
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &body); err != nil || rec.Code != 503 || body.Status != 503 || body.Detail == "" ||
		rec.Header().Get("Content-Type") != "application/problem+json" || rec.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v %s", rec.Code, rec.Header(), rec.Body)
	}
	if n, err := strconv.Atoi(rec.Header().Get("Retry-After")); err != nil || n < 1 || n > maxBackOff {
		t.Errorf("Retry-After %q", rec.Header().Get("Retry-After"))
	}
	p.Done(Served)
	if err := testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP stampede_admission_decisions_total Requests that need the origin, by class and outcome: admitted, or shed because there was no place in time.
# TYPE stampede_admission_decisions_total counter
stampede_admission_decisions_total{class="browse",outcome="admitted"} 1
stampede_admission_decisions_total{class="browse",outcome="shed"} 0
stampede_admission_decisions_total{class="cart",outcome="admitted"} 0
stampede_admission_decisions_total{class="cart",outcome="shed"} 1
stampede_admission_decisions_total{class="checkout",outcome="admitted"} 0
stampede_admission_decisions_total{class="checkout",outcome="shed"} 0
stampede_admission_decisions_total{class="crawl",outcome="admitted"} 0
stampede_admission_decisions_total{class="crawl",outcome="shed"} 0
`), "stampede_admission_decisions_total"); err != nil {
		t.Error(err)
	}
}

// A place is held until the answer begins, and comes back whatever the handler does.
func TestPlaceComesBack(t *testing.T) {
	t.Parallel()
	l := one(t, nil)
	for name, handler := range map[string]http.HandlerFunc{
		"writes": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "x") },
		"early hints": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(103)
			held(t, l, 1)
			w.WriteHeader(200)
			held(t, l, 0)
		},
		"writes nothing": func(http.ResponseWriter, *http.Request) {},
		"fails":          func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"refuses":        func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) },
		"panics":         func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		func() {
			defer func() { _ = recover() }()
			l.Wrap(handler).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
		}()
		if s := l.Stats(); s.InFlight != 0 {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func held(t *testing.T, l *Limiter, want int) {
	t.Helper()
	if s := l.Stats(); s.InFlight != want {
		t.Errorf("%d under way, want %d", s.InFlight, want)
	}
}

// slow is a body of which each byte takes a second.
type slow struct {
	left int
	err  error
	look func()
}

func (s *slow) Read(p []byte) (int, error) {
	time.Sleep(time.Second)
	s.look()
	if s.left == 0 {
		return 0, s.err
	}
	s.left--
	p[0] = 'x'
	return 1, nil
}

func (s *slow) Close() error { return nil }

// A slow sender holds no place while the first bytes come in, and the body arrives whole, or with the error that ended it.
func TestBodyIsReadAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, size := range []int{1, 15, 16, 17, 40} {
			for _, end := range []error{io.EOF, errors.New("broke off")} {
				l, read := one(t, nil), 0
				r := httptest.NewRequest(http.MethodPost, "/", nil)
				r.ContentLength = -1
				r.Body = &slow{left: size, err: end, look: func() {
					if read++; read <= 16 {
						held(t, l, 0)
					}
				}}
				l.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					held(t, l, 1)
					body, err := io.ReadAll(r.Body)
					if !bytes.Equal(body, bytes.Repeat([]byte("x"), size)) || end == io.EOF && err != nil || end != io.EOF && !errors.Is(err, end) {
						t.Errorf("%d bytes and %v, want %d and %v", len(body), err, size, end)
					}
				})).ServeHTTP(httptest.NewRecorder(), r)
			}
		}
	})
}

// Who leaves while waiting is not served, and its latency counts for nothing.
func TestClientLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(t, Options{Min: 1, Initial: 1, Max: 1})
		p, _ := l.Acquire(t.Context(), Browse, "")
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := l.Acquire(ctx, Checkout, ""); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		p.Done(Ignored)
		l.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Hour)
			w.WriteHeader(499)
		})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil).WithContext(gone(t)))
		if l.control.begun != (time.Time{}) || l.Stats().InFlight != 0 {
			t.Errorf("%+v", l.control)
		}
	})
}

func gone(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(time.Minute, cancel)
	return ctx
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{{Min: -1}, {Min: 9, Initial: 8}, {Initial: 9, Max: 8, Min: 1}, {Target: -1}, {Target: 2, Ceiling: 1}, {MaxWaiting: -1},
		{ReadAhead: -1}, {Patience: [3]time.Duration{-1}}} {
		if _, err := New(o); err == nil || !strings.HasPrefix(err.Error(), "admission: ") {
			t.Errorf("%+v: %v", o, err)
		}
	}
	l := newLimiter(t, Options{})
	l.Bound(20, 30)
	if s := l.Stats(); s.Limit != 30 {
		t.Errorf("limit %d, want 30", s.Limit)
	}
	l.Bound(-1, -1)
	if s := l.Stats(); s.Limit != 1 {
		t.Errorf("limit %d, want 1", s.Limit)
	}
}
