package edge

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// hub joins edges as a bus would, and fails when told to.
type hub struct {
	mu   sync.Mutex
	subs []func([]byte)
	err  error
}

func (h *hub) Broadcast(_ context.Context, data []byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range h.subs {
		f(data)
	}
	return h.err
}

func (h *hub) Subscribe(f func([]byte)) (func(), error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.subs = append(h.subs, f)
	return func() {}, nil
}

func TestPurgeEverywhere(t *testing.T) {
	t.Parallel()
	a := tcpBackend(t, "a")
	a.handle(product)
	bus := &hub{}
	one, two := start(t, cached(Options{Bus: bus}), a), start(t, cached(Options{Bus: bus}), a)
	bus.subs[0]([]byte("not for us"))
	asked := int64(0)
	for _, p := range []Purge{{Tags: []string{"p:1"}}, {URLs: []string{"/p"}}, {URLs: []string{one.url + "/p", two.url + "/p"}}, {All: true}} {
		for range 2 {
			one.do(t, "GET", "/p", "")
			two.do(t, "GET", "/p", "")
		}
		if asked += 2; a.hits.Load() != asked {
			t.Fatalf("before %+v: %d, want %d", p, a.hits.Load(), asked)
		}
		if err := one.Purge(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	h := one.PurgeHandler()
	for body, code := range map[string]int{`{"tags":["a"]}`: 204, `{}`: 400, `{"tgas":["a"]}`: 400, `x`: 400} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", "/purge", strings.NewReader(body)))
		if w.Code != code {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
	bus.err = io.ErrUnexpectedEOF
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", "/purge", strings.NewReader(`{"tags":["a"]}`)))
	if w.Code != 503 {
		t.Errorf("a purge that did not arrive everywhere: %d", w.Code)
	}
}

// liveHub is a hub that may lose its members.
type liveHub struct {
	hub
	deaf atomic.Bool
}

func (h *liveHub) Live() bool { return !h.deaf.Load() }

// While purges may pass an edge by it asks before each use; after Recheck it asks once about what it kept before.
func TestDeafEdge(t *testing.T) {
	t.Parallel()
	a := tcpBackend(t, "a")
	a.handle(product)
	bus := &liveHub{}
	s := start(t, cached(Options{Bus: bus}), a)
	get := func(asked int64) {
		t.Helper()
		s.do(t, "GET", "/p", "")
		if n := a.hits.Load(); n != asked {
			t.Fatalf("the origin was asked %d times, want %d", n, asked)
		}
	}
	get(1)
	get(1)
	bus.deaf.Store(true)
	get(2)
	get(3)
	s.Recheck()
	bus.deaf.Store(false)
	get(4)
	get(4)
}

// Whoever is no edge can purge them all; long lists go out in parts, and a part that fails keeps no other from going.
func TestSend(t *testing.T) {
	t.Parallel()
	bus := &hub{err: io.ErrUnexpectedEOF}
	got := map[string]int{}
	messages := 0
	_, _ = bus.Subscribe(func(data []byte) {
		var m purgeMessage
		if err := json.Unmarshal(data, &m); err != nil || m.Purge == nil || !m.Purge.Soft {
			t.Errorf("%s: %v", data, err)
			return
		}
		messages++
		for _, name := range append(m.Purge.Tags, m.Purge.URLs...) {
			got[name]++
		}
	})
	p := Purge{Soft: true, URLs: []string{"/x"}}
	for i := range 2*perMessage + 1 {
		p.Tags = append(p.Tags, fmt.Sprint("p:", i))
	}
	if err := p.Send(context.Background(), bus); err == nil {
		t.Error("the bus failed, and nobody says so")
	}
	if messages != 4 || len(got) != 2*perMessage+2 {
		t.Errorf("%d messages with %d names", messages, len(got))
	}
	bus.err = nil
	if err := (Purge{}).Send(context.Background(), bus); err != nil || messages != 4 {
		t.Errorf("a purge of nothing: %v, %d messages", err, messages)
	}
}
