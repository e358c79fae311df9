package httpcache

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// verdict is what may be done with an answer.
type verdict struct {
	store    bool
	why      string // when not stored: a token for Cache-Status
	personal bool   // not stored because it is for one client: the next one needs its own

	lifetime, swr, sie time.Duration
	noCache            bool // ask before each use
	strict             bool // never use it stale
	forAll             bool // may be used for requests with Authorization
	omit               []string
}

// heuristic lists the status codes whose answers may be kept without being told so (RFC 9110, section 15.1).
func heuristic(status int) bool {
	switch status {
	case 200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501:
		return true
	}
	return false
}

// known says whether a status code's own rules about caching are obeyed here.
func known(status int) bool {
	return status >= 200 && status != http.StatusPartialContent && status != http.StatusNotModified && http.StatusText(status) != ""
}

// judge decides about the answer (status, h) to a GET with the headers req, received at now.
func (c *Cache) judge(req http.Header, shared bool, status int, h http.Header, now time.Time) verdict {
	d, targeted := controlOf(h, c.o.Name)
	v := verdict{omit: d.omit, noCache: d.noCache, swr: d.swr.d}
	v.forAll = d.public || d.mustRevalidate || d.sMaxAge.set
	v.strict = d.noCache || d.mustRevalidate || d.proxyRevalidate || d.sMaxAge.set
	if d.mustKnow && known(status) {
		d.noStore = false
	}
	switch {
	case status < 200 || status == http.StatusPartialContent || status == http.StatusNotModified:
		v.why = "status"
	case d.mustKnow && !known(status):
		v.why = "must-understand"
	case d.noStore:
		v.why, v.personal = "no-store", true
	case d.private:
		v.why, v.personal = "private", true
	case len(h["Set-Cookie"]) > 0:
		v.why, v.personal = "set-cookie", true
	case hasVaryStar(h["Vary"]):
		v.why, v.personal = "vary", true
	case strings.HasPrefix(h.Get("Content-Type"), "text/event-stream") || len(h["Trailer"]) > 0:
		v.why, v.personal = "stream", true
	case req.Get("Authorization") != "" && !v.forAll:
		v.why, v.personal = "authorization", true
	case req.Get("Cookie") != "" && !shared && !v.forAll && !targeted && !varies(h["Vary"], "Cookie"):
		v.why, v.personal = "cookie", true
	case parseControl(req["Cache-Control"]).noStore:
		v.why = "request-no-store"
	default:
		c.timing(&v, d, targeted, status, h, now)
	}
	return v
}

// timing fills in for how long, and whether that makes keeping the answer worth it.
func (c *Cache) timing(v *verdict, d directives, targeted bool, status int, h http.Header, now time.Time) {
	explicit := true
	switch {
	case d.sMaxAge.set:
		v.lifetime = d.sMaxAge.d
	case d.maxAge.set:
		v.lifetime = d.maxAge.d
	case !targeted && len(h["Expires"]) > 0:
		v.lifetime = expiresIn(h, now)
	default:
		explicit = false
		v.lifetime = c.guess(d, status, h, now)
	}
	v.sie = c.o.StaleIfError
	if d.sie.set {
		v.sie = d.sie.d
	}
	if v.strict {
		v.swr, v.sie = 0, 0
	}
	validator := h.Get("Etag") != "" || h.Get("Last-Modified") != ""
	switch {
	case !explicit && status >= 400 && v.lifetime <= 0:
		v.why = "no-freshness"
	case !explicit && v.lifetime <= 0 && !validator && !d.noCache:
		v.why, v.personal = "no-freshness", true
	case v.noCache && !validator, v.lifetime <= 0 && !validator && !d.swr.set && !d.sie.set:
		v.why, v.personal = "stale", true
	default:
		v.store = true
	}
}

// expiresIn is Expires minus Date, at most as much as max-age can say; an Expires that is no date is in the past.
func expiresIn(h http.Header, now time.Time) time.Duration {
	if len(h["Expires"]) != 1 {
		return 0
	}
	expires, ok := parseDate(h["Expires"][0], now)
	if !ok {
		return 0
	}
	return min(max(expires.Sub(dateOf(h, now)), 0), maxDelta*time.Second)
}

func dateOf(h http.Header, now time.Time) time.Time {
	if date, ok := parseDate(h.Get("Date"), now); ok {
		return date
	}
	return now.Truncate(time.Second)
}

// guess is the freshness of an answer that says nothing about it.
func (c *Cache) guess(d directives, status int, h http.Header, now time.Time) time.Duration {
	if !heuristic(status) && !d.public || d.noCache {
		return 0
	}
	if modified, ok := parseDate(h.Get("Last-Modified"), now); ok {
		return min(max(dateOf(h, now).Sub(modified)/10, 0), c.o.MaxHeuristic)
	}
	switch status {
	case 404, 405, 410, 414, 501:
		if len(h["Cache-Control"]) == 0 {
			return c.o.Negative
		}
	}
	return 0
}

// initialAge is how old an answer was when it came (RFC 9111, section 4.2.3).
func initialAge(h http.Header, asked, now time.Time) time.Duration {
	apparent := max(now.Sub(dateOf(h, now)), 0)
	said := time.Duration(0)
	if lines := h["Age"]; len(lines) > 0 {
		first, _, _ := strings.Cut(lines[0], ",")
		if n, err := strconv.ParseUint(strings.Trim(first, " \t"), 10, 64); err == nil {
			said = time.Duration(min(n, maxDelta)) * time.Second
		}
	}
	return max(apparent, said+now.Sub(asked))
}
