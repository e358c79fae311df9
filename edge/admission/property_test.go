package admission

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// Whatever comes, is answered or leaves: never more under way than the limit, every place comes back, the books are empty
// at the end, and nobody who waits is passed over by somebody of a lower class, but for the lowest's turn.
func TestPlaces(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		synctest.Test(t, func(*testing.T) { places(rt) })
	})
}

func places(t *rapid.T) {
	least := rapid.IntRange(1, 4).Draw(t, "min")
	l, err := New(Options{Min: least, Initial: least, Max: least + rapid.IntRange(0, 8).Draw(t, "more"),
		MaxWaiting: rapid.IntRange(1, 12).Draw(t, "waiting"), Target: time.Millisecond, Ceiling: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	type result struct {
		p     *Permit
		err   error
		class Class
	}
	results := make(chan result, 1000)
	var held []*Permit
	collect := func() {
		synctest.Wait()
		for len(results) > 0 {
			if r := <-results; r.err == nil {
				held = append(held, r.p)
			}
		}
	}
	for range rapid.IntRange(1, 120).Draw(t, "events") {
		switch rapid.IntRange(0, 3).Draw(t, "event") {
		case 0, 1:
			class, client := Class(rapid.IntRange(0, 3).Draw(t, "class")), rapid.StringMatching("[a-c]").Draw(t, "client")
			ctx, cancel := context.WithTimeout(context.Background(), rapid.SampledFrom([]time.Duration{time.Millisecond, time.Hour}).Draw(t, "leaves"))
			go func() {
				defer cancel()
				p, err := l.Acquire(ctx, class, client)
				results <- result{p, err, class}
			}()
		case 2:
			if len(held) > 0 {
				i := rapid.IntRange(0, len(held)-1).Draw(t, "which")
				held[i].Done(Result(rapid.IntRange(0, 2).Draw(t, "how")))
				held[i].Done(Served) // again is nothing
				held = append(held[:i], held[i+1:]...)
			}
		case 3:
			time.Sleep(time.Duration(rapid.IntRange(0, 300).Draw(t, "ms")) * time.Millisecond)
		}
		collect()
		s := l.Stats()
		if s.InFlight != len(held) || s.Limit > l.opts.Max || s.Limit < least {
			t.Fatalf("%+v with %d places held", s, len(held))
		}
		if n := waiting(s); n > l.opts.MaxWaiting || n > 0 && s.InFlight < s.Limit {
			t.Fatalf("%d wait while %d of %d are under way", n, s.InFlight, s.Limit)
		}
	}
	for len(held) > 0 {
		held[0].Done(Served)
		held = held[1:]
		collect()
	}
	time.Sleep(time.Hour) // those whose time-out is long
	collect()
	for _, p := range held {
		p.Done(Served)
	}
	s := l.Stats()
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.InFlight != 0 || waiting(s) != 0 || len(l.clients) != 0 {
		t.Fatalf("left over: %+v, %d clients", s, len(l.clients))
	}
}

func waiting(s Stats) (n int) {
	for _, w := range s.Waiting {
		n += w
	}
	return n
}

// Who waits gets a place in the order of classes; every sixteenth place goes to the lowest.
func TestOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(t, Options{Min: 1, Initial: 1, Max: 1, Patience: [3]time.Duration{time.Hour, time.Hour, time.Hour}})
		first, err := l.Acquire(t.Context(), Browse, "")
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan Class, 100)
		for i := range 60 {
			class := Class(i % 3)
			go func() {
				p, err := l.Acquire(t.Context(), class, string(rune('a'+i)))
				if err != nil {
					t.Error(err)
					return
				}
				got <- class
				p.Done(Ignored)
			}()
			synctest.Wait()
		}
		if _, err := l.Acquire(t.Context(), Crawl, "x"); err != ErrOverloaded {
			t.Errorf("a crawler: %v", err)
		}
		first.Done(Ignored)
		synctest.Wait()
		var order []Class
		for len(got) > 0 {
			order = append(order, <-got)
		}
		turns, want := 0, Checkout
		for i, c := range order {
			if (i+1)%lowestTurn == 0 && c == Browse {
				turns++
				continue
			}
			if c < want {
				t.Errorf("place %d went to %v after one to %v", i, c, want)
			}
			want = c
		}
		if len(order) != 60 || turns < 2 {
			t.Errorf("%d places, %d of them turns of the lowest: %v", len(order), turns, order)
		}
	})
}

// In an overload in which the oldest has waited for long the newest goes first; else the oldest.
func TestNewestFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, stands := range []bool{false, true} {
			l := newLimiter(t, Options{Min: 1, Initial: 1, Max: 1, Patience: [3]time.Duration{time.Hour, time.Hour, time.Hour}})
			p, err := l.Acquire(t.Context(), Cart, "")
			if err != nil {
				t.Fatal(err)
			}
			got := make(chan int, 2)
			for i := range 2 {
				go func() {
					p, err := l.Acquire(t.Context(), Cart, string(rune('a'+i)))
					if err != nil {
						t.Error(err)
						return
					}
					got <- i
					p.Done(Ignored)
				}()
				synctest.Wait()
			}
			if stands {
				time.Sleep(time.Hour / 2)
				l.mu.Lock()
				l.shed(time.Now(), Cart) // somebody was refused meanwhile
				l.mu.Unlock()
			}
			p.Done(Ignored)
			if first := <-got; (first == 1) != stands {
				t.Errorf("overload %v: number %d went first", stands, first)
			}
		}
	})
}
