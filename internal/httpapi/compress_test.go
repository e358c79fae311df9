package httpapi

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

func decoded(t *testing.T, coding string, body []byte) string {
	t.Helper()
	var r io.Reader = bytes.NewReader(body)
	var err error
	switch coding {
	case "gzip":
		r, err = gzip.NewReader(r)
	case "br":
		r = brotli.NewReader(r)
	case "zstd":
		var d *zstd.Decoder
		d, err = zstd.NewReader(r)
		defer d.Close()
		r = d
	}
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("%s: %v", coding, err)
	}
	return string(out)
}

func TestNegotiate(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"": "", "gzip": "gzip", "gzip, deflate, br, zstd": "zstd", "gzip, br": "br", "br;q=0.5, gzip": "gzip", "*": "zstd", "zstd;q=0, *": "br",
		"identity": "", "gzip;q=0": "", "identity;q=1, gzip;q=0.5": "", "GZIP;Q=0.3": "gzip", "x-gzip": "gzip", "gzip;q=nan, br;q=2": "", "deflate": "",
		"gzip;x=1": "", "br ; q=0.9 ,": "br",
	} {
		if got := negotiate(header); got != want {
			t.Errorf("%q: %q, want %q", header, got, want)
		}
	}
}

func TestCodingsOfOneAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	plain := b.do("GET", "/products/1", "")
	tag := plain.Header.Get("ETag")
	if plain.Header.Get("Vary") != "Accept-Encoding" || plain.Header.Get("Content-Encoding") != "" {
		t.Errorf("%v", plain.Header)
	}
	for _, coding := range codings {
		a := b.want(b.do("GET", "/products/1", "", "Accept-Encoding: "+coding), 200, "")
		if a.Header.Get("Content-Encoding") != coding || a.Header.Get("ETag") != withCoding(tag, coding) || a.Header.Get("Vary") != "Accept-Encoding" ||
			a.ContentLength != int64(len(a.body)) || len(a.body) >= len(plain.body) {
			t.Errorf("%s: %v", coding, a.Header)
		}
		if decoded(t, coding, a.body) != string(plain.body) {
			t.Errorf("%s does not decode to the same", coding)
		}
		head := b.do("HEAD", "/products/1", "", "Accept-Encoding: "+coding)
		if head.Header.Get("ETag") != a.Header.Get("ETag") || head.ContentLength != a.ContentLength {
			t.Errorf("HEAD %s: %v", coding, head.Header)
		}
		n := b.want(b.do("GET", "/products/1", "", "Accept-Encoding: "+coding, "If-None-Match: "+a.Header.Get("ETag")), 304, "")
		if n.Header.Get("ETag") != a.Header.Get("ETag") || n.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("304 %s: %v", coding, n.Header)
		}
	}
	if small := b.do("GET", "/products/1?fields=id", "", "Accept-Encoding: gzip"); small.Header.Get("Content-Encoding") != "" || small.Header.Get("Vary") == "" {
		t.Errorf("a small answer: %v", small.Header)
	}
	if p := b.do("GET", "/products/99", "", "Accept-Encoding: gzip"); p.Header.Get("Content-Encoding") != "" {
		t.Errorf("a small problem: %v", p.Header)
	}
}

// wrapped answers through the middleware alone.
func wrapped(h http.HandlerFunc, headers ...string) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/", nil)
	for _, x := range headers {
		name, value, _ := strings.Cut(x, ": ")
		r.Header.Set(name, value)
	}
	Middleware(h, MiddlewareDeps{}).ServeHTTP(rec, r)
	return rec
}

func TestLongAndFlushedAnswersStream(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("a line of a page\n", 100_000)
	rec := wrapped(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		for i := 0; i < len(text); i += 1000 {
			io.WriteString(w, text[i:min(i+1000, len(text))]) //nolint:errcheck
		}
	}, "Accept-Encoding: br")
	if rec.Header().Get("Content-Length") != "" || decoded(t, "br", rec.Body.Bytes()) != text {
		t.Errorf("%v", rec.Header())
	}
	rec = wrapped(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "first")            //nolint:errcheck
		http.NewResponseController(w).Flush() //nolint:errcheck
		io.WriteString(w, "second")           //nolint:errcheck
	}, "Accept-Encoding: gzip")
	if !rec.Flushed || decoded(t, "gzip", rec.Body.Bytes()) != "firstsecond" {
		t.Errorf("%v", rec.Header())
	}
}

func TestWhatIsLeftAlone(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("x", 5000)
	for name, set := range map[string]func(h http.Header){
		"a picture":    func(h http.Header) { h.Set("Content-Type", "image/png") },
		"events":       func(h http.Header) { h.Set("Content-Type", "text/event-stream") },
		"coded before": func(h http.Header) { h.Set("Content-Type", "text/css"); h.Set("Content-Encoding", "br") },
		"no-transform": func(h http.Header) { h.Set("Content-Type", "text/css"); h.Set("Cache-Control", "no-transform") },
	} {
		rec := wrapped(func(w http.ResponseWriter, _ *http.Request) {
			set(w.Header())
			io.WriteString(w, body) //nolint:errcheck
		}, "Accept-Encoding: gzip")
		if rec.Header().Get("Content-Encoding") == "gzip" || rec.Body.String() != body {
			t.Errorf("%s: %v", name, rec.Header())
		}
	}
	serve := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		http.ServeContent(w, r, "a.txt", time.Time{}, strings.NewReader(body))
	}
	rec := wrapped(serve, "Accept-Encoding: gzip", "Range: bytes=0-9")
	if rec.Code != 206 || rec.Body.String() != body[:10] || rec.Header().Get("Content-Encoding") != "" {
		t.Errorf("range: %d %v", rec.Code, rec.Header())
	}
	rec = wrapped(serve, "Accept-Encoding: gzip")
	if rec.Header().Get("ETag") != `"v1-gzip"` || decoded(t, "gzip", rec.Body.Bytes()) != body {
		t.Errorf("file: %v", rec.Header())
	}
	rec = wrapped(serve, "Accept-Encoding: gzip", `If-None-Match: "v1-gzip"`)
	if rec.Code != 304 || rec.Header().Get("ETag") != `"v1-gzip"` {
		t.Errorf("file again: %d %v", rec.Code, rec.Header())
	}
}

func TestNothingWritten(t *testing.T) {
	t.Parallel()
	if rec := wrapped(func(http.ResponseWriter, *http.Request) {}, "Accept-Encoding: gzip"); rec.Code != 200 || rec.Body.Len() != 0 {
		t.Errorf("%d %v", rec.Code, rec.Header())
	}
	rec := wrapped(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(201)
	}, "Accept-Encoding: gzip")
	if rec.Code != 201 || rec.Header().Get("Content-Length") != "0" {
		t.Errorf("%d %v", rec.Code, rec.Header())
	}
}
