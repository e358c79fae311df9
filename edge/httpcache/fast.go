package httpcache

import "strconv"

// Visit is a GET or HEAD as someone sees it who reads the wire himself: no Authorization, no Range, no Cache-Control
// that matters, If-None-Match as its only condition. The strings are only looked at during the call.
type Visit struct {
	Key            []byte // see AppendKey
	AcceptEncoding string
	IfNoneMatch    string // "" none
	Head           bool
	MaxBody        int // a larger body is none of this; 0 means any
	// Lines returns the values of a request header as the Handler would see them, known false when that is not what the wire
	// says; it is asked only for answers that vary by something else than Accept-Encoding.
	Lines func(name string) (values []string, known bool)
}

// AppendFresh appends to b the status line and header of a fresh answer to v, with Age and Cache-Status, without the
// empty line that ends it, and returns the body to be sent after it. It finds no answer when anything is out of the
// ordinary: then the [Cache.Handler] knows what to do. now is in Unix nanoseconds. It does not allocate.
func (c *Cache) AppendFresh(b []byte, v *Visit, now int64) (out, body []byte, status int, ok bool) {
	r := find(c.mem, v.Key)
	if r == nil {
		return b, nil, 0, false
	}
	for _, e := range r.list() {
		if !e.suits(v) {
			continue
		}
		if v.MaxBody > 0 && len(e.body) > v.MaxBody || c.stateOf(e, now) != fresh {
			return b, nil, 0, false
		}
		r.touch()
		c.counts.hits.Add(1)
		status, body = e.status, e.body
		if v.IfNoneMatch != "" && e.status/100 == 2 && matchesTag(v.IfNoneMatch, e.etag) {
			b, body, status = append(b, e.lines304...), nil, 304
		} else {
			b = append(b, e.lines...)
		}
		if v.Head || !bodyAllowed(status) {
			body = nil
		}
		c.counts.hitBytes.Add(int64(len(body)))
		b = append(b, "Age: "...)
		b = strconv.AppendInt(b, e.age(now), 10)
		b = append(b, "\r\nCache-Status: "...)
		b = append(b, c.o.Name...)
		b = append(b, "; hit; ttl="...)
		b = strconv.AppendInt(b, ttl(e, now), 10)
		return append(b, "\r\n"...), body, status, true
	}
	return b, nil, 0, false
}

func (e *entry) suits(v *Visit) bool {
	for i := range e.vary {
		f := &e.vary[i]
		if f.Name == "Accept-Encoding" {
			lines := [1]string{v.AcceptEncoding}
			if encodings(lines[:]) != f.Value {
				return false
			}
		} else if !v.says(f) {
			return false
		}
	}
	return true
}

// says tells whether a header is known to be what an answer was chosen by.
func (v *Visit) says(f *varyField) bool {
	if v.Lines == nil || f.Name == "Cookie" {
		return false
	}
	values, known := v.Lines(f.Name)
	return known && normalValue(f.Name, values) == f.Value
}
