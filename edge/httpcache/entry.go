package httpcache

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// entry is one kept answer. It does not change once it is stored, but for the atomics.
type entry struct {
	key     string
	status  int
	header  http.Header // as it is sent, without what each answer gets anew
	body    []byte
	vary    []varyField
	keys    []keyHash // what it can be purged by
	since   uint64    // count of purges when its fetch began
	born    int64     // Unix nanoseconds at which its age was 0
	until   int64     // and until which it is fresh
	swr     int64     // for how long beyond that it may be used while it is refreshed
	sie     int64     // and when the origin fails
	noCache bool
	strict  bool
	forAll  bool

	etag     string
	modified time.Time // Last-Modified, else Date
	lines    []byte    // status line and header on the wire, Content-Length included
	lines304 []byte

	checked  atomic.Uint64 // count of purges up to which it is known not to be purged
	softAt   atomic.Int64  // when it was soft purged
	recheck  atomic.Bool   // ask before the next use
	fetching atomic.Bool   // a background refresh is under way
}

// overhead is what an entry takes in memory beyond header and body, roughly.
const overhead = 700

func (e *entry) size() int64 {
	return int64(len(e.body)+2*len(e.lines)+len(e.lines304)+len(e.key)+8*len(e.keys)) + overhead
}

// state is how an entry may be used.
type state int

const (
	gone    state = iota // not at all
	invalid              // after the origin confirmed it
	stale                // while it is refreshed
	fresh
)

// stateOf says how e may be used now.
func (c *Cache) stateOf(e *entry, now int64) state {
	if n := c.purges.count.Load(); e.checked.Load() != n {
		dead, soft := c.purges.judge(e.since, e.keys)
		if dead {
			return gone
		}
		if soft != 0 {
			e.softAt.CompareAndSwap(0, soft)
		}
		if e.since < c.purges.doubt.Load() {
			e.recheck.Store(true)
		}
		e.checked.Store(n)
	}
	if e.noCache || e.recheck.Load() || c.o.Live != nil && !c.o.Live() {
		return invalid
	}
	until := e.freshUntil()
	switch {
	case now < until:
		return fresh
	case now < until+e.swr:
		return stale
	default:
		return invalid
	}
}

func (e *entry) freshUntil() int64 {
	if soft := e.softAt.Load(); soft != 0 {
		return min(e.until, soft)
	}
	return e.until
}

// bridges says whether e may be used although the origin fails.
func (e *entry) bridges(now int64) bool {
	return !e.strict && !e.noCache && now < e.freshUntil()+e.sie
}

func (e *entry) age(now int64) int64 { return max(now-e.born, 0) / int64(time.Second) }

// matches says whether e was chosen by the same request headers.
func (e *entry) matches(q *question) bool {
	for i := range e.vary {
		f := &e.vary[i]
		lines := q.header[f.Name]
		if f.Name == "Cookie" && q.shared {
			lines = nil
		}
		if normalValue(f.Name, lines) != f.Value {
			return false
		}
	}
	return true
}

// hopByHop are the fields that concern one connection only (RFC 9110, section 7.6.1), and those made anew each time.
var hopByHop = []string{"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authentication-Info", "Proxy-Authorization",
	"Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// cleaned is a copy of h as it is kept.
func (c *Cache) cleaned(h http.Header, omit []string) http.Header {
	out := h.Clone()
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			out.Del(strings.TrimSpace(name))
		}
	}
	for _, list := range [][]string{hopByHop, omit, {"Age", "Content-Length", "Server-Timing", "X-Request-Id", "Surrogate-Control", "Surrogate-Key"}} {
		for _, name := range list {
			out.Del(name)
		}
	}
	for name := range out {
		if strings.HasPrefix(name, "Surrogate-") || strings.HasPrefix(name, http.TrailerPrefix) || c.o.Private != nil && c.o.Private(name) {
			delete(out, name)
		}
	}
	return out
}

// newEntry makes what is kept of an answer that came at now to a question asked at asked.
func (c *Cache) newEntry(q *question, status int, h http.Header, body []byte, v verdict, asked, now time.Time) *entry {
	e := &entry{key: q.key, status: status, header: c.cleaned(h, v.omit), body: body, vary: varyOf(h["Vary"], q), since: q.since,
		swr: int64(v.swr), sie: int64(v.sie), noCache: v.noCache, strict: v.strict, forAll: v.forAll, etag: h.Get("Etag")}
	if len(e.header["Date"]) == 0 {
		e.header["Date"] = []string{now.UTC().Format(http.TimeFormat)}
	}
	e.born = now.Add(-initialAge(h, asked, now)).UnixNano()
	e.until = e.born + int64(v.lifetime)
	e.keys = append(surrogateKeys(h), hashKey(kindKey, q.key), hashKey(kindTarget, q.target))
	e.finish()
	return e
}

// finish fills in what follows from header and body.
func (e *entry) finish() {
	e.modified = time.Time{}
	for _, name := range []string{"Last-Modified", "Date"} {
		if t, ok := parseDate(e.header.Get(name), time.Unix(0, e.born)); ok {
			e.modified = t
			break
		}
	}
	e.lines = appendHead(nil, e.status, e.header, nil)
	if bodyAllowed(e.status) {
		e.lines = append(e.lines, "Content-Length: "...)
		e.lines = strconv.AppendInt(e.lines, int64(len(e.body)), 10)
		e.lines = append(e.lines, "\r\n"...)
	}
	e.lines304 = appendHead(nil, http.StatusNotModified, e.header, in304)
}

func bodyAllowed(status int) bool { return status >= 200 && status != 204 && status != 304 }

// in304 says which fields a 304 repeats (RFC 9110, section 15.4.5).
func in304(name string) bool {
	switch name {
	case "Cache-Control", "Cdn-Cache-Control", "Content-Location", "Date", "Etag", "Expires", "Vary", "Last-Modified":
		return true
	}
	return false
}

// appendHead writes a status line and the fields that keep says, all when it is nil, sorted by name.
func appendHead(b []byte, status int, h http.Header, keep func(string) bool) []byte {
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, ' ')
	b = append(b, http.StatusText(status)...)
	b = append(b, "\r\n"...)
	names := make([]string, 0, len(h))
	for name := range h {
		if keep == nil || keep(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range h[name] {
			b = append(append(b, name...), ": "...)
			b = appendValue(b, value)
			b = append(b, "\r\n"...)
		}
	}
	return b
}

// appendValue writes a field value with line breaks made spaces, as net/http does.
func appendValue(b []byte, v string) []byte {
	for i := range len(v) {
		if c := v[i]; c == '\r' || c == '\n' || c == 0 {
			b = append(b, ' ')
		} else {
			b = append(b, c)
		}
	}
	return b
}

// surrogateKeys reads Surrogate-Key: words separated by spaces.
func surrogateKeys(h http.Header) []keyHash {
	var keys []keyHash
	for _, line := range h["Surrogate-Key"] {
		for word := range strings.FieldsSeq(line) {
			keys = append(keys, hashKey(kindTag, word))
		}
	}
	return keys
}

// freshened is e after the origin said, with the header h of a 304 or of a HEAD, that it still holds.
func (c *Cache) freshened(e *entry, q *question, h http.Header, asked, now time.Time) *entry {
	merged := e.header.Clone()
	for name, values := range c.cleaned(h, nil) {
		switch name {
		case "Content-Encoding", "Content-Length", "Content-Md5", "Content-Range", "Etag", "Cache-Status":
		default:
			merged[name] = values
		}
	}
	judged := merged.Clone() // with the fields that are not kept
	for _, name := range []string{"Surrogate-Control", "Age", "Set-Cookie"} {
		if v, ok := h[name]; ok {
			judged[name] = v
		}
	}
	if len(h["Date"]) == 0 {
		delete(merged, "Date")
		delete(judged, "Date")
	}
	v := c.judge(q.sent, q.shared, e.status, judged, now)
	if !v.store {
		return nil
	}
	n := c.newEntry(&question{key: q.key, target: q.target, since: q.since, sent: q.sent}, e.status, merged, e.body, v, asked, now)
	n.born = now.Add(-initialAge(judged, asked, now)).UnixNano()
	n.until = n.born + int64(v.lifetime)
	n.vary, n.etag = e.vary, e.etag
	n.keys = e.keys
	if len(h["Surrogate-Key"]) > 0 {
		n.keys = append(surrogateKeys(h), hashKey(kindKey, q.key), hashKey(kindTarget, q.target))
	}
	return n
}
