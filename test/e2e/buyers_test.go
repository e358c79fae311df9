package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// good is what a shopper takes for an answer in time.
const good = 2 * time.Second

// buyers are shoppers who fill a cart, buy it and look at it, over and over, and check each answer. Edits of carts do not wait for
// a disk: the last moment of them may be gone with a primary, which is counted apart. What was acknowledged as bought must be there.
type buyers struct {
	p     *platform
	items []product
	stop  chan struct{}
	all   sync.WaitGroup
	leave func() // ends the shopping

	mu       sync.Mutex
	requests int
	excused  int // status that is no failure any more
	bad      []string
	slow     []string // good answers that took more than good
	slowest  time.Duration
	lost     int // edits of carts
	orders   map[string]*shopper
	bought   time.Time // when the checkout that succeeded last began
}

func startBuyers(t *testing.T, p *platform, n int) *buyers {
	t.Helper()
	b := &buyers{p: p, stop: make(chan struct{}), orders: map[string]*shopper{}}
	b.leave = sync.OnceFunc(func() { close(b.stop); b.all.Wait() })
	t.Cleanup(b.leave)
	for i := range 4 {
		b.items = append(b.items, p.newProduct(t, fmt.Sprintf("E2E-BUY-%d-%d", time.Now().UnixNano(), i), 500, 1_000_000))
	}
	for i := range n {
		b.all.Go(func() {
			for k := i; ; k++ {
				select {
				case <-b.stop:
					return
				default:
					b.visit(b.items[k%len(b.items)], b.items[(k+1)%len(b.items)])
				}
			}
		})
	}
	return b
}

// ask makes one request, and tells whether it went as it should.
func (b *buyers) ask(s *shopper, want int, method, path string, body any, contains string) (answer, bool) {
	start := time.Now()
	got, err := s.patiently(answer.shed, method, path, body) // that a busy machine has no capacity is no failure
	took := time.Since(start)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.requests++
	b.slowest = max(b.slowest, took)
	what := fmt.Sprintf("%s %s after %v: %d %s %v", method, path, took.Round(time.Millisecond), got.Status, got.Body, err)
	ok := err == nil && got.Status == want && strings.Contains(string(got.Body), contains)
	switch {
	case !ok && (got.Status == http.StatusOK && strings.HasPrefix(path, "/cart") || strings.Contains(string(got.Body), "empty-cart")):
		b.lost++
	case !ok:
		b.bad = append(b.bad, fmt.Sprintf("%d: %s", got.Status, what))
	case took > good:
		b.slow = append(b.slow, what)
	}
	if ok && strings.HasSuffix(path, "checkout") {
		b.bought = later(b.bought, start)
	}
	return got, ok
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (b *buyers) visit(one, two product) {
	s := newShopper(b.p.URL)
	b.ask(s, http.StatusOK, "GET", fmt.Sprintf("/products/%d", one.ID), nil, one.Name)
	b.ask(s, http.StatusOK, "GET", "/products?limit=5&q=article", nil, "[{")
	if _, ok := b.ask(s, http.StatusOK, "POST", "/cart/add", map[string]any{"product_id": one.ID, "quantity": 1}, `"item_count":1`); !ok {
		return
	}
	if _, ok := b.ask(s, http.StatusOK, "POST", "/cart/add", map[string]any{"product_id": two.ID, "quantity": 2}, `"item_count":3`); !ok {
		return
	}
	a, ok := b.ask(s, http.StatusCreated, "POST", "/orders/checkout", nil, `"confirmed"`)
	var o order
	if !ok || a.into(&o) != nil {
		return
	}
	b.mu.Lock()
	b.orders[o.ID] = s
	b.mu.Unlock()
	b.ask(s, http.StatusOK, "GET", "/orders/"+o.ID, nil, o.ID)
	b.ask(s, http.StatusOK, "GET", "/cart", nil, `"item_count":0`)
}

// excuse makes answers with a status count as no failure, before and after.
func (b *buyers) excuse(status int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.excused = status
}

// resumed waits until a checkout that began after a moment has succeeded, and returns how long after.
func (b *buyers) resumed(t *testing.T, since time.Time, limit time.Duration) time.Duration {
	t.Helper()
	var at time.Time
	eventually(t, limit, "orders are taken again", func() error {
		b.mu.Lock()
		defer b.mu.Unlock()
		if at = b.bought; at.Before(since) {
			return fmt.Errorf("the last one began %v before", since.Sub(at))
		}
		return nil
	})
	return time.Since(since)
}

// finish ends the shopping and fails the test for what went wrong.
func (b *buyers) finish(t *testing.T) {
	t.Helper()
	b.leave()
	t.Logf("%d requests, %d orders, %d bad, %d edits of carts lost, %d later than %v, the slowest %v", b.requests, len(b.orders),
		len(b.bad), b.lost, len(b.slow), good, b.slowest.Round(time.Millisecond))
	for i, what := range b.bad {
		switch {
		case b.excused != 0 && strings.HasPrefix(what, fmt.Sprintf("%d: ", b.excused)):
			t.Log(what)
		case i < 10:
			t.Error(what)
		default:
			t.Fail()
		}
	}
	for i, what := range b.slow {
		if i < 5 {
			t.Log(what)
		}
	}
	if len(b.orders) == 0 {
		t.Error("nobody bought anything")
	}
	for id, s := range b.orders {
		if a, err := s.patiently(answer.putOff, "GET", "/orders/"+id, nil); err != nil || a.Status != http.StatusOK || !strings.Contains(string(a.Body), `"confirmed"`) {
			t.Errorf("an acknowledged order: %v %d %s", err, a.Status, a.Body)
		}
	}
	b.p.audit(t)
}
