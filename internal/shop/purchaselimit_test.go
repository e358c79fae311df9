package shop

import (
	"encoding/json"
	"testing"
)

func TestPurchaseLimitOfAProduct(t *testing.T) {
	t.Parallel()
	for attributes, want := range map[string]int64{
		``: 5, `{}`: 5, `{"purchase_limit":2}`: 2, `{"purchase_limit":0}`: 0, `{"purchase_limit":"2"}`: 5, `{"purchase_limit":-1}`: 5,
		`{"purchase_limit":null}`: 5, `{"colour":"red","purchase_limit":10}`: 10,
	} {
		if got := PurchaseLimit(Product{Attributes: json.RawMessage(attributes)}, 5); got != want {
			t.Errorf("%s: %d, want %d", attributes, got, want)
		}
	}
}

func TestHeld(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		list string
		ids  []int64
		held bool
	}{{"", []int64{7}, false}, {"7", []int64{7}, true}, {"17,70", []int64{7}, false}, {"1,7", []int64{3, 7}, true}, {"7", nil, false}} {
		if err := Held(c.list, c.ids...); (CodeOf(err) == CodeWaitingRoom) != c.held {
			t.Errorf("%q %v: %v", c.list, c.ids, err)
		}
	}
}
