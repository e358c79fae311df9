package cache

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestCallsAreUsedAgain: whatever ends at once, in a goroutine, in impatience or in a panic, everybody gets the result of the key asked
// for, nobody is at a key together with another, and nothing is left.
func TestCallsAreUsedAgain(t *testing.T) {
	t.Parallel()
	var g group[string]
	var busy [5]atomic.Int32
	var owner, flown sync.WaitGroup
	spawn := func(fn func()) bool { flown.Go(fn); return true }
	ask := func(k, i int) (got string, err error) {
		defer func() {
			if v := recover(); v != nil {
				got, err = "panic", errors.New("panic")
				if p, ok := v.(*panicError); !ok || !strings.HasPrefix(p.Error(), "panic in a load: "+strconv.Itoa(k)) {
					t.Errorf("key %d: panic %v", k, v)
				}
			}
		}()
		key := strconv.Itoa(k)
		c, mine := g.join(key)
		if !mine {
			return g.await(context.Background(), key, c, time.Duration(i%3)*time.Millisecond)
		}
		r, done := g.first(key, c, func() (string, bool) {
			if busy[k].Add(1) != 1 {
				t.Errorf("two are at %s", key)
			}
			defer busy[k].Add(-1)
			if i%11 == 0 {
				panic(key)
			}
			return key + ".", i%3 != 0
		})
		if done {
			return r, nil
		}
		g.fly(context.Background(), key, c, time.Minute, spawn, func(_ context.Context, answer func(string, string)) func() {
			if i%7 == 0 {
				panic(key)
			}
			answer(key, key+".")
			return nil
		})
		return g.await(context.Background(), key, c, time.Minute)
	}
	for w := range 8 {
		owner.Go(func() {
			for i := range 2000 {
				k := (i*7 + w) % len(busy)
				if got, err := ask(k, i+w); err == nil && got != strconv.Itoa(k)+"." {
					t.Errorf("key %d: %q", k, got)
				}
			}
		})
	}
	owner.Wait()
	flown.Wait()
	if len(g.calls) > 0 || len(g.spare) > maxSpare {
		t.Errorf("%d calls left, %d spare", len(g.calls), len(g.spare))
	}
	alone, _ := g.join("alone")
	g.first("alone", alone, func() (string, bool) { return "", true })
	if again, _ := g.join("again"); again != alone {
		t.Error("a call that nobody joined was not used again")
	}
}

// A panic of whoever looks first is that of all who joined.
func TestPanicAtFirstReachesWhoJoined(t *testing.T) {
	t.Parallel()
	var g group[int]
	c, _ := g.join("k")
	joined := make(chan any)
	other, mine := g.join("k")
	if mine || other != c {
		t.Fatal("not joined")
	}
	go func() {
		defer func() { joined <- recover() }()
		_, _ = g.await(context.Background(), "k", other, 0)
	}()
	func() {
		defer func() {
			if p, ok := recover().(*panicError); !ok || p.value != "oops" {
				t.Errorf("the first: %v", p)
			}
		}()
		g.first("k", c, func() (int, bool) { panic("oops") })
	}()
	if p, ok := (<-joined).(*panicError); !ok || p.value != "oops" {
		t.Errorf("who joined: %v", p)
	}
}
