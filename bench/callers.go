package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// errEnough is what a caller's function returns when there is nothing left to do: it is no failure.
var errEnough = errors.New("nothing left to do")

// hammer lets callers call fn again and again for d; a call that has begun is finished. The first error ends it.
func hammer(ctx context.Context, callers int, d time.Duration, fn func(context.Context) error) (calls int, took time.Duration, err error) {
	times, took, err := timed(ctx, callers, d, false, fn)
	for _, t := range times {
		calls += t.calls
	}
	return calls, took, err
}

// hammerTimed is hammer with the time of every call.
func hammerTimed(ctx context.Context, callers int, d time.Duration, fn func(context.Context) error) (timing, error) {
	times, took, err := timed(ctx, callers, d, true, fn)
	var all []time.Duration
	for _, t := range times {
		all = slices.Concat(all, t.each)
	}
	return timingOf(all, took), err
}

// caller is what one of them did; each writes to a cache line of its own.
type caller struct {
	calls int
	each  []time.Duration
	err   error
	_     [64]byte
}

func timed(ctx context.Context, callers int, d time.Duration, each bool, fn func(context.Context) error) ([]caller, time.Duration, error) {
	over, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	all := make([]caller, callers)
	var wg sync.WaitGroup
	start := time.Now()
	for i := range all {
		wg.Go(func() {
			ctx, end := context.WithCancel(ctx) // of each caller's own, as requests have: one context for all would be a lock for all
			defer end()
			for c := &all[i]; over.Err() == nil; c.calls++ {
				var began time.Time
				if each {
					began = time.Now()
				}
				if c.err = fn(ctx); c.err != nil {
					cancel()
					return
				}
				if each {
					c.each = append(c.each, time.Since(began))
				}
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	for _, c := range all {
		if c.err != nil && c.err != errEnough {
			return nil, took, c.err
		}
	}
	return all, took, ctx.Err()
}
