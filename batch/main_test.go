package batch_test

import (
	"context"
	"testing"

	"go.uber.org/goleak"

	"github.com/stampede-shop/stampede/batch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo answers each item with itself.
func echo(_ context.Context, _ string, items []int) ([]batch.Result[int], error) {
	out := make([]batch.Result[int], len(items))
	for i, v := range items {
		out[i].Value = v
	}
	return out, nil
}

func closing(tb testing.TB, b interface{ Close(context.Context) error }) {
	tb.Helper()
	tb.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			tb.Error(err)
		}
	})
}
