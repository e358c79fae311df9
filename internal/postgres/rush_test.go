package postgres_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stampede-shop/stampede/internal/shop"
)

// Two hundred shoppers, fifty units: fifty orders, a hundred and fifty clear refusals.
func TestRush(t *testing.T) { bothWays(t, checkRush) }

func checkRush(t *testing.T, w *world) {
	s, p := w.saga(nil), w.product(t, 50)
	users := make([]string, 200)
	for i := range users {
		users[i] = w.fill(t, p)
	}
	var bought, refused atomic.Int64
	var wg sync.WaitGroup
	for _, user := range users {
		wg.Go(func() {
			_, err := s.Run(t.Context(), buy(user))
			var short *shop.Error
			switch {
			case err == nil:
				bought.Add(1)
			case errors.As(err, &short) && short.Code == shop.CodeOutOfStock && len(short.Lines) == 1:
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if bought.Load() != 50 || refused.Load() != 150 || w.left(t, p) != 0 {
		t.Fatalf("%d bought, %d refused, %d left", bought.Load(), refused.Load(), w.left(t, p))
	}
	seen := w.drain(t, s)
	if seen[shop.TopicOrderConfirmed] != 50 || seen[shop.TopicCheckoutFailed] != 150 {
		t.Fatalf("%v", seen)
	}
	w.clean(t)
}
