package httpapi

import (
	"context"
	"net/http/httptest"
	"testing"

	"github.com/stampede-shop/stampede/internal/shop"
)

// keeper is what the cache in front of a catalogue comes to when everything is in memory.
type keeper struct {
	shop.ProductReader
	shop.EncodedReader
	product *shop.EncodedProduct
	page    *shop.EncodedPage
}

func (k *keeper) EncodedProduct(ctx context.Context, id int64) (p *shop.EncodedProduct, err error) {
	if k.product == nil {
		k.product, err = k.EncodedReader.EncodedProduct(ctx, id)
	}
	return k.product, err
}

func (k *keeper) EncodedList(ctx context.Context, q shop.ProductQuery) (p *shop.EncodedPage, err error) {
	if k.page == nil {
		k.page, err = k.EncodedReader.EncodedList(ctx, q)
	}
	return k.page, err
}

// The hot calls of the catalogue, from the middleware to the last byte, without a network.
func benchmarkCall(b *testing.B, path string) {
	f := newFake()
	for ; f.nextID <= 20; f.nextID++ {
		p := f.products[1]
		p.ID = f.nextID
		f.products[p.ID] = p
	}
	d := deps(b, f)
	d.Products = &keeper{EncodedReader: shop.Encoding(f), ProductReader: f}
	h, err := New(d)
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
