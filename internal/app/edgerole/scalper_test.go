package edgerole

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/app/config"
)

// Of one client only so many carts get a product; carts that have it, other products and other clients go on.
func TestScalpers(t *testing.T) {
	t.Parallel()
	s, now := newScalpers(3), time.Now()
	for i := range 10 {
		if got := s.admit("a", 7, strconv.Itoa(i), now); got != (i < 3) {
			t.Errorf("cart %d: %v", i, got)
		}
	}
	for _, c := range []struct {
		client  string
		product int64
		cart    string
		after   time.Duration
		want    bool
	}{{"a", 7, "1", 0, true}, {"a", 8, "9", 0, true}, {"b", 7, "9", 0, true}, {"a", 7, "9", scalperSpan / 2, false}, {"a", 7, "9", scalperSpan * 2, false},
		{"c", 1, "x", scalperSpan * 3, true}, {"c", 1, "x", scalperSpan * 4, true}, {"a", 7, "9", scalperSpan * 5, true}} {
		if got := s.admit(c.client, c.product, c.cart, now.Add(c.after)); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
	for i := range 3 * scalperClients {
		s.admit(strconv.Itoa(i), 1, "x", now.Add(6*scalperSpan))
	}
	if n := len(s.young) + len(s.aged); n > 2*scalperClients {
		t.Errorf("%d pairs are kept", n)
	}
}

func TestScalpersAtTheEdge(t *testing.T) {
	t.Parallel()
	n := shopEdge(t, func(http.ResponseWriter, *http.Request) {}, func(c *config.Config) { c.Edge.CartsPerClient = 5 })
	count := map[string]int{}
	for i := range 20 {
		for _, from := range []string{"192.0.2.1:1", "[2001:db8::%d]:1", "127.0.0.1:1"} {
			client := from
			if from[0] == '[' { // one network, many addresses
				client = fmt.Sprintf(from, i+1)
			}
			w := call(n, client, "POST", "/cart/add", `{"product_id":7}`, "Content-Type", "application/json")
			if w.Code == http.StatusOK {
				count[from]++
			} else if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" {
				t.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
			}
		}
	}
	if count["192.0.2.1:1"] != 5 || count["[2001:db8::%d]:1"] != 5 || count["127.0.0.1:1"] != 20 {
		t.Errorf("%v", count)
	}
}
