package waf

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// ErrClosed is returned by Reload after Close.
var ErrClosed = errors.New("waf: closed")

// WAF inspects requests. It is safe for concurrent use.
type WAF struct {
	opts   Options
	mode   atomic.Value // Mode
	live   atomic.Pointer[generation]
	m      *metrics
	bodies atomic.Int64 // bytes of bodies under inspection
	heavy  *turns

	reload sync.Mutex
	closed bool
}

// generation is a rule set with what it found clean: neither outlives the other.
type generation struct {
	rules *ruleset
	known *clean
}

// New compiles the rules, which takes about half a second, and returns a WAF.
func New(o Options) (*WAF, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, err
	}
	w := &WAF{opts: o, m: m, heavy: newTurns(runtime.GOMAXPROCS(0)/2, o.HeavyWait)}
	w.mode.Store(o.Mode)
	rs, err := compile(o, o.Files)
	if err != nil {
		return nil, err
	}
	w.install(rs)
	return w, nil
}

func (w *WAF) install(rs *ruleset) {
	entries := max(1, w.opts.CleanEntries)
	w.m.rules.Set(float64(rs.count))
	old := w.live.Swap(&generation{rules: rs, known: &clean{newCleanSet(entries / 4), newCleanSet(entries)}})
	if old != nil {
		old.rules.close()
	}
}

// Reload reads the operator's rule files again, or others, and puts them in force at once for requests that come from
// then on. On an error, which names file and line (*RuleError) where it can, the rules stay as they were. ctx is only
// looked at before the work, which takes about half a second of one core.
func (w *WAF) Reload(ctx context.Context, paths ...string) error {
	w.reload.Lock()
	defer w.reload.Unlock()
	if w.closed {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	rs, err := compile(w.opts, paths)
	if err != nil {
		w.m.reloads.WithLabelValues("failed").Inc()
		return err
	}
	w.install(rs)
	w.m.reloads.WithLabelValues("done").Inc()
	return nil
}

// Close gives the compiled rules' memory back. Requests are still inspected after it; there is nothing that runs.
func (w *WAF) Close() error {
	w.reload.Lock()
	defer w.reload.Unlock()
	if !w.closed {
		w.closed = true
		w.live.Load().rules.close()
	}
	return nil
}

// SetMode changes what happens to requests from now on.
func (w *WAF) SetMode(m Mode) error {
	if _, err := ParseMode(string(m)); err != nil {
		return err
	}
	w.mode.Store(m)
	return nil
}

// Mode is what happens now to requests that the rules object to.
func (w *WAF) Mode() Mode { return w.mode.Load().(Mode) } //nolint:forcetypeassert // nothing else is stored

// Rules says how many rules are in force.
func (w *WAF) Rules() int { return w.live.Load().rules.count }

// Inspect says what the rules say of a request with this body, whatever the mode; of a batch, what they say of the first of its
// calls that they object to. It does not read r.Body.
func (w *WAF) Inspect(r *http.Request, body []byte) Verdict {
	calls, ok := w.batch(r, body)
	if !ok {
		return w.alone(r, body)
	}
	for _, c := range calls {
		if v := w.alone(c.request, c.body); v.Objects() {
			return v
		}
	}
	return w.alone(r, nil) // what is left is the call itself
}

// alone inspects a request that is no batch, or a batch as if it were none.
func (w *WAF) alone(r *http.Request, body []byte) (v Verdict) {
	defer func() {
		if p := recover(); p != nil { // in the engine: a request that breaks it must not pass
			w.opts.Log.Error("the firewall failed on a request", "request_id", r.Header.Get("X-Request-Id"), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			v = Verdict{Status: http.StatusInternalServerError}
		}
	}()
	return w.one(w.live.Load(), r, body)
}

func (w *WAF) one(g *generation, r *http.Request, body []byte) Verdict {
	q := newRequest(r, w.opts.TokenCookies)
	if err := q.setBody(r, body); err != nil {
		return Verdict{Status: http.StatusBadRequest, detail: err.Error()}
	}
	if texts := countTexts(q); texts > w.opts.MaxValues {
		return Verdict{Status: http.StatusRequestEntityTooLarge, detail: fmt.Sprintf("the request carries %d different texts, and at most %d are taken", texts, w.opts.MaxValues)}
	}
	if q.textBytes > w.opts.MaxTextBytes {
		return Verdict{Status: http.StatusRequestEntityTooLarge, detail: fmt.Sprintf("the request carries %d bytes of text, and at most %d are taken", q.textBytes, w.opts.MaxTextBytes)}
	}
	if q.textBytes > heavyText {
		done, ok := w.heavy.take(r.Context())
		if !ok {
			return Verdict{Status: http.StatusServiceUnavailable}
		}
		defer done()
	}
	if w.fast(g.rules, g.known, q) {
		return Verdict{Fast: true}
	}
	return g.rules.whole(q)
}

func countTexts(q *request) int {
	n := len(q.apart)
	for _, f := range q.fields {
		if f.value != "" {
			n++
		}
	}
	return n
}
