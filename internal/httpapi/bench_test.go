package httpapi

import (
	"net/http/httptest"
	"testing"
)

func BenchmarkGetProduct(b *testing.B) {
	h, err := New(deps(b, newFake()))
	if err != nil {
		b.Fatal(err)
	}
	for name, coding := range map[string]string{"identity": "", "zstd": "zstd", "br": "br", "gzip": "gzip"} {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequest("GET", "/products/1", nil)
			r.Header.Set("Accept-Encoding", coding)
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(&nullWriter{}, r)
			}
		})
	}
}
