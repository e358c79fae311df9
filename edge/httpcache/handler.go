package httpcache

import "net/http"

// Handler puts the cache in front of next. Several handlers may share one cache; addresses are then common to them.
func (c *Cache) Handler(next http.Handler) http.Handler {
	return &handler{c, next}
}

type handler struct {
	*Cache
	next http.Handler
}

// rounds is how often a request waits for what others fetch before it asks alone.
const rounds = 3

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if why := unfit(r); why != "" {
		h.pass(w, r, why)
		return
	}
	q := h.question(r)
	cc := parseControl(r.Header["Cache-Control"])
	for round := range rounds {
		now := h.now().UnixNano()
		e, s := h.lookup(q, now)
		if e != nil && !e.forAll && r.Header.Get("Authorization") != "" {
			e = nil
		}
		if e != nil {
			s = h.wish(cc, e, s, now)
		}
		switch {
		case e != nil && s >= stale:
			h.hit(w, r, q, e, s, now, round > 0)
			return
		case cc.onlyIfCached:
			h.onlyCached(w, r)
			return
		case r.Method == http.MethodHead || e == nil && h.goesAlone(r, q, now):
			if r.Method == http.MethodGet && !conditional(r.Header) && !cc.noStore {
				h.leadAlone(w, r, q)
				return
			}
			h.pass(w, r, "bypass")
			return
		}
		if h.fetchOrWait(w, r, q, e) {
			return
		}
	}
	h.pass(w, r, "miss")
}

// unfit says why a request has nothing to do with stored answers, as the value of fwd in Cache-Status.
func unfit(r *http.Request) string {
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return "method"
	case r.ContentLength != 0 || r.Header.Get("Upgrade") != "" || r.Header.Get("If-Match") != "" || r.Header.Get("If-Unmodified-Since") != "":
		return "bypass"
	}
	return ""
}

// goesAlone says whether waiting for another client's answer, or fetching for others, would be in vain.
func (c *Cache) goesAlone(r *http.Request, q *question, now int64) bool {
	switch {
	case r.Header.Get("Range") != "" || r.Header.Get("Authorization") != "":
		return true
	case parseControl(r.Header["Cache-Control"]).noStore:
		return true
	}
	res := find(c.mem, q.key)
	return res != nil && now < res.alone.Load()
}

// conditional says whether a request asks for less than the whole answer.
func conditional(h http.Header) bool {
	return h.Get("Range") != "" || h.Get("If-None-Match") != "" || h.Get("If-Modified-Since") != ""
}

// wish applies what the client wants, if it has a say.
func (c *Cache) wish(cc directives, e *entry, s state, now int64) state {
	if !c.o.HonorClient {
		return s
	}
	left := e.freshUntil() - now
	switch {
	case cc.noCache, cc.maxAge.set && now-e.born > int64(cc.maxAge.d), cc.minFresh.set && left < int64(cc.minFresh.d):
		return invalid
	case s == invalid && cc.maxStale.set && !e.strict && !e.noCache && !e.recheck.Load() && -left < int64(cc.maxStale.d):
		return stale
	}
	return s
}

// hit serves e without asking anybody; what is stale is refreshed behind it.
func (h *handler) hit(w http.ResponseWriter, r *http.Request, q *question, e *entry, s state, now int64, waited bool) {
	status := outcome{hit: true, ttl: ttl(e, now)}
	switch {
	case waited:
		h.counts.collapsed.Add(1)
		status = outcome{fwd: "uri-miss", collapsed: true}
	case s == fresh:
		h.counts.hits.Add(1)
	default:
		h.counts.stale.Add(1)
		status.detail = "stale-while-revalidate"
		h.refresh(r, q, e)
	}
	h.serve(w, r, e, now, status)
}

func (h *handler) onlyCached(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Status", outcome{detail: "only-if-cached"}.field(h.o.Name))
	if h.o.Fail != nil {
		h.o.Fail(w, r, ErrNotStored)
		return
	}
	http.Error(w, "not in the cache", http.StatusGatewayTimeout)
}

// fail answers a client for which there is nothing.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	if h.o.Fail != nil {
		h.o.Fail(w, r, err)
		return
	}
	http.Error(w, "no answer from the origin", http.StatusBadGateway)
}
