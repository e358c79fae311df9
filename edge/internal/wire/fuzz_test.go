package wire

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// agree checks that what Parse accepts net/http reads in the same way: the same end, target, host, headers and body.
func agree(t interface {
	Helper()
	Fatalf(string, ...any)
}, in []byte) {
	t.Helper()
	var h Head
	if Parse(in, &h) != OK {
		return
	}
	src := bytes.NewReader(in)
	br := bufio.NewReaderSize(src, len(in)+16)
	req, err := http.ReadRequest(br)
	if err != nil {
		t.Fatalf("net/http refuses %q: %v", in, err)
	}
	if req.Method != string(h.Method) || req.RequestURI != string(h.Target) || req.Host != string(h.Known[Host]) {
		t.Fatalf("%q: %s %s %s here, %s %s %s there", in, h.Method, h.Target, h.Known[Host], req.Method, req.RequestURI, req.Host)
	}
	if req.ContentLength != h.Body || len(req.TransferEncoding) > 0 || req.Close || !req.ProtoAtLeast(1, 1) {
		t.Fatalf("%q: body of %d here, %d there, %v, close %v", in, h.Body, req.ContentLength, req.TransferEncoding, req.Close)
	}
	if left := br.Buffered() + src.Len(); len(in)-left != h.Size {
		t.Fatalf("%q: the head ends at %d here, %d there", in, h.Size, len(in)-left)
	}
	if _, ok := req.Header["Pragma"]; ok {
		req.Header.Del("Cache-Control") // net/http makes one up from Pragma
	}
	ours := http.Header{}
	for _, f := range h.Fields[:h.N] {
		if !equalFold(f.Name, "host") {
			ours.Add(string(f.Name), string(f.Value))
		}
	}
	if _, ok := ours["Pragma"]; ok {
		ours.Del("Cache-Control")
	}
	for name, values := range req.Header {
		if strings.Join(ours[name], "\n") != strings.Join(values, "\n") {
			t.Fatalf("%q: %s is %q here, %q there", in, name, ours[name], values)
		}
	}
	if len(ours) != len(req.Header) {
		t.Fatalf("%q: %d headers here, %d there", in, len(ours), len(req.Header))
	}
}

var seeds = []string{
	"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"HEAD /p?a=b%20c HTTP/1.1\r\nhost:a:80 \r\nIf-None-Match: \"x\"\r\nX-Y:\t z\r\n\r\nGET /2 HTTP/1.1\r\nHost: b\r\n\r\n",
	"POST /c HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
	"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
	"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
	"GET / HTTP/1.1\nHost: a\n\n",
	"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n",
	"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
	"GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n",
	"GET //a/ HTTP/1.1\r\nHost: b\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nPragma: no-cache\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
	"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}

func FuzzParse(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) { agree(t, in) })
}

// What net/http also takes, but with room for more than one reading, is left to it.
func TestAmbiguityIsForeign(t *testing.T) {
	t.Parallel()
	for _, in := range seeds[3:10] {
		var h Head
		if got := Parse([]byte(in), &h); got != Foreign {
			t.Errorf("%q: %v", in, got)
		}
	}
	var h Head
	for _, in := range []string{"GET / HTTP/1.0\r\nHost: a\r\n\r\n", "get / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
		"GET /\x80 HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
		"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
		"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nX:\n\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n"} {
		if got := Parse([]byte(in), &h); got != Foreign {
			t.Errorf("%q: %v", in, got)
		}
	}
}

// A head in pieces is More until it is whole, then OK: never something else in between.
func TestPiecemeal(t *testing.T) {
	t.Parallel()
	in := seeds[1][:strings.Index(seeds[1], "\r\n\r\n")+4]
	var h Head
	for i := 1; i < len(in); i++ {
		if got := Parse([]byte(in[:i]), &h); got != More {
			t.Fatalf("%q: %v", in[:i], got)
		}
	}
	if Parse([]byte(in), &h) != OK || !h.Plain || string(h.Known[IfNoneMatch]) != `"x"` || h.Lines("x-y")[0] != "z" {
		t.Errorf("%+v", h)
	}
}

// Requests made of parts that are near what is accepted agree with net/http too.
func TestAgreesWithNetHTTP(t *testing.T) {
	t.Parallel()
	part := func(t *rapid.T, label string, from ...string) string { return rapid.SampledFrom(from).Draw(t, label) }
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		b.WriteString(part(t, "method", "GET", "HEAD", "POST", "PUT", "G ET", "get", "M-SEARCH"))
		b.WriteString(part(t, "space", " ", " ", " ", "  ", "\t"))
		b.WriteString(part(t, "target", "/", "/a?b=c", "/%41", "/%4", "*", "//x", "/a b", "/a#b", "http://h/", "/?%", "/;,@!$'()*:"))
		b.WriteString(part(t, "version", " HTTP/1.1", " HTTP/1.1", " HTTP/1.1", " HTTP/1.0", " HTTP/2.0", " HTTP/1.1 "))
		for range rapid.IntRange(0, 6).Draw(t, "fields") {
			b.WriteString(part(t, "eol", "\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r"))
			b.WriteString(part(t, "name", "Host", "host", "Content-Length", "Transfer-Encoding", "X-A", "X A", " X", "Connection", "Cookie", "Range", "Pragma", "Trailer", "Age\x00"))
			b.WriteString(part(t, "colon", ":", ": ", ": ", " : ", ":\t", ""))
			b.WriteString(part(t, "value", "a", "a.b:80", "3", "03", "0", "-1", "chunked", "close", "keep-alive", "x, y", "", " v ", "\x80", "\x01"))
		}
		b.WriteString(part(t, "end", "\r\n\r\n", "\r\n\r\n", "\n\n", "\r\n\n", "\r\n"))
		b.WriteString(part(t, "rest", "", "abc", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
		agree(t, []byte(b.String()))
	})
}

func BenchmarkParse(b *testing.B) {
	in := []byte("GET /products/123?fields=id,name HTTP/1.1\r\nHost: shop.example.org\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n" +
		"Accept: application/json\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nCookie: sid=0123456789abcdef\r\n\r\n")
	var h Head
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		if Parse(in, &h) != OK {
			b.Fatal("not parsed")
		}
	}
}
