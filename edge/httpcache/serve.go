package httpcache

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// serve answers r with e: whole, a range of it, or that the client has it already.
func (h *handler) serve(w http.ResponseWriter, r *http.Request, e *entry, now int64, o outcome) {
	out := w.Header()
	not := e.status/100 == 2 && notModified(r.Header, e)
	for name, values := range e.header {
		if !not || in304(name) {
			out[name] = slices.Clip(values)
		}
	}
	out["Age"] = []string{strconv.FormatInt(e.age(now), 10)}
	out.Add("Cache-Status", o.field(h.o.Name))
	if not {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	status, body := e.status, e.body
	if rng := r.Header.Get("Range"); rng != "" && status == http.StatusOK && r.Method == http.MethodGet && ifRange(r.Header, e) {
		status, body = partial(out, rng, body)
	}
	if bodyAllowed(status) {
		out["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead && bodyAllowed(status) {
		h.counts.hitBytes.Add(int64(len(body)))
		_, _ = w.Write(body)
	}
}

// notModified evaluates If-None-Match, or else If-Modified-Since (RFC 9110, section 13.2.2).
func notModified(req http.Header, e *entry) bool {
	if lines := req["If-None-Match"]; len(lines) > 0 {
		for _, line := range lines {
			if matchesTag(line, e.etag) {
				return true
			}
		}
		return false
	}
	if line := req.Get("If-Modified-Since"); line != "" {
		since, ok := parseDate(line, time.Unix(0, e.born))
		return ok && !e.modified.IsZero() && !e.modified.After(since)
	}
	return false
}

// matchesTag compares weakly.
func matchesTag(line, etag string) bool {
	if strings.Trim(line, " \t") == "*" {
		return true
	}
	if etag == "" {
		return false
	}
	etag = strings.TrimPrefix(etag, "W/")
	for len(line) > 0 {
		member := line
		if i := tagEnd(line); i < len(line) {
			member, line = line[:i], line[i+1:]
		} else {
			line = ""
		}
		if strings.TrimPrefix(strings.Trim(member, " \t"), "W/") == etag {
			return true
		}
	}
	return false
}

// tagEnd is like listEnd, but in entity tags a backslash escapes nothing.
func tagEnd(s string) int {
	inside := false
	for i := range len(s) {
		if s[i] == '"' {
			inside = !inside
		} else if s[i] == ',' && !inside {
			return i
		}
	}
	return len(s)
}

// ifRange says whether the client's part still belongs to e: by a strong tag, or the exact date.
func ifRange(req http.Header, e *entry) bool {
	v := req.Get("If-Range")
	if v == "" {
		return true
	}
	if strings.Contains(v, `"`) {
		return v == e.etag && !strings.HasPrefix(v, "W/")
	}
	return v == e.header.Get("Last-Modified")
}

// partial is the answer to a request for a range: the part, the whole when the range is not understood or is several,
// or 416.
func partial(out http.Header, rng string, body []byte) (int, []byte) {
	first, last, ok, sense := parseRange(rng, int64(len(body)))
	switch {
	case !sense:
		return http.StatusOK, body
	case !ok:
		out["Content-Range"] = []string{"bytes */" + strconv.Itoa(len(body))}
		for _, name := range []string{"Content-Type", "Content-Encoding", "Etag", "Last-Modified"} {
			delete(out, name)
		}
		return http.StatusRequestedRangeNotSatisfiable, nil
	}
	out["Content-Range"] = []string{"bytes " + strconv.FormatInt(first, 10) + "-" + strconv.FormatInt(last, 10) + "/" + strconv.Itoa(len(body))}
	return http.StatusPartialContent, body[first : last+1]
}

// parseRange reads bytes=first-last, bytes=first- or bytes=-suffix against a size. sense is false when it should be
// ignored, ok is false when nothing of it exists.
func parseRange(s string, size int64) (first, last int64, ok, sense bool) {
	unit, spec, found := strings.Cut(s, "=")
	from, to, dash := strings.Cut(strings.Trim(spec, " \t"), "-")
	if !found || !dash || !strings.EqualFold(unit, "bytes") || from == "" && to == "" {
		return 0, 0, false, false
	}
	a, okA := digits(from)
	b, okB := digits(to)
	switch {
	case !okA || !okB || from != "" && to != "" && b < a:
		return 0, 0, false, false
	case from == "":
		return max(size-b, 0), size - 1, b > 0 && size > 0, true
	case to == "" || b >= size:
		b = size - 1
	}
	return a, b, a < size, true
}

// digits reads up to 18 digits; none are 0.
func digits(s string) (n int64, ok bool) {
	if len(s) > 18 {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n, true
}
