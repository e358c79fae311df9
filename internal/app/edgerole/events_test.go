package edgerole

import (
	"strings"
	"testing"

	"github.com/stampede-shop/stampede/analytics"
)

func TestWhatIsAsked(t *testing.T) {
	t.Parallel()
	type asked struct {
		kind    analytics.Kind
		product int64
		search  string
	}
	for call, want := range map[string]asked{
		"GET /products/7": {analytics.KindView, 7, ""}, "GET /products/7?fields=id": {analytics.KindView, 7, ""}, "GET /p/12-a-lamp-3": {analytics.KindView, 12, ""}, "GET /p/12": {analytics.KindView, 12, ""},
		"GET /products?q=red+lamp&limit=5": {analytics.KindSearch, 0, "red lamp"}, "GET /search?q=%C3%BC": {analytics.KindSearch, 0, "ü"},
		"GET /products?q=lamp&cursor=x": {}, "GET /products": {}, "GET /products?freq=1": {}, "GET /products?q=%20": {}, "GET /products/facets": {}, "GET /products/7/stock": {}, "POST /products/7": {},
		"GET /": {}, "GET /p/-1": {}, "GET /p/0": {}, "GET /search?q=%zz": {}, "GET /search?q=%ff": {}, "GET /products?q=a%c3": {},
	} {
		method, target, _ := strings.Cut(call, " ")
		kind, product, search := whatIsAsked(method, target)
		if got := (asked{kind, product, search}); got != want {
			t.Errorf("%s: %+v, want %+v", call, got, want)
		}
	}
}
