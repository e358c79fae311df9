package httpcache

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// What the RFCs say about reuse, one line each: the first answer's headers, and whether a second request after a pause is
// served from the cache. The cases follow the public suite of http-tests/cache-tests.
func TestReuse(t *testing.T) {
	t.Parallel()
	ago := func(d time.Duration) string {
		return time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC).Add(-d).Format(http.TimeFormat)
	}
	const yes, no = true, false
	for name, c := range map[string]struct {
		header string // Name: value|Name: value
		reused bool
	}{
		"nothing said":                     {"", no},
		"max-age":                          {"Cache-Control: max-age=60", yes},
		"max-age=0":                        {"Cache-Control: max-age=0", no},
		"largest max-age":                  {"Cache-Control: max-age=99999999999", yes},
		"negative max-age":                 {"Cache-Control: max-age=-60", no},
		"mixed case":                       {"Cache-Control: MaX-aGe=60", yes},
		"quoted max-age":                   {`Cache-Control: max-age="60"`, yes},
		"single quotes":                    {"Cache-Control: max-age='60'", no},
		"max-age inside a string":          {`Cache-Control: x="max-age=60", max-age=1`, no},
		"max-age inside a string, after":   {`Cache-Control: max-age=1, x="max-age=60"`, no},
		"leading zeros":                    {"Cache-Control: max-age=0060", yes},
		"decimal":                          {"Cache-Control: max-age=60.5", no},
		"space before =":                   {"Cache-Control: max-age =60", no},
		"space after =":                    {"Cache-Control: max-age= 60", no},
		"two, one stale":                   {"Cache-Control: max-age=60, max-age=1", no},
		"Age beyond max-age":               {"Cache-Control: max-age=60|Age: 70", no},
		"Age that is no number is ignored": {"Cache-Control: max-age=60|Age: abc", yes},
		"first Age counts":                 {"Cache-Control: max-age=60|Age: 0, 70", yes},
		"first Age counts, old":            {"Cache-Control: max-age=60|Age: 70, 0", no},
		"past Expires under max-age":       {"Cache-Control: max-age=60|Expires: Thu, 01 Jan 1970 00:00:00 GMT", yes},
		"future Expires under max-age=0":   {"Cache-Control: max-age=0|Expires: +1h", no},
		"s-maxage":                         {"Cache-Control: s-maxage=60", yes},
		"short s-maxage":                   {"Cache-Control: s-maxage=1, max-age=60", no},
		"long s-maxage":                    {"Cache-Control: s-maxage=60, max-age=0", yes},
		"Expires":                          {"Expires: +60s", yes},
		"past Expires":                     {"Expires: Thu, 01 Jan 1970 00:00:00 GMT", no},
		"invalid Expires":                  {"Expires: 0|Last-Modified: " + ago(100*time.Hour), no},
		"two Expires":                      {"Expires: +60s|Expires: +60s", no},
		"RFC 850 Expires":                  {"Expires: Thursday, 18-Aug-50 02:01:18 GMT", yes},
		"asctime Expires":                  {"Expires: Thu Aug  8 02:01:18 2050", yes},
		"Expires far in the future":        {"Expires: Sun, 21 Nov 2286 04:46:39 GMT", yes},
		"Expires in the last year":         {"Expires: Fri, 31 Dec 9999 23:59:59 GMT", yes},
		"other zone":                       {"Expires: Thu, 18 Aug 2050 02:01:18 UTC", no},
		"one digit hour":                   {"Expires: Thu, 18 Aug 2050 2:01:18 GMT", no},
		"no-store":                         {"Cache-Control: no-store, max-age=60", no},
		"No-Store":                         {"Cache-Control: No-StOrE, max-age=60", no},
		"private":                          {"Cache-Control: private, max-age=60", no},
		"private field":                    {`Cache-Control: private="x-a", max-age=60`, yes},
		"no-cache":                         {"Cache-Control: no-cache, max-age=60", no},
		"no-cache field":                   {`Cache-Control: no-cache="x-a", max-age=60`, yes},
		"must-revalidate":                  {"Cache-Control: max-age=60, must-revalidate", yes},
		"Set-Cookie":                       {"Cache-Control: max-age=60|Set-Cookie: a=b", no},
		"Vary *":                           {"Cache-Control: max-age=60|Vary: *", no},
		"Vary a, *":                        {"Cache-Control: max-age=60|Vary: Foo, *", no},
		"heuristic":                        {"Last-Modified: " + ago(1000*time.Second), yes},
		"heuristic, too recent":            {"Last-Modified: " + ago(10*time.Second), no},
		"Surrogate-Control":                {"Surrogate-Control: max-age=60", yes},
		"Surrogate-Control for us":         {"Surrogate-Control: max-age=60;c|Cache-Control: no-store", yes},
		"Surrogate-Control for another":    {"Surrogate-Control: max-age=60;d|Cache-Control: max-age=1", no},
		"short Surrogate-Control":          {"Surrogate-Control: max-age=1|Cache-Control: max-age=60", no},
		"Surrogate-Control no-store":       {"Surrogate-Control: no-store|Cache-Control: max-age=60", no},
		"CDN-Cache-Control":                {"CDN-Cache-Control: max-age=60|Cache-Control: no-store", yes},
		"CDN-Cache-Control private":        {"CDN-Cache-Control: private|Cache-Control: max-age=60", no},
		"malformed CDN-Cache-Control":      {"CDN-Cache-Control: max-age=60, &&&|Cache-Control: no-store", no},
		"CDN-Cache-Control of wrong type":  {`CDN-Cache-Control: max-age="60"|Cache-Control: no-store`, no},
		"event stream":                     {"Cache-Control: max-age=60|Content-Type: text/event-stream", no},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, Options{})
			var header []string
			for line := range strings.SplitSeq(c.header, "|") {
				if name, value, ok := strings.Cut(line, ": "); ok {
					header = append(header, name, value)
				}
			}
			b.answer("body", header...)
			b.get("/")
			b.clock.add(3 * time.Second)
			w := b.get("/")
			if reused := b.asked.Load() == 1; reused != c.reused {
				t.Errorf("reused: %v, %s", reused, w.Header().Get("Cache-Status"))
			}
			if w.Body.String() != "body" {
				t.Errorf("body %q", w.Body)
			}
		})
	}
}

// Which status codes are kept with, and without, being told so.
func TestStatusCodes(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 203, 204, 299, 301, 302, 303, 307, 308, 400, 404, 410, 499, 500, 502, 503, 504, 599} {
		b := setup(t, Options{})
		b.status(status, "", "Cache-Control", "max-age=60")
		b.get("/")
		if w := b.get("/"); w.Code != status {
			t.Errorf("%d became %d", status, w.Code)
		}
		b.wantAsked(1)
		b.status(status, "", "Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
		b.get("/h")
		b.get("/h")
		if got := b.asked.Load() == 2; got != heuristic(status) {
			t.Errorf("%d guessed: %v", status, got)
		}
	}
	b := setup(t, Options{})
	b.status(599, "", "Cache-Control", "max-age=60, must-understand")
	b.get("/")
	b.get("/")
	b.wantAsked(2)
}

func TestNegative(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Negative: 5 * time.Second})
	b.status(404, "none")
	b.get("/")
	if w := b.get("/"); w.Code != 404 || w.Body.String() != "none" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	b.wantAsked(1)
	b.clock.add(6 * time.Second)
	b.get("/")
	b.wantAsked(2)
}

// An answer to somebody known is kept only when it says that it is for all, and then the rest may have it.
func TestCredentials(t *testing.T) {
	t.Parallel()
	for cc, kept := range map[string]bool{"max-age=60": false, "max-age=60, public": true, "s-maxage=60": true, "max-age=60, must-revalidate": true} {
		for _, name := range []string{"Authorization", "Cookie"} {
			b := setup(t, Options{})
			b.answer("body", "Cache-Control", cc)
			b.get("/", name, "secret")
			if b.last.Get(name) != "secret" {
				t.Errorf("%s was not passed on", name)
			}
			b.get("/")
			if got := b.asked.Load() == 1; got != kept {
				t.Errorf("%s with %s kept: %v", cc, name, got)
			}
		}
	}
	b := setup(t, Options{})
	b.get("/")
	b.get("/", "Authorization", "secret") // may get another answer
	b.wantAsked(2)
	b.get("/", "Cookie", "a=b")
	b.wantAsked(2)
}

func TestSharedNeedsNoCookie(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Shared: func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/p") }})
	b.answer("body", "Cache-Control", "max-age=60", "Vary", "Cookie")
	b.get("/p", "Cookie", "a=b")
	if b.last.Get("Cookie") != "" {
		t.Error("a cookie reached the origin")
	}
	b.get("/p", "Cookie", "c=d")
	b.get("/p")
	b.wantAsked(1)
}

func TestRequestDirectives(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	if w := b.get("/", "Cache-Control", "only-if-cached"); w.Code != 504 {
		t.Errorf("%d", w.Code)
	}
	b.wantAsked(0)
	b.get("/ns", "Cache-Control", "no-store")
	b.get("/ns")
	b.wantAsked(2)
	b.get("/ns", "Cache-Control", "no-cache")
	b.wantAsked(2)
	b = setup(t, Options{HonorClient: true})
	b.get("/")
	b.clock.add(5 * time.Second)
	for i, cc := range []string{"no-cache", "max-age=0", "min-fresh=100"} {
		b.get("/", "Cache-Control", cc)
		b.wantAsked(int64(i + 2))
		b.clock.add(5 * time.Second)
	}
	b.clock.add(time.Minute)
	b.get("/", "Cache-Control", "max-stale=100")
	wait(t, "the refresh behind it", func() bool { return b.asked.Load() == 5 })
}
