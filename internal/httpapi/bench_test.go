package httpapi

import (
	"net/http/httptest"
	"testing"
)

// The hot calls of the catalogue, from the middleware to the last byte, without a network.
func benchmarkCall(b *testing.B, path string) {
	f := newFake()
	for ; f.nextID <= 20; f.nextID++ {
		p := f.products[1]
		p.ID = f.nextID
		f.products[p.ID] = p
	}
	h, err := New(deps(b, f))
	if err != nil {
		b.Fatal(err)
	}
	for _, coding := range []string{"identity", "zstd", "br", "gzip"} {
		b.Run(coding, func(b *testing.B) {
			r := httptest.NewRequest("GET", path, nil)
			r.Header.Set("Accept-Encoding", coding)
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(&nullWriter{}, r)
			}
		})
	}
}

func BenchmarkGetProduct(b *testing.B) { benchmarkCall(b, "/products/1") }

func BenchmarkGetProductFields(b *testing.B) { benchmarkCall(b, "/products/1?fields=id,name,price") }

func BenchmarkListProducts(b *testing.B) { benchmarkCall(b, "/products?limit=20") }
