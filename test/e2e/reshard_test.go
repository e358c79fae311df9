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

// A fifth shard is brought in while shoppers buy: none of their requests fails, the books are clean, and the platform comes up again
// with five shards and everything on them.
func TestShardAddUnderLoad(t *testing.T) {
	p := own(t, "reshard", "--products", "300", "--apis", "2", "--replicas", "1")
	items := make([]product, 12)
	for i := range items {
		items[i] = p.newProduct(t, fmt.Sprintf("E2E-MOVE-%d", i), 500, 100_000)
	}
	early := buyOne(t, p, items[0])

	stop := make(chan struct{})
	var shoppers sync.WaitGroup
	leave := sync.OnceFunc(func() { close(stop); shoppers.Wait() })
	t.Cleanup(leave)
	var requests, failed atomic.Int64
	for i := range 6 {
		shoppers.Go(func() {
			for n := i; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				for _, err := range visit(p, items[n%len(items)], items[(n*7+1)%len(items)]) {
					requests.Add(1)
					if err != nil && failed.Add(1) < 10 {
						t.Error(err)
					}
				}
				time.Sleep(5 * time.Millisecond) // not a wait: the pace of the load
			}
		})
	}
	out, stderr, err := run(t.Context(), nil, "shard", "add", "--data", p.data)
	t.Logf("%s\n%s", out, stderr)
	if err != nil || !strings.Contains(out, " done: ") {
		t.Errorf("shard add: %v", err)
	}
	leave()
	if requests.Load() < 50 || failed.Load() != 0 {
		t.Errorf("%d of %d requests failed", failed.Load(), requests.Load())
	}
	p.audit(t)
	if spread, _, err := run(t.Context(), nil, "shard", "balance", "--keys", "10000", "--data", p.data); err != nil || strings.Count(spread, "\n") != 5+1 {
		t.Errorf("balance: %v\n%s", err, spread)
	}
	pinned, stderr, err := run(t.Context(), nil, "shard", "move", "--key", fmt.Sprint(items[0].ID), "--to", "shard5", "--data", p.data)
	if err != nil {
		t.Errorf("shard move: %v\n%s\n%s", err, pinned, stderr)
	}
	if err := p.down(); err != nil {
		t.Fatal(err)
	}
	if err := p.up("--apis", "2", "--replicas", "1"); err != nil {
		t.Fatal(err)
	}
	if at, _, err := run(t.Context(), nil, "shard", "locate", fmt.Sprint(items[0].ID), "--data", p.data); err != nil || !strings.Contains(at, "\tshard5") {
		t.Errorf("locate: %v %s", err, at)
	}
	early.base = p.URL
	early.must(t, http.StatusOK, "GET", "/orders", nil)
	buyOne(t, p, items[0])
	p.audit(t)
}

// visit is a shopper who fills a cart, buys it and looks at it; one error, or nil, for each request.
func visit(p *platform, a, b product) (results []error) {
	s := newShopper(p.URL)
	ask := func(want int, method, path string, body any, contains string) {
		got, err := s.patiently(answer.shed, method, path, body) // that a busy machine has no capacity is no failure
		if err == nil && (got.Status != want || !strings.Contains(string(got.Body), contains)) {
			err = fmt.Errorf("%s %s: %d, want %d with %q: %s", method, path, got.Status, want, contains, got.Body)
		}
		results = append(results, err)
	}
	ask(http.StatusOK, "POST", "/cart/add", map[string]any{"product_id": a.ID, "quantity": 1}, `"item_count":1`)
	ask(http.StatusOK, "POST", "/cart/add", map[string]any{"product_id": b.ID, "quantity": 2}, `"item_count":3`)
	ask(http.StatusOK, "GET", "/cart", nil, `"item_count":3`)
	ask(http.StatusCreated, "POST", "/orders/checkout", nil, `"confirmed"`)
	ask(http.StatusOK, "GET", "/orders", nil, `"confirmed"`)
	ask(http.StatusOK, "GET", "/cart", nil, `"item_count":0`)
	return results
}

// buyOne returns a shopper who has bought one unit.
func buyOne(t *testing.T, p *platform, item product) *shopper {
	t.Helper()
	s := newShopper(p.URL)
	s.must(t, http.StatusOK, "POST", "/cart/add", map[string]any{"product_id": item.ID, "quantity": 1})
	s.must(t, http.StatusCreated, "POST", "/orders/checkout", nil)
	return s
}
