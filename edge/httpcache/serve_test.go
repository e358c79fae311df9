package httpcache

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestAgeAndStatus(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.answer("body", "Cache-Control", "max-age=60", "Age", "30", "Surrogate-Key", "a b", "Connection", "X-Hop", "X-Hop", "1", "X-End", "2")
	if w := b.get("/"); w.Header().Get("Cache-Status") != "c; fwd=uri-miss; fwd-status=200; stored" {
		t.Error(w.Header())
	}
	date := b.clock.now().Format(http.TimeFormat)
	b.clock.add(5 * time.Second)
	h := b.get("/").Header()
	if h.Get("Age") != "35" || h.Get("Cache-Status") != "c; hit; ttl=25" || h.Get("Date") != date || h.Get("X-End") != "2" {
		t.Error(h)
	}
	if h.Get("X-Hop") != "" || h.Get("Surrogate-Key") != "" || h.Get("Connection") != "" {
		t.Errorf("kept what concerns one connection: %v", h)
	}
}

func TestConditionsFromClients(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.answer("body", "Cache-Control", "max-age=60", "Etag", `W/"x,y"`, "Last-Modified", "Fri, 01 May 2026 11:00:00 GMT")
	b.get("/")
	for _, c := range []struct {
		name, value string
		code        int
	}{
		{"If-None-Match", `W/"x,y"`, 304}, {"If-None-Match", `"x,y"`, 304}, {"If-None-Match", `"a", W/"x,y", "b"`, 304}, {"If-None-Match", "*", 304},
		{"If-None-Match", `"x"`, 200}, {"If-None-Match", "", 200},
		{"If-Modified-Since", "Fri, 01 May 2026 11:00:00 GMT", 304}, {"If-Modified-Since", "Friday, 01-May-26 11:30:00 GMT", 304},
		{"If-Modified-Since", "Fri, 01 May 2026 10:59:59 GMT", 200}, {"If-Modified-Since", "nonsense", 200},
	} {
		w := b.get("/", c.name, c.value)
		if w.Code != c.code || w.Header().Get("Etag") != `W/"x,y"` || (w.Code == 304) != (w.Body.Len() == 0) {
			t.Errorf("%s: %s: %d %v %q", c.name, c.value, w.Code, w.Header(), w.Body)
		}
	}
	if w := b.get("/", "If-None-Match", `"other"`, "If-Modified-Since", "Fri, 01 May 2026 11:30:00 GMT"); w.Code != 200 {
		t.Error("If-Modified-Since went before If-None-Match")
	}
	b.wantAsked(1)
}

func TestHead(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.get("/")
	w := b.do("HEAD", "/")
	if w.Body.Len() != 0 || w.Header().Get("Content-Length") != "4" || w.Header().Get("Age") == "" {
		t.Errorf("%v %q", w.Header(), w.Body)
	}
	b.wantAsked(1)
	b.do("HEAD", "/new")
	b.wantAsked(2)
	b.get("/new") // a HEAD fills nothing
	b.wantAsked(3)
}

func TestRanges(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.answer("0123456789", "Cache-Control", "max-age=60", "Etag", `"x"`)
	b.get("/")
	for spec, want := range map[string]string{
		"bytes=0-1": "206 01 bytes 0-1/10", "bytes=8-": "206 89 bytes 8-9/10", "bytes=-3": "206 789 bytes 7-9/10", "bytes=5-99": "206 56789 bytes 5-9/10",
		"bytes=-99": "206 0123456789 bytes 0-9/10", "bytes=10-": "416  bytes */10", "bytes=-0": "416  bytes */10", "bytes=3-2": "200 0123456789 ",
		"bytes=0-1,3-4": "200 0123456789 ", "lines=1-2": "200 0123456789 ", "bytes=a-b": "200 0123456789 ", "bytes=-": "200 0123456789 ",
	} {
		w := b.get("/", "Range", spec)
		if got := strings.Join([]string{http.StatusText(w.Code), w.Body.String(), w.Header().Get("Content-Range")}, " "); got != http.StatusText(number(want[:3]))+want[3:] {
			t.Errorf("%s: %s", spec, got)
		}
	}
	if w := b.get("/", "Range", "bytes=0-1", "If-Range", `"y"`); w.Code != 200 {
		t.Error("If-Range was ignored")
	}
	if w := b.get("/", "Range", "bytes=0-1", "If-Range", `"x"`); w.Code != 206 {
		t.Error("If-Range did not match")
	}
	b.wantAsked(1)
	b.get("/cold", "Range", "bytes=0-1")
	if b.last.Get("Range") == "" {
		t.Error("a range of something unknown was not passed on")
	}
}

func TestVariants(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{MaxVariants: 3})
	b.handle(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Foo, accept-encoding")
		w.Header().Set("Cache-Control", "max-age=60")
		_, _ = w.Write([]byte(r.Header.Get("Foo") + r.Header.Get("Accept-Encoding")))
	})
	for _, c := range []struct {
		foo, ae, body string
		asked         int64
	}{
		{"1", "gzip", "1gzip", 1}, {"1", "GZIP;q=0.5 , identity", "1gzip", 1}, {"1", "br, gzip", "1br, gzip", 2}, {"1", "gzip,br;q=1", "1br, gzip", 2},
		{"2", "gzip", "2gzip", 3}, {"1", "gzip", "1gzip", 3}, {"3", "gzip", "3gzip", 4}, {"1", "gzip", "1gzip", 5}, // the oldest had to go
	} {
		if w := b.get("/", "Foo", c.foo, "Accept-Encoding", c.ae); w.Body.String() != c.body {
			t.Errorf("%s/%s: %q, want %q", c.foo, c.ae, w.Body, c.body)
		}
		b.wantAsked(c.asked)
	}
	b.get("/")
	b.wantAsked(6) // a header that is missing differs
}

func TestRevalidation(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.answer("body", "Cache-Control", "max-age=10", "Etag", `"x"`, "X-A", "1", "Content-Encoding", "a", "Surrogate-Key", "k")
	b.get("/")
	b.clock.add(20 * time.Second)
	b.answer("other", "Cache-Control", "max-age=100", "Etag", `"x"`, "X-A", "2", "Content-Encoding", "b")
	w := b.get("/", "If-None-Match", `"old"`)
	if w.Code != 200 || w.Body.String() != "body" || w.Header().Get("X-A") != "2" || w.Header().Get("Content-Encoding") != "a" || b.last.Get("If-None-Match") != `"x"` {
		t.Errorf("%d %q %v", w.Code, w.Body, w.Header())
	}
	if got := w.Header().Get("Cache-Status"); got != "c; fwd=stale; fwd-status=304; stored" {
		t.Error(got)
	}
	b.clock.add(50 * time.Second)
	b.get("/")
	b.wantAsked(2)
	b.c.PurgeTags(false, "k") // the key is still attached
	b.get("/")
	b.wantAsked(3)
}

func TestStale(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.answer("old", "Cache-Control", "max-age=10, stale-while-revalidate=20, stale-if-error=100")
	b.get("/")
	b.clock.add(15 * time.Second)
	b.answer("new", "Cache-Control", "max-age=10, stale-if-error=100")
	w := b.get("/")
	if w.Body.String() != "old" || w.Header().Get("Cache-Status") != "c; hit; ttl=-5; detail=stale-while-revalidate" {
		t.Errorf("%q %v", w.Body, w.Header())
	}
	wait(t, "the refresh", func() bool { return b.get("/").Body.String() == "new" })
	b.clock.add(50 * time.Second)
	for _, status := range []int{500, 502, 503, 504} {
		b.status(status, "broken")
		if w := b.get("/"); w.Code != 200 || w.Body.String() != "new" {
			t.Errorf("%d came through: %d %q", status, w.Code, w.Body)
		}
	}
	b.handle(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	if w := b.get("/"); w.Code != 200 || w.Body.String() != "new" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	b.status(404, "gone")
	if w := b.get("/"); w.Code != 404 {
		t.Error("404 is no failure of the origin")
	}
	b.status(503, "broken")
	b.clock.add(100 * time.Second)
	if w := b.get("/"); w.Code != 503 {
		t.Errorf("stale beyond its bound: %d", w.Code)
	}
}

// What must be asked about is not used when the origin fails.
func TestStaleForbidden(t *testing.T) {
	t.Parallel()
	for _, cc := range []string{"max-age=2, must-revalidate", "max-age=2, proxy-revalidate", "s-maxage=2", "max-age=2, no-cache", "max-age=2, stale-if-error=60, must-revalidate"} {
		b := setup(t, Options{})
		b.answer("body", "Cache-Control", cc, "Etag", `"x"`)
		b.get("/")
		b.clock.add(3 * time.Second)
		b.status(503, "broken")
		if w := b.get("/"); w.Code != 503 {
			t.Errorf("%s: %d %s", cc, w.Code, w.Body)
		}
	}
}

func TestBrokenAnswerIsNotKept(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	for _, f := range []http.HandlerFunc{
		func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "max-age=60")
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("short"))
		},
		func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "max-age=60")
			_, _ = w.Write([]byte("short"))
			panic(http.ErrAbortHandler)
		},
	} {
		b.handle(f)
		if w := b.get("/"); w.Code != 502 {
			t.Errorf("%d %q", w.Code, w.Body)
		}
	}
	b.answer("body", "Cache-Control", "max-age=60")
	if w := b.get("/"); w.Body.String() != "body" {
		t.Errorf("%q", w.Body)
	}
}

func TestTooLargeIsPassedOn(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{MaxObject: 1000})
	for _, announce := range []bool{false, true} {
		b.handle(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "max-age=60")
			if announce {
				w.Header().Set("Content-Length", "3000")
			}
			for range 3 {
				_, _ = w.Write(bytes.Repeat([]byte("x"), 1000))
			}
		})
		if w := b.get("/"); w.Body.Len() != 3000 {
			t.Errorf("%d bytes", w.Body.Len())
		}
	}
	b.get("/")
	b.wantAsked(3)
}
