package batch_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stampede-shop/stampede/batch"
)

var (
	errPoison   = errors.New("poison")
	errConflict = errors.New("conflict")
)

// together submits items 0..n-1 so that 1..n-1 share a batch, and returns their errors and how often Run was called.
func together(t *testing.T, n int, o batch.Options[int, int]) (errs []error, calls int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		run := o.Run
		o.Run = func(ctx context.Context, key string, items []int) ([]batch.Result[int], error) {
			if items[0] == 0 {
				time.Sleep(time.Second)
				return echo(ctx, key, items)
			}
			calls++
			return run(ctx, key, items)
		}
		b := batch.New(o)
		errs = make([]error, n)
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				var got int
				if got, errs[i] = b.Submit(t.Context(), "k", i); errs[i] == nil && got != i {
					t.Errorf("%d got the answer of %d", i, got)
				}
			})
			synctest.Wait()
		}
		wg.Wait()
		_ = b.Close(t.Context())
	})
	return errs, calls
}

// poisoned fails batches that hold one of the items, with what how returns.
func poisoned(how func() error, bad ...int) func(context.Context, string, []int) ([]batch.Result[int], error) {
	return func(ctx context.Context, key string, items []int) ([]batch.Result[int], error) {
		for _, v := range items {
			if slices.Contains(bad, v) {
				return nil, how()
			}
		}
		return echo(ctx, key, items)
	}
}

func TestPoisonFailsAlone(t *testing.T) {
	t.Parallel()
	errs, calls := together(t, 65, batch.Options[int, int]{Run: poisoned(func() error { return errPoison }, 7, 50)})
	for i, err := range errs {
		if bad := i == 7 || i == 50; errors.Is(err, errPoison) != bad || (!bad && err != nil) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if calls > 1+2*2*6 {
		t.Errorf("%d calls to find two of 64", calls)
	}
}

func TestConflictsRunAgain(t *testing.T) {
	t.Parallel()
	var tries atomic.Int32
	errs, calls := together(t, 9, batch.Options[int, int]{
		Retryable: func(err error) bool { return errors.Is(err, errConflict) },
		Run: func(ctx context.Context, key string, items []int) ([]batch.Result[int], error) {
			if tries.Add(1) < 3 {
				return nil, errConflict
			}
			return echo(ctx, key, items)
		}})
	if err := errors.Join(errs...); err != nil || calls != 3 {
		t.Errorf("%v after %d calls", err, calls)
	}
	// One that always conflicts is found like any other culprit, in a bounded number of calls.
	errs, calls = together(t, 9, batch.Options[int, int]{
		Retryable: func(err error) bool { return errors.Is(err, errConflict) },
		Run:       poisoned(func() error { return errConflict }, 3)})
	for i, err := range errs {
		if errors.Is(err, errConflict) != (i == 3) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if calls > 3+1+2*3 {
		t.Errorf("%d calls", calls)
	}
}

// A batch whose answer was lost is not run again, unless that does no harm.
func TestUnknownOutcome(t *testing.T) {
	t.Parallel()
	lost := func() error { return io.ErrUnexpectedEOF }
	errs, calls := together(t, 9, batch.Options[int, int]{Run: poisoned(lost, 3), Retryable: func(error) bool { return true }})
	for i, err := range errs[1:] {
		if !errors.Is(err, batch.ErrUnknown) || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if calls != 1 {
		t.Errorf("%d calls", calls)
	}
	errs, calls = together(t, 9, batch.Options[int, int]{Run: poisoned(lost, 3), Idempotent: true, MaxRetries: 2})
	if !errors.Is(errs[8], batch.ErrUnknown) || calls != 3 {
		t.Errorf("%v after %d calls", errs[8], calls)
	}
	var tries atomic.Int32
	errs, _ = together(t, 9, batch.Options[int, int]{Idempotent: true,
		Run: func(ctx context.Context, key string, items []int) ([]batch.Result[int], error) {
			if tries.Add(1) == 1 {
				return nil, io.EOF
			}
			return echo(ctx, key, items)
		}})
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
}

func TestWrongNumberOfResults(t *testing.T) {
	t.Parallel()
	errs, _ := together(t, 3, batch.Options[int, int]{Run: func(context.Context, string, []int) ([]batch.Result[int], error) {
		return make([]batch.Result[int], 1), nil
	}})
	if errs[0] != nil || !errors.Is(errs[1], batch.ErrUnknown) || !strings.Contains(errs[2].Error(), "1 results for 2 items") {
		t.Errorf("%v", errs)
	}
}

func TestPanicsReachTheirCallers(t *testing.T) {
	t.Parallel()
	blow := func() error { panic(errPoison) }
	errs, _ := together(t, 9, batch.Options[int, int]{Run: poisoned(blow, 3)})
	for _, err := range errs[1:] {
		if p, ok := errors.AsType[*batch.PanicError](err); !ok || !errors.Is(err, batch.ErrUnknown) || !errors.Is(p, errPoison) {
			t.Errorf("%v", err)
		}
	}
	errs, _ = together(t, 9, batch.Options[int, int]{Run: poisoned(blow, 3), Idempotent: true})
	for i, err := range errs {
		if errors.Is(err, errPoison) != (i == 3) {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// A Run that ends its goroutine leaves nobody waiting, and the key goes on.
func TestRunExits(t *testing.T) {
	t.Parallel()
	first := true
	errs, calls := together(t, 6, batch.Options[int, int]{MaxSize: 3,
		Run: func(ctx context.Context, key string, items []int) ([]batch.Result[int], error) {
			if first {
				first = false
				runtime.Goexit()
			}
			return echo(ctx, key, items)
		}})
	for i, err := range errs {
		if errors.Is(err, batch.ErrUnknown) != (i >= 1 && i <= 3) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if calls != 2 {
		t.Errorf("%d calls", calls)
	}
}

// RunTimeout bounds a batch with all its repetitions.
func TestRunTimeout(t *testing.T) {
	t.Parallel()
	errs, _ := together(t, 9, batch.Options[int, int]{RunTimeout: time.Minute, MaxRetries: 1000, Backoff: time.Second,
		Retryable: func(error) bool { return true }, Run: func(context.Context, string, []int) ([]batch.Result[int], error) { return nil, errConflict }})
	if !errors.Is(errs[1], context.DeadlineExceeded) || errors.Is(errs[1], batch.ErrUnknown) {
		t.Errorf("%v", errs[1])
	}
}
