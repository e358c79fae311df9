package httpcache

import (
	"context"
	"net/http"
	"slices"
	"time"
)

// flight is one fetch and those who wait for it.
type flight struct {
	decided  chan struct{} // closed when it is known whether the answer is for all
	ended    chan struct{} // closed when all of it was written
	e        *entry        // what may be served to all; nil when it may not be shared
	o        outcome
	aborted  any // what the handler panicked with
	personal bool
	alone    bool // nobody can join it
}

// join returns the flight for a key, or begins one for an address.
func (c *Cache) join(key, address string) (f *flight, leader bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f = c.flights[key]; f != nil {
		return f, false
	}
	if c.ended {
		return nil, false
	}
	f = &flight{decided: make(chan struct{}), ended: make(chan struct{})}
	c.flights[key] = f
	c.flown[address]++
	c.wg.Add(1)
	return f, true
}

// land takes a flight off the list, so that nobody joins it any more.
func (c *Cache) land(key, address string, f *flight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !f.alone {
		delete(c.flights, key)
	}
	if c.flown[address]--; c.flown[address] == 0 {
		delete(c.flown, address)
	}
}

// flying says whether something is being fetched for an address.
func (c *Cache) flying(address string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.flown[address] > 0
}

// flightKey is that of the address and, where it is known what the answer depends on, of the variant.
func (c *Cache) flightKey(q *question) string {
	key := q.key
	if r := find(c.mem, q.key); r != nil {
		if list := r.list(); len(list) > 0 {
			for _, f := range list[0].vary {
				key += "\x00" + f.Name + "\x00" + normalValue(f.Name, q.header[f.Name])
			}
		}
	}
	return key
}

// fetchOrWait fetches as the leader, or waits for who does. It returns false when there is nothing for this client yet.
// prior is a stale entry to be confirmed, or nil.
func (h *handler) fetchOrWait(w http.ResponseWriter, r *http.Request, q *question, prior *entry) bool {
	key := h.flightKey(q)
	f, leader := h.join(key, q.key)
	switch {
	case f == nil:
		h.pass(w, r, "bypass")
		return true
	case leader:
		h.lead(w, r, q, prior, key, f)
		return true
	}
	select {
	case <-f.decided:
	case <-r.Context().Done():
		h.fail(w, r, context.Cause(r.Context()))
		return true
	}
	if f.e == nil || !f.e.matches(q) || !f.e.forAll && r.Header.Get("Authorization") != "" {
		return false
	}
	now := h.now().UnixNano()
	if dead, _ := h.purges.judge(f.e.since, f.e.keys); dead || f.e.since < h.purges.doubt.Load() {
		return false
	}
	h.counts.collapsed.Add(1)
	o := f.o
	o.collapsed = true
	h.serve(w, r, f.e, now, o)
	return true
}

// leadAlone fetches for this client; nobody can wait for it. The answer is kept if it says that it is for all.
func (h *handler) leadAlone(w http.ResponseWriter, r *http.Request, q *question) {
	h.mu.Lock()
	if h.ended {
		h.mu.Unlock()
		h.pass(w, r, "bypass")
		return
	}
	h.flown[q.key]++
	h.wg.Add(1)
	h.mu.Unlock()
	h.lead(w, r, q, nil, "", &flight{decided: make(chan struct{}), ended: make(chan struct{}), alone: true})
}

// lead fetches for this client and for those who wait meanwhile.
func (h *handler) lead(w http.ResponseWriter, r *http.Request, q *question, prior *entry, key string, f *flight) {
	rec := &recorder{h: h, q: q, f: f, key: key, prior: prior, client: w}
	go h.fetch(rec, r)
	select {
	case <-f.ended:
	case <-r.Context().Done():
		if !rec.leave() { // it is writing to the client: stop it
			<-f.ended
		} else {
			h.fail(w, r, context.Cause(r.Context()))
			return
		}
	}
	if f.e != nil {
		h.serve(w, r, f.e, h.now().UnixNano(), f.o)
		return
	}
	if f.aborted != nil {
		if !rec.begun {
			h.fail(w, r, http.ErrAbortHandler)
			return
		}
		panic(f.aborted)
	}
}

// refresh fetches in the background, unless somebody does so already or too many are being refreshed.
func (h *handler) refresh(r *http.Request, q *question, e *entry) {
	if !e.fetching.CompareAndSwap(false, true) {
		return
	}
	select {
	case h.background <- struct{}{}:
	default:
		e.fetching.Store(false)
		return
	}
	key := h.flightKey(q)
	f, leader := h.join(key, q.key)
	if !leader {
		<-h.background
		e.fetching.Store(false)
		return
	}
	q = &question{key: q.key, target: q.target, scheme: q.scheme, header: q.header.Clone(), shared: q.shared}
	req := h.fetchRequest(r, q, e)
	rec := &recorder{h: h, q: q, f: f, key: key, prior: e}
	go func() {
		defer func() {
			<-h.background
			e.fetching.Store(false)
		}()
		h.run(rec, req)
	}()
}

func (h *handler) fetch(rec *recorder, r *http.Request) {
	h.run(rec, h.fetchRequest(r, rec.q, rec.prior))
}

// run asks next; it ends the flight.
func (h *handler) run(rec *recorder, req *http.Request) {
	ctx, cancel := h.fetchContext(req)
	stop := context.AfterFunc(h.ctx, cancel)
	defer h.wg.Done()
	defer stop()
	defer cancel()
	rec.cancel = cancel
	rec.asked = h.now()
	rec.q.since = h.purges.count.Load()
	defer func() {
		rec.f.aborted = recover()
		rec.end()
	}()
	rec.q.sent = req.Header
	h.next.ServeHTTP(rec, req.WithContext(ctx))
}

func (h *handler) fetchContext(r *http.Request) (context.Context, context.CancelFunc) {
	if h.o.FetchContext != nil {
		return h.o.FetchContext(r)
	}
	return context.WithTimeout(context.WithoutCancel(r.Context()), h.o.FetchTimeout)
}

// unkeyed are request headers that are known to change answers without being part of any key: whoever sends them must
// not choose what others get.
var unkeyed = []string{"If-None-Match", "If-Modified-Since", "If-Range", "Range", "Forwarded", "X-Forwarded-Scheme",
	"X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Path", "X-Forwarded-Server", "X-Forwarded-Uri", "X-Original-Url",
	"X-Original-Uri", "X-Original-Host", "X-Rewrite-Url", "X-Host", "X-Http-Host-Override", "X-Http-Method", "X-Http-Method-Override",
	"X-Method-Override", "X-Real-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "Client-Ip", "X-Client-Ip", "X-Cluster-Client-Ip",
	"X-Wap-Profile", "Max-Forwards"}

// fetchRequest is r as it is sent on behalf of all.
func (h *handler) fetchRequest(r *http.Request, q *question, prior *entry) *http.Request {
	out := r.Clone(context.WithoutCancel(r.Context()))
	out.Method, out.Body = http.MethodGet, http.NoBody
	for _, list := range [][]string{unkeyed, h.o.Strip} {
		for _, name := range list {
			out.Header.Del(name)
		}
	}
	if h.o.Query != nil && r.URL.RawQuery != "" {
		out.URL.RawQuery = h.o.Query(r.URL.RawQuery)
		out.RequestURI = q.target
	}
	if lines := r.Header["Accept-Encoding"]; len(lines) > 0 {
		out.Header.Set("Accept-Encoding", encodings(lines))
	}
	known := prior != nil && !slices.ContainsFunc(prior.vary, func(f varyField) bool { return f.Name == "Cookie" })
	if q.shared || known {
		out.Header.Del("Cookie")
		out.Header.Del("X-Forwarded-For")
	}
	out.Header.Set("Surrogate-Capability", h.o.Name+`="Surrogate/1.0"`)
	if prior != nil {
		if prior.etag != "" {
			out.Header.Set("If-None-Match", prior.etag)
		}
		if lm := prior.header.Get("Last-Modified"); lm != "" {
			out.Header.Set("If-Modified-Since", lm)
		}
	}
	return out
}

// alone notes that answers under this key are personal, so that for a while nobody waits for another's.
func (c *Cache) alone(q *question, d time.Duration) {
	until := c.now().Add(d).UnixNano()
	c.mem.with(q.key, func(r *resource) { r.alone.Store(until) })
}
