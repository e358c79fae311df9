package httpcache

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// crowd sends n requests at once and returns their answers.
func (b *bundle) crowd(n int, header func(i int) []string) []*httptest.ResponseRecorder {
	answers := make([]*httptest.ResponseRecorder, n)
	var wg sync.WaitGroup
	for i := range n {
		var h []string
		if header != nil {
			h = header(i)
		}
		wg.Go(func() { answers[i] = b.get("/hot", h...) })
	}
	wg.Wait()
	return answers
}

// gated answers after gate is closed.
func (b *bundle) gated(gate chan struct{}, f http.HandlerFunc) {
	b.handle(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-gate:
		case <-r.Context().Done():
		}
		f(w, r)
	})
}

func shared(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "max-age=60")
	_, _ = w.Write([]byte("body"))
}

func TestOneFetchForAll(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	gate := make(chan struct{})
	b.gated(gate, shared)
	done := make(chan []*httptest.ResponseRecorder)
	go func() { done <- b.crowd(200, nil) }()
	wait(t, "the fetch", func() bool { return b.asked.Load() == 1 })
	close(gate)
	for _, w := range <-done {
		if w.Code != 200 || w.Body.String() != "body" {
			t.Fatalf("%d %q", w.Code, w.Body)
		}
	}
	b.wantAsked(1)
	if s := b.c.Stats(); s.Misses != 1 || s.Collapsed+s.Hits != 199 {
		t.Errorf("%+v", s)
	}
}

// A leader that leaves takes nobody along.
func TestLeaderLeaves(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	gate := make(chan struct{})
	b.gated(gate, shared)
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan struct{})
	go func() {
		defer close(left)
		b.h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/hot", nil).WithContext(ctx))
	}()
	wait(t, "the fetch", func() bool { return b.asked.Load() == 1 })
	done := make(chan []*httptest.ResponseRecorder)
	go func() { done <- b.crowd(5, nil) }()
	leave()
	<-left
	close(gate)
	for _, w := range <-done {
		if w.Body.String() != "body" {
			t.Errorf("%d %q", w.Code, w.Body)
		}
	}
	b.wantAsked(1)
}

// A leader that is refused, or gets an answer of its own, poisons nobody.
func TestLeaderCannotPoison(t *testing.T) {
	t.Parallel()
	for name, own := range map[string]http.HandlerFunc{
		"refused": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "blocked", http.StatusForbidden) },
		"cookie": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Set-Cookie", "a=b")
			shared(w, r)
		},
		"broken":  func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"private": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Cache-Control", "private") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, Options{})
			gate := make(chan struct{})
			var first atomic.Bool
			b.gated(gate, func(w http.ResponseWriter, r *http.Request) {
				if first.CompareAndSwap(false, true) {
					own(w, r)
					return
				}
				shared(w, r)
			})
			done := make(chan []*httptest.ResponseRecorder)
			go func() { done <- b.crowd(20, nil) }()
			wait(t, "the fetch", func() bool { return b.asked.Load() == 1 })
			close(gate)
			good := 0
			for _, w := range <-done {
				if w.Code == 200 && w.Body.String() == "body" && w.Header().Get("Set-Cookie") == "" {
					good++
				}
			}
			if good != 19 {
				t.Errorf("%d of 19 got their answer", good)
			}
		})
	}
}

// Personal answers are not waited for, again and again: after the first each client asks for itself.
func TestPersonalAnswersDoNotQueue(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.handle(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "private, no-store")
		_, _ = w.Write([]byte(r.Header.Get("Cookie")))
	})
	for i, w := range b.crowd(30, func(i int) []string { return []string{"Cookie", fmt.Sprint("id=", i)} }) {
		if w.Body.String() != fmt.Sprint("id=", i) {
			t.Errorf("client %d got %q", i, w.Body)
		}
	}
	gate := make(chan struct{})
	b.gated(gate, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Cache-Control", "private") })
	done := make(chan struct{})
	before := b.asked.Load()
	go func() { defer close(done); b.crowd(10, nil) }()
	wait(t, "all at once", func() bool { return b.asked.Load() == before+10 })
	close(gate)
	<-done
}

// An answer with a cookie for one client does not keep the answers of others out of the cache.
func TestPersonalAnswerDoesNotKeepOthersOut(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.answer("mine", "Cache-Control", "max-age=60", "Set-Cookie", "a=b")
	b.get("/")
	b.answer("body", "Cache-Control", "max-age=60")
	b.get("/")
	b.get("/")
	b.wantAsked(2)
}

// What is not part of the key does not reach the origin where the answer is for all.
func TestUnkeyedInputs(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Query: SortQuery, Strip: []string{"X-Evil"}})
	b.handle(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=60")
		_, _ = w.Write([]byte(r.URL.RawQuery + r.Header.Get("X-Original-Url") + r.Header.Get("X-Evil") + r.Header.Get("X-Forwarded-For")))
	})
	b.c.o.Shared = func(*http.Request) bool { return true } // then not the client's address either
	w := b.get("/?b=2&utm_source=x&a=1&&fbclid=y", "X-Original-Url", "/admin", "X-Evil", "1", "X-Forwarded-For", "9.9.9.9", "X-Http-Method-Override", "DELETE", "If-None-Match", `"x"`)
	if w.Body.String() != "a=1&b=2" {
		t.Errorf("%q", w.Body)
	}
	for _, name := range unkeyed {
		if b.last.Get(name) != "" {
			t.Errorf("%s was passed on", name)
		}
	}
	b.get("/?a=1&b=2")
	b.get("/?a=1&b=2&gclid=z")
	b.wantAsked(1)
	b.get("/?a=1&b=3")
	b.get("/?a=1&b=2", "X-Forwarded-Host", "evil.example") // part of the key
	b.wantAsked(3)
}

func TestPrivateFieldsGoToWhoAsked(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.answer("body", "Cache-Control", `max-age=60, private="x-name"`, "X-Name", "Ann")
	if got := b.get("/").Header().Get("X-Name"); got != "Ann" {
		t.Errorf("%q", got)
	}
	if got := b.get("/").Header().Get("X-Name"); got != "" {
		t.Errorf("%q", got)
	}
}

func TestCloseEndsFetches(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.gated(make(chan struct{}), shared)
	done := make(chan struct{})
	go func() { defer close(done); b.crowd(3, nil) }()
	wait(t, "the fetch", func() bool { return b.asked.Load() == 1 })
	b.c.Close()
	<-done
	b.answer("x")
	if w := b.get("/after"); w.Body.String() != "x" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

func TestBackgroundIsBounded(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{MaxBackground: 2})
	b.answer("old", "Cache-Control", "max-age=1, stale-while-revalidate=100")
	for i := range 5 {
		b.get(fmt.Sprint("/", i))
	}
	b.clock.add(2 * time.Second)
	gate := make(chan struct{})
	b.gated(gate, shared)
	for i := range 5 {
		if w := b.get(fmt.Sprint("/", i)); w.Body.String() != "old" {
			t.Errorf("%q", w.Body)
		}
	}
	wait(t, "two refreshes", func() bool { return b.asked.Load() == 7 })
	close(gate)
}
