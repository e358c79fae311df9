package edge

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// manifold is an origin with answers of many kinds, by path, that say what it was asked.
func manifold(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h := w.Header()
	h.Set("Content-Type", "text/plain")
	h.Set("Cache-Control", "max-age=600")
	text := r.Method + " " + r.URL.RequestURI() + " " + r.Host + " " + string(body)
	switch r.URL.Path {
	case "/p":
		product(w, r)
		return
	case "/vary":
		h.Set("Vary", "Accept-Encoding, Accept-Language, X-A")
		h.Set("Etag", `"v"`)
		text += r.Header.Get("Accept-Encoding") + r.Header.Get("Accept-Language") + r.Header.Get("X-A")
	case "/cookie":
		h.Set("Vary", "Cookie")
		text += r.Header.Get("Cookie")
	case "/private":
		h.Set("Cache-Control", "private")
	case "/weak":
		h.Set("Etag", `W/"w"`)
		h.Set("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
	case "/missing":
		w.WriteHeader(http.StatusNotFound)
	case "/empty":
		w.WriteHeader(http.StatusNoContent)
		return
	case "/large":
		text = strings.Repeat(text, 1+(largestFast+1000)/len(text))
	}
	_, _ = io.WriteString(w, text)
}

// rawRequest draws a request as bytes, most of them well formed, some not.
func rawRequest(t *rapid.T) string {
	pick := func(label string, from ...string) string { return rapid.SampledFrom(from).Draw(t, label) }
	often := func(usual string, others ...string) string {
		if rapid.IntRange(0, 19).Draw(t, "usual") > 0 {
			return usual
		}
		return pick("other", others...)
	}
	eol := often("\r\n", "\n", "\r\n", " \r\n")
	path := pick("path", "/p", "/vary", "/cookie", "/private", "/weak", "/missing", "/empty", "/large", "/p?b=1&a=2", "/p?a=2&b=1&utm_source=x", "/p?a=%20%2f", "//p", "/p/../weak", "/%70", "/p?x='|<", "/%zz", "*", "http://x/p", "/p#f")
	var b strings.Builder
	b.WriteString(pick("method", "GET", "GET", "GET", "HEAD", "POST", "OPTIONS", often("PUT", "get", "G@T", "TRACE")) + " " + path + " " + often("HTTP/1.1", "HTTP/1.0", "HTTP/1.1 ", "HTTP/2.0", "http/1.1") + eol)
	b.WriteString(often("Host: ", "Host:", "host: ", "Host : ", "HOST:\t") + often("x", "X", "x:80", "[::1]:80", "a b", "x/y", "") + eol)
	for range rapid.IntRange(0, 3).Draw(t, "fields") {
		b.WriteString(often(pick("field", `If-None-Match: "1"`, `If-None-Match: W/"w", "v"`, "If-None-Match: *", "If-Modified-Since: Fri, 02 Jan 2026 00:00:00 GMT", "If-Match: \"1\"", "Range: bytes=0-3", "Range: bytes=-2",
			"Accept-Encoding: gzip, br", "Accept-Encoding: identity;q=0, *", "Accept-Language: de, en;q=0.5", "X-A: 1", "Cookie: sid=1", "Authorization: Bearer x", "Cache-Control: no-store", "Cache-Control: only-if-cached",
			"Cache-Control: no-cache", "Pragma: no-cache", "Connection: keep-alive", "Connection: X-A", "X-Forwarded-For: 9.9.9.9", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil.example", "Forwarded: for=1.2.3.4", "X-Empty:",
			"X-Original-Url: /private", "Surrogate-Key: x", "Stampede-Op: 1", "Host: x", "X-Latin: \xe9"), "X A: 1", " folded", "X-Nul: \x00", "no colon", "Connection: close", "X-B: 1\rX-C: 2", "Upgrade: foo", "Expect: 100-continue", "TE: trailers", "Keep-Alive: 1", "Trailer: X-T") + eol)
	}
	b.WriteString(often("", "Content-Length: 0"+eol, "Content-Length: 3"+eol+eol+"abc", "Content-Length: 3"+eol+"Content-Length: 3"+eol+eol+"abc", "Content-Length: 3, 3"+eol+eol+"abc", "Content-Length: +3"+eol+eol+"abc",
		"Content-Length: 3"+eol+"Content-Length: 4"+eol+eol+"abc", "Transfer-Encoding: chunked"+eol+eol+"3\r\nabc\r\n0\r\n", "Transfer-Encoding: chunked"+eol+"Content-Length: 3"+eol+eol+"0\r\n", "Transfer-Encoding: xchunked"+eol+eol+"0\r\n", "Transfer-Encoding: identity"+eol))
	s := b.String()
	if !strings.HasSuffix(s, "abc") {
		s += eol
	}
	return s
}

// changing is what differs from one answer to the next: freshness left, and ids.
var changing = regexp.MustCompile(`ttl=-?\d+|"request_id":"[^"]*"`)

// conversation sends requests on a connection of its own, in as many pieces as cuts say, and reads what comes back, as far
// as it must be the same for the same requests.
func conversation(addr string, requests []string, cuts []int) (answers []string, err error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	all := strings.Join(requests, "")
	go func() {
		from := 0
		for _, at := range append(slices.Sorted(slices.Values(cuts)), len(all)) {
			if at = min(at, len(all)); at > from {
				if _, err := io.WriteString(c, all[from:at]); err != nil {
					return
				}
				from = at
			}
		}
	}()
	r := bufio.NewReader(c)
	for {
		head := len(answers) < len(requests) && strings.HasPrefix(requests[len(answers)], "HEAD ")
		res, err := http.ReadResponse(r, &http.Request{Method: map[bool]string{true: "HEAD", false: "GET"}[head]})
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			return answers, fmt.Errorf("after %q: %w", answers, err)
		}
		if err != nil {
			return answers, nil // the end of the connection
		}
		body, _ := io.ReadAll(res.Body)
		body = changing.ReplaceAll(body, nil)
		h := res.Header
		for _, name := range []string{"Date", "Age", "Server-Timing", "X-Request-Id"} {
			if len(h[name]) > 0 {
				h[name] = []string{"is there"}
			}
		}
		for i, v := range h["Cache-Status"] {
			h["Cache-Status"][i] = changing.ReplaceAllString(v, "")
		}
		if len(body) > 200 {
			body = fmt.Appendf(body[:200], "… %d", len(body))
		}
		answers = append(answers, fmt.Sprintf("%d %v %q", res.StatusCode, h, body))
	}
}

// The same bytes get the same answers whether requests may be answered straight from the connection or all go through
// net/http: whatever they are, however they are cut, and also when they are none.
func TestBothPathsSayTheSame(t *testing.T) {
	t.Parallel()
	a := tcpBackend(t, "a")
	a.handle(manifold)
	fast, slow := start(t, cached(Options{HealthInterval: time.Hour}), a), start(t, cached(Options{SlowOnly: true, HealthInterval: time.Hour}), a)
	last := "GET /p HTTP/1.1\r\nHost: end\r\nConnection: close\r\n\r\n"
	compared := 0
	rapid.Check(t, func(t *rapid.T) {
		requests := append(rapid.SliceOfN(rapid.Custom(rawRequest), 1, 5).Draw(t, "requests"), last)
		cuts := rapid.SliceOfN(rapid.IntRange(1, 600), 0, 4).Draw(t, "cuts")
		f, err := conversation(fast.addr, requests, cuts)
		if err != nil {
			t.Fatal("fast:", err)
		}
		s, err := conversation(slow.addr, requests, cuts)
		if err != nil {
			t.Fatal("net/http:", err)
		}
		if !slices.Equal(f, s) {
			t.Fatalf("%q\nfast:\n%s\nnet/http:\n%s", requests, strings.Join(f, "\n"), strings.Join(s, "\n"))
		}
		compared += len(f)
	})
	hits := fast.CacheStats().Hits
	t.Logf("%d answers compared, %d hits", compared, hits)
	if hits != slow.CacheStats().Hits || hits == 0 {
		t.Errorf("%d hits on one path, %d on the other", hits, slow.CacheStats().Hits)
	}
}
