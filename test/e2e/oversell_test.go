package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// 200 clients at once buy from a product with 50 left, one each: exactly 50 orders, 150 clear conflicts, nothing left.
func TestNoOversell(t *testing.T) {
	p := shared.get(t)
	item := p.newProduct(t, "E2E-HOT", 999, 50)
	const clients = 200
	shoppers := make([]*shopper, clients)
	each(clients, func(i int) {
		shoppers[i] = newShopper(p.URL)
		if a, err := shoppers[i].patiently(answer.putOff, "POST", "/cart/add", map[string]any{"product_id": item.ID, "quantity": 1}); err != nil || a.Status != http.StatusOK {
			t.Errorf("add: %v %d %s", err, a.Status, a.Body)
		}
	})
	var bought, refused atomic.Int64
	each(clients, func(i int) {
		a, err := shoppers[i].patiently(answer.putOff, "POST", "/orders/checkout", nil)
		switch {
		case err != nil:
			t.Errorf("checkout: %v", err)
		case a.Status == http.StatusCreated:
			bought.Add(1)
		case a.Status == http.StatusConflict && strings.Contains(string(a.Body), "out-of-stock") && strings.Contains(string(a.Body), fmt.Sprint(item.ID)):
			refused.Add(1)
		default:
			t.Errorf("checkout: %d %s", a.Status, a.Body)
		}
	})
	if bought.Load() != 50 || refused.Load() != 150 {
		t.Errorf("%d bought, %d refused; want 50 and 150", bought.Load(), refused.Load())
	}
	eventually(t, time.Minute, "sold out", func() error {
		if n := p.available(t, item.ID); n != 0 {
			return fmt.Errorf("%d left", n)
		}
		var shown product
		a, err := newShopper(p.URL).do("GET", fmt.Sprintf("/products/%d", item.ID), nil)
		if err == nil {
			err = a.into(&shown)
		}
		if err == nil && shown.Availability != "sold_out" {
			err = fmt.Errorf("shown as %s", shown.Availability)
		}
		return err
	})
	p.audit(t)
}

// Concurrent checkouts of one cart, without an idempotency key, are one order.
func TestConcurrentCheckoutsOfOneCart(t *testing.T) {
	p := shared.get(t)
	item := p.newProduct(t, "E2E-TWICE", 700, 100)
	for range 5 {
		s := newShopper(p.URL)
		s.must(t, http.StatusOK, "POST", "/cart/add", map[string]any{"product_id": item.ID, "quantity": 1})
		var mu sync.Mutex
		ids := map[string]int{}
		each(12, func(int) {
			a, err := s.patiently(answer.putOff, "POST", "/orders/checkout", nil)
			if err != nil {
				t.Errorf("checkout: %v", err)
				return
			}
			var o order
			mu.Lock()
			defer mu.Unlock()
			switch {
			case a.Status == http.StatusCreated && a.into(&o) == nil:
				ids[o.ID]++
			case a.Status == http.StatusUnprocessableEntity && strings.Contains(string(a.Body), "order_id"):
				// came after the sale was over
			default:
				t.Errorf("checkout: %d %s", a.Status, a.Body)
			}
		})
		if len(ids) != 1 {
			t.Errorf("orders of one cart: %v", ids)
		}
	}
	p.audit(t)
}

// each runs f for 0..n-1 at once and waits.
func each(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}
