package httpcache

import (
	"net/http"
	"slices"
	"strings"
)

// A key is scheme, host in lower case, path and query as sent (the query in normal form): https://example.org/a?b=c.

// target is the path and query that a request asks for.
func target(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		return r.RequestURI
	}
	return r.URL.RequestURI()
}

func schemeOf(r *http.Request) string {
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		return "https"
	}
	return "http"
}

// AppendKey appends the key of a request to b. host must be as the client sent it, target start with a slash and hold no
// query that Options.Query would change. It is for those who look up without an http.Request.
func AppendKey[B []byte | string](b []byte, scheme string, host, target B) []byte {
	b = append(b, scheme...)
	b = append(b, "://"...)
	for i := range len(host) {
		c := host[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		b = append(b, c)
	}
	return append(b, target...)
}

func keyOf(scheme, host, target string) string {
	return string(AppendKey(make([]byte, 0, len(scheme)+len(host)+len(target)+3), scheme, host, target))
}

// tracking are parameters that only those who count visits look at.
var tracking = []string{"fbclid", "gclid", "gclsrc", "dclid", "msclkid", "mc_cid", "mc_eid", "igshid", "yclid", "_ga"}

// SortQuery is a value for Options.Query: it orders parameters by name, keeping the order of those with the same name,
// and drops empty ones and those of trackers (utm_…, fbclid, gclid and their like).
func SortQuery(raw string) string {
	if normalQuery(raw) {
		return raw
	}
	params := strings.Split(raw, "&")
	params = slices.DeleteFunc(params, func(p string) bool { return p == "" || isTracking(paramName(p)) })
	slices.SortStableFunc(params, func(a, b string) int { return strings.Compare(paramName(a), paramName(b)) })
	return strings.Join(params, "&")
}

// normalQuery says, without allocating, whether there is nothing to do.
func normalQuery(raw string) bool {
	last := ""
	for rest := raw; rest != ""; {
		p, more, found := strings.Cut(rest, "&")
		name := paramName(p)
		if p == "" || found && more == "" || name < last || isTracking(name) {
			return false
		}
		last, rest = name, more
	}
	return true
}

func paramName(p string) string {
	name, _, _ := strings.Cut(p, "=")
	return name
}

func isTracking(name string) bool {
	return strings.HasPrefix(name, "utm_") || slices.Contains(tracking, name)
}
