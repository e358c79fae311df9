package limit

import (
	"net/http"
	"net/netip"
	"strings"
)

// ClientAddr finds who sent a request: the connection's peer, or, as long as that is a trusted proxy, the one that it
// names in X-Forwarded-For or, without that, Forwarded (RFC 7239), from right to left. What stands left of the first
// address that is not trusted anybody may have written. It is the zero Addr if the peer has none, as on a Unix
// socket.
func ClientAddr(r *http.Request, trusted []netip.Prefix) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	addr := peer.Addr().Unmap()
	if err != nil {
		if addr, err = netip.ParseAddr(r.RemoteAddr); err != nil {
			return netip.Addr{}
		}
		addr = addr.Unmap()
	}
	if !contains(trusted, addr) {
		return addr
	}
	if values := r.Header["X-Forwarded-For"]; len(values) > 0 {
		return walk(values, addr, trusted, parseHop)
	}
	return walk(r.Header["Forwarded"], addr, trusted, parseForwarded)
}

// walk goes through a forwarded chain from the right.
func walk(values []string, addr netip.Addr, trusted []netip.Prefix, parse func(string) (netip.Addr, bool)) netip.Addr {
	for i := len(values) - 1; i >= 0; i-- {
		rest := values[i]
		for rest != "" {
			var hop string
			if comma := strings.LastIndexByte(rest, ','); comma >= 0 {
				rest, hop = rest[:comma], rest[comma+1:]
			} else {
				rest, hop = "", rest
			}
			next, ok := parse(strings.Trim(hop, " \t"))
			if !ok {
				return addr
			}
			if addr = next; !contains(trusted, addr) {
				return addr
			}
		}
	}
	return addr
}

// parseHop reads an address, which may have a port.
func parseHop(s string) (netip.Addr, bool) {
	if strings.HasPrefix(s, "[") || strings.Count(s, ":") == 1 {
		if ap, err := netip.ParseAddrPort(s); err == nil {
			return ap.Addr().Unmap(), true
		}
		s = strings.Trim(s, "[]")
	}
	a, err := netip.ParseAddr(s)
	return a.Unmap(), err == nil && a.Zone() == ""
}

// parseForwarded reads an element of Forwarded: for="[2001:db8::1]:80";proto=https. Obfuscated names end the walk, as
// unknown does.
func parseForwarded(s string) (netip.Addr, bool) {
	for part := range strings.SplitSeq(s, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if strings.EqualFold(name, "for") {
			return parseHop(strings.Trim(value, `"`))
		}
	}
	return netip.Addr{}, false
}

func contains(prefixes []netip.Prefix, a netip.Addr) bool {
	for i := range prefixes {
		if prefixes[i].Contains(a) {
			return true
		}
	}
	return false
}

// network is what an address is limited by: itself, or its /64 if it is one of IPv6, of which anybody has very many.
func network(a netip.Addr) (b [16]byte) {
	b = a.As16()
	if a.Is6() && !a.Is4In6() {
		clear(b[8:])
	}
	return b
}

// cookie finds a cookie in a Cookie header.
func cookie(header, name string) (string, bool) {
	for header != "" {
		var part string
		part, header, _ = strings.Cut(header, ";")
		part = strings.TrimLeft(part, " ")
		if len(part) > len(name) && part[len(name)] == '=' && part[:len(name)] == name {
			return part[len(name)+1:], true
		}
	}
	return "", false
}
