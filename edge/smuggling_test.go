package edge

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A request hidden in another one's body reaches nobody as a request, whichever of two readings a sender hoped for; and
// what the edge passes on can be read in one way only.
func TestSmuggling(t *testing.T) {
	t.Parallel()
	const hidden = "GET /hidden HTTP/1.1\r\nHost: x\r\nX-A: b\r\n\r\n"
	size := func(s string) string { return fmt.Sprint(len(s)) }
	for name, text := range map[string]string{
		"length, then chunks":              "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: " + size("0\r\n\r\n"+hidden) + "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
		"chunks, then length":              "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(hidden), hidden),
		"chunked with a tab":               "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: " + size(hidden) + "\r\nTransfer-Encoding:\tchunked\r\n\r\n" + hidden,
		"chunked with a space before":      "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: " + size(hidden) + "\r\nTransfer-Encoding : chunked\r\n\r\n" + hidden,
		"chunked in a folded line":         "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: " + size(hidden) + "\r\nX-A: b\r\n Transfer-Encoding: chunked\r\n\r\n" + hidden,
		"chunked after a bare line feed":   "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: " + size(hidden) + "\r\nX-A: b\nTransfer-Encoding: chunked\r\n\r\n" + hidden,
		"chunked after a bare return":      "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: " + size(hidden) + "\r\nX-A: b\rTransfer-Encoding: chunked\r\n\r\n" + hidden,
		"some other coding":                "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: " + size(hidden) + "\r\nTransfer-Encoding: xchunked\r\n\r\n" + hidden,
		"chunked twice":                    "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\nContent-Length: " + size(hidden) + "\r\n\r\n" + hidden,
		"two lengths":                      "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: " + size(hidden) + "\r\n\r\n" + hidden,
		"two lengths in a line":            "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0, " + size(hidden) + "\r\n\r\n" + hidden,
		"length with a sign":               "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: +" + size(hidden) + "\r\n\r\n" + hidden,
		"length of nonsense":               "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0x1\r\n\r\n" + hidden,
		"body of a GET":                    "GET /a HTTP/1.1\r\nHost: x\r\nContent-Length: " + size(hidden) + "\r\n\r\n" + hidden,
		"body of a GET that is kept":       "GET /p HTTP/1.1\r\nHost: x\r\nContent-Length: " + size(hidden) + "\r\n\r\n" + hidden,
		"body of a HEAD":                   "HEAD /p HTTP/1.1\r\nHost: x\r\nContent-Length: " + size(hidden) + "\r\n\r\n" + hidden,
		"body after a hit":                 "GET /p HTTP/1.1\r\nHost: x\r\n\r\nPOST /a HTTP/1.1\r\nHost: x\r\nContent-Length: " + size(hidden) + "\r\n\r\n" + hidden,
		"chunks with bare line feeds":      "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n" + hidden,
		"chunk of a wrong size":            "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n" + hidden,
		"chunk of a size that overflows":   "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000003\r\nabc\r\n0\r\n\r\n" + hidden,
		"a line that ends the head early":  "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: " + size(hidden) + "\r\n\n\r\n" + hidden,
		"line break in the target":         "GET /a%0d%0aX:%20y HTTP/1.1\r\nHost: x\r\n\r\n",
		"address of another host":          "GET http://y/a HTTP/1.1\r\nHost: x\r\n\r\n",
		"trailer that is a header":         "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n3\r\nabc\r\n0\r\nContent-Length: " + size(hidden) + "\r\n\r\n",
		"protocol switch that is not one":  "GET /p HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\nContent-Length: " + size(hidden) + "\r\n\r\n" + hidden,
		"preface of HTTP/2 after requests": "GET /p HTTP/1.1\r\nHost: x\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + hidden,
	} {
		for way, o := range map[string]Options{"fast": {}, "net/http": {SlowOnly: true}} {
			t.Run(name+"/"+way, func(t *testing.T) {
				t.Parallel()
				a := tcpBackend(t, "a")
				var mu sync.Mutex
				var seen []string
				a.handle(func(w http.ResponseWriter, r *http.Request) {
					_, err := io.Copy(io.Discard, r.Body)
					mu.Lock()
					defer mu.Unlock()
					seen = append(seen, r.Method+" "+r.RequestURI+" of "+r.Host)
					if len(r.TransferEncoding) > 0 && len(r.Header["Content-Length"]) > 0 || len(r.Header["X-A"]) > 1 || err != nil && r.URL.Path != "/a" {
						t.Errorf("%v %v", r.Header, err)
					}
					product(w, r)
				})
				o.StallTimeout, o.HeaderTimeout, o.IdleTimeout = 200*time.Millisecond, 200*time.Millisecond, 200*time.Millisecond
				s := start(t, cached(o), a)
				raw(t, s, "GET /p HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") // from now on it is a hit
				got := raw(t, s, text)
				mu.Lock()
				defer mu.Unlock()
				for _, r := range seen[1:] {
					if !slices.Contains([]string{"POST /a of x", "GET /a of x", "GET /p of x", "HEAD /p of x", "GET /a%0d%0aX:%20y of x", "GET /a of y"}, r) {
						t.Errorf("the origin was asked %q", seen)
					}
				}
				if n := strings.Count(got, "HTTP/1.1 "); n < len(seen)-1 || strings.Contains(got, "product /hidden") {
					t.Errorf("%d answers to %q: %q", n, seen, got)
				}
			})
		}
	}
}
