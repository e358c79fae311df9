package edge

import (
	"net/http"
	"net/http/httputil"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// cleanRequest makes r's headers trustworthy and returns the request's id.
func (e *Edge) cleanRequest(r *http.Request, now time.Time) (id string) {
	h := r.Header
	for name := range h {
		if private(name) {
			delete(h, name)
		}
	}
	id = h.Get("X-Request-Id")
	if len(h["X-Request-Id"]) != 1 || !saneID(id) {
		id = newID()
	}
	h["X-Request-Id"] = []string{id}
	h["Stampede-Op"] = []string{newID()}
	h["X-Request-Start"] = []string{"t=" + strconv.FormatInt(now.UnixMicro(), 10)}
	if tags := h["If-None-Match"]; len(tags) > 0 && e.opts.Validators != nil {
		h["If-None-Match"] = []string{e.opts.Validators(strings.Join(tags, ", "))}
	}
	delete(h, "Proxy") // becomes HTTP_PROXY in CGI programs
	delete(h, "Expect")
	e.setForwarded(r)
	return id
}

// setForwarded writes X-Forwarded-For, -Proto and -Host. The chain starts with the client, the last address that is no
// trusted proxy: what it claims about addresses before it is dropped. So the first entry can be relied on.
func (e *Edge) setForwarded(r *http.Request) {
	h := r.Header
	proto := "http"
	if r.TLS != nil {
		proto = "https"
	}
	host, chain := r.Host, ""
	if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		chain = peer.Addr().Unmap().String()
		if e.trusted(peer.Addr()) {
			chain = e.believedChain(h.Values("X-Forwarded-For"), chain)
			if p := strings.ToLower(h.Get("X-Forwarded-Proto")); p == "http" || p == "https" {
				proto = p
			}
			if f := h.Get("X-Forwarded-Host"); f != "" && len(f) <= 255 && !strings.ContainsAny(f, ", /\\@") {
				host = f
			}
		}
	}
	delete(h, "Forwarded")
	delete(h, "X-Real-Ip")
	delete(h, "X-Forwarded-For")
	if chain != "" { // a peer on a Unix socket has no address
		h["X-Forwarded-For"] = []string{chain}
	}
	h["X-Forwarded-Proto"] = []string{proto}
	h["X-Forwarded-Host"] = []string{host}
}

// believedChain is the part of a forwarded chain that starts with the last untrusted address, then the peer.
func (e *Edge) believedChain(values []string, peer string) string {
	parts := strings.Split(strings.Join(values, ","), ",")
	start := len(parts)
	for start > 0 {
		addr, err := netip.ParseAddr(strings.TrimSpace(parts[start-1]))
		if err != nil {
			break
		}
		start--
		parts[start] = addr.Unmap().String()
		if !e.trusted(addr) {
			break
		}
	}
	return strings.Join(append(parts[start:], peer), ", ")
}

func (e *Edge) trusted(a netip.Addr) bool {
	for _, p := range e.opts.TrustedProxies {
		if p.Contains(a.Unmap()) {
			return true
		}
	}
	return false
}

// rewrite prepares the request for an origin; which one is known only when it is sent.
func rewrite(p *httputil.ProxyRequest) {
	p.Out.URL.Scheme = "http"
	p.Out.URL.Host = "origin"
	p.Out.URL.RawQuery = p.In.URL.RawQuery // the origin judges it, not the proxy
	p.Out.Host = p.In.Host
	for _, name := range [...]string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"} {
		if v, ok := p.In.Header[name]; ok {
			p.Out.Header[name] = v
		}
	}
}

// markAnswer says in Cache-Status (RFC 9211) that no cache handled the request, when there is none.
func (e *Edge) markAnswer(res *http.Response) error {
	if res.StatusCode != http.StatusSwitchingProtocols {
		if e.cache != nil {
			return nil
		}
		res.Header.Add("Cache-Status", e.opts.Name+"; fwd=bypass")
		return nil
	}
	for name := range res.Header { // these do not pass through answer's WriteHeader
		if private(name) || name == "X-Request-Id" {
			delete(res.Header, name)
		}
	}
	return nil
}
