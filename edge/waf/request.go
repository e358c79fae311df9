package waf

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

type pair struct{ name, value string }

// request is what is inspected of a request, taken apart: an envelope, in which everything that cannot be an attack
// or is inspected apart has become a placeholder, and the values so taken out.
type request struct {
	method, proto, client, host string
	uri                         string // as it will be sent on
	headers                     []pair // tokens replaced; in a fixed order
	json                        bool   // fields are those of a JSON body
	fields                      []pair // of a JSON body or text, repetitions left out
	body                        []byte // of a form or anything else that the engine parses itself
	repeated                    []pair // form fields whose name comes more than once

	cleanURI     string
	slugged      bool // the slug at the end of uri, which has no query, is not in cleanURI
	cleanHeaders []pair
	cleanBody    []byte
	apart        []string // values to be inspected on their own
	coded        bool     // some of these are written otherwise than they read: rules on the raw text are not covered by them
	textBytes    int
}

// newRequest takes r apart; its body comes later.
func newRequest(r *http.Request, tokenCookies []string) *request {
	q := &request{method: r.Method, proto: r.Proto, client: clientOf(r), host: r.Host, uri: r.URL.RequestURI()}
	path, query, _ := strings.Cut(q.uri, "?")
	if q.cleanURI = normalPath(path); path == q.uri {
		q.cleanURI, q.slugged = withoutSlug(q.cleanURI)
	}
	if query != "" {
		q.cleanURI += "?" + q.cleanForm(query)
	}
	q.addHeaders(r, tokenCookies)
	return q
}

func clientOf(r *http.Request) string {
	if f := r.Header.Get("X-Forwarded-For"); f != "" { // the edge drops what it does not believe
		first, _, _ := strings.Cut(f, ",")
		if net.ParseIP(strings.TrimSpace(first)) != nil {
			return strings.TrimSpace(first)
		}
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// addHeaders copies the headers in the order of their names. A name that comes twice is copied for each: the engine's
// cache of transformed values tells values apart by where their name lies in memory.
func (q *request) addHeaders(r *http.Request, tokenCookies []string) {
	names := make([]string, 0, len(r.Header))
	for name := range r.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for i, v := range r.Header[name] {
			key := name
			if i > 0 {
				key = strings.Clone(name)
			}
			if name == "Cookie" {
				q.addCookies(key, v, tokenCookies)
				continue
			}
			v = normalHeader(name, v)
			q.headers = append(q.headers, pair{key, v})
			q.cleanHeaders = append(q.cleanHeaders, pair{key, v})
		}
	}
	if r.Host != "" {
		q.setHeader("Host", r.Host)
	}
	for _, te := range r.TransferEncoding { // net/http took it out of the headers
		q.setHeader("Transfer-Encoding", te)
	}
}

// addCookies adds a Cookie header, one for each cookie if a name comes twice.
func (q *request) addCookies(key, header string, tokens []string) {
	full := normalCookies(header, tokens, func(string) bool { return false })
	clean := normalCookies(header, tokens, func(v string) bool {
		if harmless(v) {
			return true
		}
		if !isASCII(v) || !isPlain(v) {
			return false
		}
		q.setApart(v)
		return true
	})
	if !repeats(full) {
		q.headers = append(q.headers, pair{key, full})
		q.cleanHeaders = append(q.cleanHeaders, pair{key, clean})
		return
	}
	for one := range strings.SplitSeq(full, ";") {
		q.headers = append(q.headers, pair{strings.Clone(key), one})
	}
	for one := range strings.SplitSeq(clean, ";") {
		q.cleanHeaders = append(q.cleanHeaders, pair{strings.Clone(key), one})
	}
}

func repeats(cookies string) bool {
	parts := strings.Split(cookies, ";")
	for i, part := range parts {
		name, _, _ := strings.Cut(part, "=")
		for _, other := range parts[:i] {
			o, _, _ := strings.Cut(other, "=")
			if strings.EqualFold(strings.TrimSpace(o), strings.TrimSpace(name)) {
				return true
			}
		}
	}
	return false
}

// setApart takes a value for inspection on its own.
func (q *request) setApart(v string) {
	q.apart = append(q.apart, v)
	q.textBytes += len(v)
}

// cleanForm replaces values in name=value&… . What is plain and plainly written has nothing in it for rules that look at the
// raw text, unless it has a colon: 931110 looks for name=http://.
func (q *request) cleanForm(raw string) string {
	parts := strings.Split(raw, "&")
	for i, part := range parts {
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			continue
		}
		if !harmless(value) {
			decoded, err := url.QueryUnescape(value)
			if err != nil {
				continue // stays where it is
			}
			q.setApart(decoded)
			q.coded = q.coded || !isASCII(decoded) || !isPlain(decoded) || strings.Contains(decoded, ":") || !plainlyWritten(value)
		}
		parts[i] = name + "=" + placeholder
	}
	return strings.Join(parts, "&")
}

// plainlyWritten tells a value in which nothing but a space or comma is encoded.
func plainlyWritten(raw string) bool {
	for {
		_, after, found := strings.Cut(raw, "%")
		if !found {
			return true
		}
		if len(after) < 2 || after[:2] != "20" && !strings.EqualFold(after[:2], "2c") {
			return false
		}
		raw = after[2:]
	}
}
