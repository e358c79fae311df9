package batch_test

import (
	"context"
	"fmt"
	"sync"

	"github.com/stampede-shop/stampede/batch"
)

// A hundred callers want a number each; a counter that is slow to reach hands them out by the dozen.
func Example() {
	next := 0
	b := batch.New(batch.Options[string, int]{
		Run: func(_ context.Context, shard string, who []string) ([]batch.Result[int], error) {
			// one round trip, one transaction, one flush for all of them
			out := make([]batch.Result[int], len(who))
			for i := range who {
				next++
				out[i].Value = next
			}
			return out, nil
		},
	})
	defer func() { _ = b.Close(context.Background()) }()
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			if _, err := b.Submit(context.Background(), "shard1", fmt.Sprint("caller ", i)); err != nil {
				fmt.Println(err)
			}
		})
	}
	wg.Wait()
	fmt.Println(next)
	// Output: 100
}
