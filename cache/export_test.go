package cache

import (
	"runtime"
	"testing"
)

// Waiters is how many callers wait for the load of key.
func Waiters[V any](f *Family[V], key string) int {
	f.flights.mu.Lock()
	defer f.flights.mu.Unlock()
	if c := f.flights.calls[key]; c != nil {
		return c.waiters
	}
	return 0
}

// Calls is how many keys are being worked on.
func Calls[V any](f *Family[V]) int {
	f.flights.mu.Lock()
	defer f.flights.mu.Unlock()
	return len(f.flights.calls)
}

// Settle waits for what loads have begun: their results are in L2, or refused.
func Settle(s *Store) { s.work.Wait() }

// Bytes is the weight of L1 after maintenance.
func Bytes[V any](f *Family[V]) uint64 {
	f.l1.CleanUp()
	_, victims := f.victims.size()
	return f.l1.WeightedSize() + victims
}

// NextTick waits until the clock of L1 has moved on.
func NextTick(s *Store) {
	for before := s.clock.NowNano(); s.clock.NowNano() == before; {
		runtime.Gosched()
	}
}

// Pending is what Redis has yet to hear of.
func Pending(s *Store) (tags int, clear bool) { return s.l2.waiting() }

// Forget deletes the keys in Redis that match a pattern, as an eviction would, and tells how many.
func Forget(tb testing.TB, s *Store, pattern string) int {
	tb.Helper()
	c := *s.l2.client.Load()
	keys, err := c.Do(tb.Context(), c.B().Keys().Pattern(pattern).Build()).AsStrSlice()
	if err != nil {
		tb.Fatal(err)
	}
	for _, k := range keys {
		if err := c.Do(tb.Context(), c.B().Del().Key(k).Build()).Error(); err != nil {
			tb.Fatal(err)
		}
	}
	return len(keys)
}
