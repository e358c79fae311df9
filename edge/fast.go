package edge

import (
	"bytes"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stampede-shop/stampede/edge/httpcache"
	"github.com/stampede-shop/stampede/edge/internal/wire"
)

// largestFast is the largest body that is answered straight from a connection, in bytes.
const largestFast = 64 << 10

// Visit is a request that the cache can answer from the connection, as Options.Admit sees it. Its strings are valid
// during the call only.
type Visit struct {
	Client netip.Addr // the zero Addr on a Unix socket
	Method string
	Target string // path and query
	head   *wire.Head
}

// Lines returns the values of a request header.
func (v *Visit) Lines(name string) []string { return v.head.Lines(name) }

// Cookie returns the Cookie header, "" when there is none or several.
func (v *Visit) Cookie() string {
	if !v.head.Once(wire.Cookie) {
		return ""
	}
	return text(v.head.Known[wire.Cookie], v.head.Has(wire.Cookie))
}

func (e *Edge) fastListener(l net.Listener) *wire.Listener {
	return wire.NewListener(l, wire.Options{Answerer: &fast{e: e}, MaxHeader: e.opts.MaxHeaderBytes,
		HeaderTimeout: e.opts.HeaderTimeout, IdleTimeout: e.opts.IdleTimeout, WriteTimeout: e.opts.StallTimeout})
}

// fast answers hits without net/http.
type fast struct {
	e      *Edge
	counts [600]atomic.Pointer[prometheus.Counter] // requests_total by status
}

// text is b as a string that is valid as long as b is not changed.
func text(b []byte, there bool) string {
	if !there || len(b) == 0 {
		return ""
	}
	return unsafe.String(&b[0], len(b))
}

// aside is what the hits of a connection need and would else allocate each time: collecting that costs more than making it, and
// whoever asks meanwhile waits. lines does not know X-Forwarded-*: what an origin gets is the edge's own word, and who sent it to us
// must not choose another's answer by it.
type aside struct {
	key   []byte
	lines func(name string) (values []string, known bool)
	visit Visit
}

func (f *fast) aside(h *wire.Head) *aside {
	a, ok := h.Aside.(*aside)
	if !ok {
		a = &aside{lines: func(name string) ([]string, bool) { return h.Lines(name), !strings.HasPrefix(name, "X-Forwarded-") }}
		h.Aside = a
	}
	return a
}

// Answer implements wire.Answerer. It does not allocate.
func (f *fast) Answer(h *wire.Head, peer netip.Addr, now time.Time, out []byte) (_ []byte, closing, ok bool) {
	e := f.e
	scheme, client, plain := e.origin(h, peer)
	if !plain || h.Has(wire.Authorization) || h.Twice != 0 || h.Has(wire.CacheControl) && e.choosy(h.Known[wire.CacheControl]) {
		return out, false, false
	}
	target := text(h.Target, true)
	if q := e.opts.Cache.Query; q != nil {
		if i := bytes.IndexByte(h.Target, '?'); i >= 0 && q(target[i+1:]) != target[i+1:] {
			return out, false, false
		}
	}
	before := len(out)
	mine := f.aside(h)
	mine.key = httpcache.AppendKey(mine.key[:0], scheme, h.Known[wire.Host], h.Target)
	known := text(h.Known[wire.IfNoneMatch], h.Has(wire.IfNoneMatch))
	v := httpcache.Visit{Key: mine.key, Lines: mine.lines, MaxBody: largestFast, IfNoneMatch: known, Head: h.Method[0] == 'H',
		AcceptEncoding: text(h.Known[wire.AcceptEncoding], h.Has(wire.AcceptEncoding))}
	out, body, status, ok := e.cache.AppendFresh(out, &v, now.UnixNano())
	if ok && status == http.StatusOK && known != "" && e.opts.Validators != nil && e.opts.Validators(known) != known {
		return out[:before], false, false // perhaps it is not modified after all
	}
	mine.visit = Visit{Client: client, Method: text(h.Method, true), Target: target, head: h}
	if !ok || e.opts.Admit != nil && !e.opts.Admit(&mine.visit) {
		return out[:before], false, false
	}
	out = append(out, "Server-Timing: edge;desc=hit\r\nX-Request-Id: "...)
	if id := h.Known[wire.RequestID]; h.Has(wire.RequestID) && saneID(text(id, true)) {
		out = append(out, id...)
	} else {
		out = appendID(out)
	}
	if closing = e.draining.Load(); closing {
		out = append(out, "\r\nConnection: close"...)
	}
	out = append(append(out, "\r\n\r\n"...), body...)
	f.count(status)
	if observe := e.opts.Observe; observe != nil {
		observe(Answered{Method: text(h.Method, true), Target: target, Status: status, Start: now, Took: time.Since(now)})
	}
	return out, closing, true
}

// origin is where a request comes from, as setForwarded would have it; plain is false when that takes thought.
func (e *Edge) origin(h *wire.Head, peer netip.Addr) (scheme string, client netip.Addr, plain bool) {
	if h.Seen&(1<<wire.ForwardedFor|1<<wire.ForwardedProto|1<<wire.ForwardedHost) == 0 || !peer.IsValid() || !e.trusted(peer) {
		return "http", peer, true
	}
	if h.Has(wire.ForwardedHost) && !bytes.Equal(h.Known[wire.ForwardedHost], h.Known[wire.Host]) {
		return "", peer, false
	}
	scheme, client = "http", peer
	if h.Has(wire.ForwardedProto) && bytes.EqualFold(h.Known[wire.ForwardedProto], []byte("https")) {
		scheme = "https"
	}
	if h.Has(wire.ForwardedFor) {
		chain := e.believedChain([]string{string(h.Known[wire.ForwardedFor])}, "")
		first, _, _ := bytes.Cut([]byte(chain), []byte(","))
		addr, err := netip.ParseAddr(string(first))
		if err != nil {
			return "", peer, false
		}
		client = addr
	}
	return scheme, client, true
}

// choosy says whether a client's Cache-Control has to be obeyed.
func (e *Edge) choosy(v []byte) bool {
	return e.opts.Cache.HonorClient || containsFold(v, "only-if-cached") || containsFold(v, "no-store")
}

func containsFold(b []byte, s string) bool {
	for ; len(b) >= len(s); b = b[1:] {
		if bytes.EqualFold(b[:len(s)], []byte(s)) {
			return true
		}
	}
	return false
}

func (f *fast) count(status int) {
	if status >= len(f.counts) {
		return
	}
	c := f.counts[status].Load()
	if c == nil {
		made := f.e.m.requests.WithLabelValues(strconv.Itoa(status))
		c = &made
		f.counts[status].Store(c)
	}
	(*c).Inc()
}

// Flushed implements wire.Answerer.
func (f *fast) Flushed(n int, took time.Duration) {
	for range n {
		f.e.m.seconds.Observe(took.Seconds())
	}
}
