package postgres

import (
	"math"
	"testing"

	"github.com/stampede-shop/stampede/internal/shop"
)

func TestCursorRoundTrip(t *testing.T) {
	t.Parallel()
	for sort, o := range listOrders {
		for _, k := range []listKey{{0, 0}, {math.MaxInt64 >> 11, math.MaxInt64}, {math.Float64bits(4.7), 12}} {
			got, err := decodeCursor(o, encodeCursor(o, k))
			if err != nil || got != k {
				t.Errorf("%s: %v → %v, %v", sort, k, got, err)
			}
		}
		for other, p := range listOrders {
			if _, err := decodeCursor(p, encodeCursor(o, listKey{1, 2})); (err == nil) != (sort == other) {
				t.Errorf("cursor of %s for %s: %v", sort, other, err)
			}
		}
	}
}

func FuzzCursor(f *testing.F) {
	f.Add("")
	f.Add(encodeCursor(listOrders[shop.SortPopular], listKey{1, 2}))
	f.Add("AQEAAAAAAAAAAQAAAAAAAAAC")
	f.Fuzz(func(t *testing.T, s string) {
		for _, o := range listOrders {
			k, err := decodeCursor(o, s)
			if err != nil {
				var e *shop.Error
				if e, _ = err.(*shop.Error); e == nil || e.Code != shop.CodeInvalid || e.Fields[0].Field != "cursor" {
					t.Fatalf("%q: %v", s, err)
				}
				continue
			}
			if encodeCursor(o, k) != s {
				t.Fatalf("%q is another spelling of a cursor", s)
			}
		}
	})
}
