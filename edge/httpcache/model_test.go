package httpcache

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// What the origin of the model says about its answers.
const (
	modelFresh = 10 * time.Second
	modelSWR   = 5 * time.Second
	modelSIE   = 20 * time.Second
)

// model is a cache and an origin each of whose answers has a number of its own, with what is known of that answer.
type model struct {
	*Cache
	h      http.Handler
	clock  *clock
	mu     sync.Mutex
	down   bool
	born   []time.Time          // by number
	hard   map[string]int       // by path: answers below this number are purged
	soft   map[string]time.Time // by path: when answers below softTo were made stale
	softTo map[string]int
}

func newModel(dir string, m *model) *model {
	if m == nil {
		m = &model{clock: &clock{t: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}, hard: map[string]int{}, soft: map[string]time.Time{}, softTo: map[string]int{}}
	}
	c, err := New(Options{Name: "c", Dir: dir, Now: m.clock.now})
	if err != nil {
		panic(err)
	}
	m.Cache, m.h = c, c.Handler(m)
	return m
}

func (m *model) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w.Header().Set("Date", m.clock.now().UTC().Format(http.TimeFormat))
	switch {
	case r.Method == http.MethodPost:
	case m.down:
		w.WriteHeader(http.StatusServiceUnavailable)
	default:
		w.Header().Set("Cache-Control", "max-age=10, stale-while-revalidate=5, stale-if-error=20")
		w.Header().Set("Surrogate-Key", "all "+r.URL.Path[1:])
		_, _ = fmt.Fprint(w, len(m.born))
		m.born = append(m.born, m.clock.now())
	}
}

// get asks for a path and checks that the answer is one that may be given now.
func (m *model) get(t *rapid.T, path string) {
	w := httptest.NewRecorder()
	m.mu.Lock()
	asked := len(m.born)
	m.mu.Unlock()
	m.h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	for len(m.background) > 0 { // what is refreshed behind the answer
		runtime.Gosched()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if w.Code == http.StatusServiceUnavailable {
		if !m.down {
			t.Fatal("503 from an origin that is well")
		}
		return
	}
	n, err := strconv.Atoi(w.Body.String())
	if err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %q", w.Code, w.Body)
	}
	if n >= asked {
		return // asked for now
	}
	status := w.Header().Get("Cache-Status")
	if n < m.hard[path] {
		t.Fatalf("answer %d to %s is from before a purge: %s", n, path, status)
	}
	until := m.born[n].Add(modelFresh)
	if s := m.soft[path]; n < m.softTo[path] && s.Before(until) {
		until = s
	}
	late := m.clock.now().Sub(until)
	if late >= modelSWR && (!m.down || late >= modelSIE) {
		t.Fatalf("answer %d to %s is %v too old (down: %v): %s", n, path, late, m.down, status)
	}
}

// purge notes what is purged, as the cache is told.
func (m *model) purge(soft bool, paths ...string) {
	for _, p := range paths {
		switch {
		case !soft:
			m.hard[p] = len(m.born)
		case m.softTo[p] < len(m.born):
			m.soft[p], m.softTo[p] = m.clock.now(), len(m.born)
		}
	}
}

// However time passes, origins fail, purges, writes and restarts come: no answer is served that was purged, or that is older
// than its origin allows.
func TestNothingPurgedNothingTooOld(t *testing.T) {
	t.Parallel()
	paths := []string{"/a", "/b", "/c"}
	rapid.Check(t, func(rt *rapid.T) {
		dir := ""
		if rapid.Bool().Draw(rt, "disk") {
			dir = t.TempDir()
		}
		m := newModel(dir, nil)
		defer func() { m.Close() }()
		path := func() string { return rapid.SampledFrom(paths).Draw(rt, "path") }
		rt.Repeat(map[string]func(*rapid.T){
			"get":     func(rt *rapid.T) { m.get(rt, path()) },
			"and get": func(rt *rapid.T) { m.get(rt, path()) },
			"time": func(rt *rapid.T) {
				m.clock.add(time.Duration(rapid.IntRange(1, 9000).Draw(rt, "ms")) * time.Millisecond)
			},
			"health": func(rt *rapid.T) { m.down = rapid.Bool().Draw(rt, "down") },
			"tag": func(rt *rapid.T) {
				p, soft := path(), rapid.Bool().Draw(rt, "soft")
				m.PurgeTags(soft, p[1:])
				m.purge(soft, p)
			},
			"url": func(rt *rapid.T) { p := path(); m.PurgeURL(false, "http://example.com"+p); m.purge(false, p) },
			"all": func(rt *rapid.T) {
				soft := rapid.Bool().Draw(rt, "soft")
				if rapid.Bool().Draw(rt, "by tag") {
					m.PurgeTags(soft, "all")
				} else {
					m.PurgeAll(soft)
				}
				m.purge(soft, paths...)
			},
			"write": func(rt *rapid.T) {
				p := path()
				m.h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, p, nil))
				m.purge(false, p)
			},
			"restart": func(rt *rapid.T) { m.Close(); newModel(dir, m) },
		})
	})
}
