package edge

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"
)

// observed collects what Options.Observe is told.
type observed struct {
	mu  sync.Mutex
	all []Answered
}

func (o *observed) note(a Answered) {
	o.mu.Lock()
	defer o.mu.Unlock()
	a.Target, a.Method = string([]byte(a.Target)), string([]byte(a.Method)) // they are valid during the call only
	o.all = append(o.all, a)
}

// wait waits for the n-th request.
func (o *observed) wait(t *testing.T, n int) Answered {
	t.Helper()
	waitFor(t, "an observation", func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		return len(o.all) >= n
	})
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all[n-1]
}

// Each request is told of once: those that pass, hits that are answered from the connection, and answers that break off.
func TestObserve(t *testing.T) {
	t.Parallel()
	a := tcpBackend(t, "a")
	a.handle(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/cut":
			cut(w, r)
		case "/slow":
			<-r.Context().Done()
		default:
			product(w, r)
		}
	})
	var o observed
	s := start(t, cached(Options{Observe: o.note}), a)
	s.do(t, "GET", "/p?x=1", "", "X-Request-Id", "first")
	if got := o.wait(t, 1); got.Method != "GET" || got.Target != "/p?x=1" || got.Status != 200 || got.ID != "first" || got.Took <= 0 ||
		time.Since(got.Start) > time.Minute || got.Header.Get("Cache-Status") == "" {
		t.Errorf("passed on: %+v", got)
	}
	s.do(t, "HEAD", "/p?x=1", "")
	if got := o.wait(t, 2); got.Method != "HEAD" || got.Target != "/p?x=1" || got.Status != 200 || got.Request != nil || got.Took <= 0 {
		t.Errorf("a hit: %+v", got)
	}
	_, _, _ = s.try("POST", "/cut", "x")
	if got := o.wait(t, 3); got.Status < 500 || got.Attempts != 1 {
		t.Errorf("an answer that broke off: %+v", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", s.url+"/slow", nil)
	if err != nil {
		t.Fatal(err)
	}
	if res, err := s.client.Do(req); err == nil {
		_ = res.Body.Close()
		t.Error("answered")
	}
	if got := o.wait(t, 4); got.Status != problemClientGone.Status {
		t.Errorf("a client that left: %+v", got)
	}
}
