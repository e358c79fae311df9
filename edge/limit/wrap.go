package limit

import (
	"math"
	"net/http"
	"strconv"
	"time"
)

// Names of the headers, in the form in which net/http keeps them (draft-ietf-httpapi-ratelimit-headers).
const (
	headerLimit  = "Ratelimit"
	headerPolicy = "Ratelimit-Policy"
)

// Wrap refuses requests that are too many with 429, a problem (RFC 9457) and Retry-After; the others reach next, and
// their answers say in RateLimit how many more may come. It belongs outside of everything that costs.
func (l *Limiter) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d := l.Decide(r)
		if d.bucket != nil && (!l.opts.NoHeaders || !d.Admitted) {
			h := w.Header()
			h[headerPolicy] = d.bucket.policy
			h[headerLimit] = d.bucket.header(d.Remaining)
		}
		if d.Admitted {
			next.ServeHTTP(w, r)
			return
		}
		l.say(r, d)
		seconds := max(1, int(math.Ceil(d.Wait.Seconds())))
		if l.opts.Refuse != nil && l.opts.Refuse(w, r, seconds) {
			return
		}
		refuse(w, r, problem{Type: "too-many-requests", Status: http.StatusTooManyRequests, RetryAfter: seconds,
			Detail: "too many requests from your " + d.By + ": wait " + strconv.Itoa(seconds) + " s, then go on more slowly"})
	})
}

// say logs a refusal, one a second: a flood must not become a flood of lines.
func (l *Limiter) say(r *http.Request, d Decision) {
	now, last := int64(time.Since(l.start)), l.said.Load()
	if now-last < int64(time.Second) && last != 0 || !l.said.CompareAndSwap(last, now) {
		return
	}
	l.opts.Log.Warn("requests refused: too many", "request_id", r.Header.Get("X-Request-Id"), "class", d.Class, "by", d.By,
		"client", ClientAddr(r, l.opts.TrustedProxies).String(), "method", r.Method, "path", r.URL.Path)
}
