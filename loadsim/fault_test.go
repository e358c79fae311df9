package loadsim

import (
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// only checks that the one kind of failure was counted, as often as it was planted.
func only(t *testing.T, r *Report, kind string, planted int64) {
	t.Helper()
	f := r.Errors[kind]
	if planted == 0 || f == nil || f.Count != planted || len(r.Errors) != 1 || len(f.Samples) == 0 || len(f.Samples) > maxSamples {
		t.Errorf("planted %d of kind %s\n%s", planted, kind, r.text())
	}
}

func TestFaultsAreCountedAsWhatTheyAre(t *testing.T) {
	t.Parallel()
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { reply(w, code, map[string]any{"detail": "planted"}) }
	}
	text := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, c := range map[string]struct {
		path  string
		wrong http.HandlerFunc
		kind  string
	}{
		"500 everywhere":         {"", status(500), "http_500"},
		"503 in lists":           {"/products", status(503), "http_503"},
		"429 at the cart":        {"/cart/add", status(429), "http_429"},
		"401 at checkout":        {"/orders/checkout", status(401), "http_401"},
		"404 for a list":         {"/products", status(404), "http_404"},
		"HTML for a list":        {"/products", text(200, "<html>"), kindBody},
		"half a list":            {"/products", text(200, `[{"id":1,"name":"x","price":1},`), kindBody},
		"object for a list":      {"/products", text(200, `{}`), kindBody},
		"nonsense for a cart":    {"/cart/add", text(200, `{"items":[]}`), kindBody},
		"an empty cart":          {"/cart/add", text(200, `{"items":[],"item_count":0,"subtotal":0}`), kindCart},
		"a cart that cannot add": {"/cart/add", text(200, `{"items":[{"product_id":1,"quantity":2,"unit_price":3,"line_total":7}],"item_count":2,"subtotal":7}`), kindCart},
		"an order unconfirmed":   {"/orders/checkout", text(201, `{"id":"x","status":"pending","items":[],"total":0}`), kindOrder},
		"no order":               {"/orders/checkout", text(201, `[]`), kindBody},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newFakeShop(t)
			planted := s.plant(c.path, 3, c.wrong)
			r := simulate(t, s, func(o *Options) { o.Users, o.enough = 8, after(planted, 4) })
			only(t, r, c.kind, planted.Load())
		})
	}
}

// What is right and comes too late is a failure of its own kind.
func TestLateAnswersAreBad(t *testing.T) {
	t.Parallel()
	s := newFakeShop(t)
	planted := s.plant("/products", 3, func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(2 * time.Second)
		reply(w, 200, []any{fakeProduct(1)})
	})
	synctest.Test(t, func(t *testing.T) {
		r := inside(t, s.Config.Handler, "load: {users: 8, duration: 1m}\nshoppers: [{steps: [{browse: 5}, {view: 2}, {add: 1}, {checkout: 1}]}]", func(o *Options) {
			o.GoodWithin, o.enough = 1900*time.Millisecond, after(planted, 4)
		})
		only(t, r, kindSlow, planted.Load())
	})
}

func TestExpectedRefusalsAreGood(t *testing.T) {
	t.Parallel()
	for code, path := range map[int]string{409: "/orders/checkout", 402: "/orders/checkout", 202: "/orders/checkout", 404: "/cart/add"} {
		s := newFakeShop(t)
		planted := s.plant(path, 2, func(w http.ResponseWriter, _ *http.Request) { reply(w, code, map[string]any{"type": "planted"}) })
		r := simulate(t, s, func(o *Options) { o.enough = after(planted, 3) })
		if r.Summary.Failed != 0 || planted.Load() == 0 || r.Refused[http.StatusText(code)]+r.Refused[itoa(code)] != planted.Load() {
			t.Errorf("%d: planted %d\n%s %v", code, planted.Load(), r.text(), r.Refused)
		}
		if r.Summary.Orders != s.orders.Load() {
			t.Errorf("%d: %d orders, shop has %d", code, r.Summary.Orders, s.orders.Load())
		}
	}
}

func itoa(n int) string {
	return string([]byte{byte('0' + n/100), byte('0' + n/10%10), byte('0' + n%10)})
}

func TestWrongTotalsAndQuantities(t *testing.T) {
	t.Parallel()
	s := newFakeShop(t)
	s.skew.Store(1)
	r := simulate(t, s, nil)
	only(t, r, kindOrder, s.orders.Load())
	if r.Summary.Orders != 0 {
		t.Errorf("%d wrong orders passed for orders", r.Summary.Orders)
	}
	s = newFakeShop(t)
	s.extra.Store(1) // each edit of the cart is applied wrongly
	r = simulate(t, s, func(o *Options) { o.enough = after(&s.requests, 200) })
	if f := r.Errors[kindCart]; f == nil || len(r.Errors) != 1 {
		t.Errorf("%s", r.text())
	}
}

func TestBrokenConnectionsAreReplayedOnce(t *testing.T) {
	t.Parallel()
	s := newFakeShop(t)
	planted := s.plant("", 7, cut)
	r := simulate(t, s, func(o *Options) { o.Users, o.enough = 1, after(&s.requests, 150) }) // one, so that no second attempt is a seventh request again
	if r.Summary.Failed != 0 || planted.Load() == 0 || r.Summary.Orders != s.orders.Load() {
		t.Errorf("planted %d\n%s", planted.Load(), r.text())
	}
	// What net/http did not repeat by itself we did, and every request counts once.
	if got := r.Summary.TotalRequests + planted.Load() + 1; got != s.requests.Load() {
		t.Errorf("%d requests and %d broken ones, the shop saw %d", r.Summary.TotalRequests, planted.Load(), s.requests.Load())
	}
	s = newFakeShop(t)
	planted = s.plant("/cart/add", 1, cut)
	r = simulate(t, s, func(o *Options) { o.enough = after(planted, 6) })
	if f := r.Errors[kindConnection]; f == nil || f.Count != r.ResponseTimes["cart"].Count || r.Summary.Replays != f.Count || len(r.Errors) != 1 {
		t.Errorf("%s", r.text())
	}
}

func TestNoAnswerIsATimeout(t *testing.T) {
	t.Parallel()
	s := newFakeShop(t)
	planted := s.plant("/products", 10, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	r := simulate(t, s, func(o *Options) { o.Timeout, o.enough = 3*time.Second, after(planted, 4) }) // no other answer takes so long
	only(t, r, kindTimeout, planted.Load())
	if max := r.ResponseTimes["browse"].Max; max < 3 {
		t.Errorf("max %v", max)
	}
}
