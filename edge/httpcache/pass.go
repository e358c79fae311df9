package httpcache

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// pass sends a request on as it is. The answer to an unsafe one drops what it may have changed before the client reads it.
func (h *handler) pass(w http.ResponseWriter, r *http.Request, why string) {
	h.counts.passed.Add(1)
	p := &passer{ResponseWriter: w, h: h, r: r, why: why}
	h.next.ServeHTTP(p, r)
	if !p.begun && r.Header.Get("Upgrade") == "" { // nothing was said, which means 200
		p.WriteHeader(http.StatusOK)
	}
}

// passer is the ResponseWriter of a request that is passed on.
type passer struct {
	http.ResponseWriter
	h     *handler
	r     *http.Request
	why   string
	begun bool
}

// Unwrap lets http.ResponseController reach the connection.
func (p *passer) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (p *passer) WriteHeader(status int) {
	if status >= 200 && !p.begun {
		p.begun = true
		h := p.Header()
		o := outcome{fwd: p.why, fwdStatus: status}
		if p.why == "miss" {
			o.fwd, o.detail = "uri-miss", "not-shared"
		}
		if !safe(p.r.Method) && status < 400 {
			p.h.invalidate(p.r, h)
		}
		if p.r.Method == http.MethodHead {
			p.h.learn(p.r, status, h)
		}
		h.Add("Cache-Status", o.field(p.h.o.Name))
	}
	p.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (p *passer) Write(b []byte) (int, error) {
	if !p.begun {
		p.WriteHeader(http.StatusOK)
	}
	return p.ResponseWriter.Write(b)
}

func safe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// invalidate drops the address that an unsafe request went to, and those its answer names on the same host (RFC 9111,
// section 4.4).
func (h *handler) invalidate(r *http.Request, answer http.Header) {
	q := h.question(r)
	keys := []keyHash{hashKey(kindKey, q.key)}
	base, err := url.Parse(q.key)
	if err == nil {
		for _, name := range [...]string{"Location", "Content-Location"} {
			v := answer.Get(name)
			if v == "" {
				continue
			}
			if u, err := base.Parse(v); err == nil && strings.EqualFold(u.Host, base.Host) && u.Scheme == base.Scheme {
				keys = append(keys, hashKey(kindKey, keyOf(u.Scheme, u.Host, u.RequestURI())))
			}
		}
	}
	// A purge makes all entries look again whether they are meant: not worth it for the many writes that go to addresses
	// of which nothing is kept or under way.
	if len(keys) > 1 || find(h.mem, q.key) != nil || h.flying(q.key) || h.disk != nil && h.disk.has(q.key) {
		h.purge(keys, false)
	}
}

// learn brings a kept answer up to date by the answer to a HEAD (RFC 9111, section 4.3.5): it is confirmed when it still
// agrees, and asked about before its next use when it does not.
func (h *handler) learn(r *http.Request, status int, answer http.Header) {
	q := h.question(r)
	now := h.now()
	e, s := h.lookup(q, now.UnixNano())
	if e == nil || s == fresh || status != http.StatusOK || e.status != http.StatusOK {
		return
	}
	length := answer.Get("Content-Length")
	if answer.Get("Etag") != e.etag || answer.Get("Last-Modified") != e.header.Get("Last-Modified") ||
		length != "" && length != strconv.Itoa(len(e.body)) {
		e.recheck.Store(true)
		return
	}
	q.sent, q.since = r.Header, h.purges.count.Load()
	if n := h.freshened(e, q, answer, now, now); n != nil {
		n.since = e.since
		h.keep(n)
	}
}
