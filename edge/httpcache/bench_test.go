package httpcache

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func benchCache(b *testing.B) (*Cache, http.Handler) {
	c, err := New(Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	page := []byte(strings.Repeat("x", 1024))
	h := c.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=3600")
		w.Header().Set("Surrogate-Key", "p:1 lists")
		_, _ = w.Write(page)
	}))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	return c, h
}

func BenchmarkFast(b *testing.B) {
	c, _ := benchCache(b)
	v, out, now := visit("/", "gzip", ""), make([]byte, 0, 4096), time.Now().UnixNano()
	b.ReportAllocs()
	for b.Loop() {
		if _, _, _, ok := c.AppendFresh(out, v, now); !ok {
			b.Fatal("not served")
		}
	}
}

func BenchmarkHandlerHit(b *testing.B) {
	_, h := benchCache(b)
	r := httptest.NewRequest("GET", "/", nil)
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
}

func BenchmarkPurge(b *testing.B) {
	c, _ := benchCache(b)
	b.ReportAllocs()
	for b.Loop() {
		c.PurgeTags(false, "p:1")
	}
}
