package edge

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// A name stays with its origin; when that dies its names move, and only those.
func TestSticky(t *testing.T) {
	t.Parallel()
	a, b, c := tcpBackend(t, "a"), tcpBackend(t, "b"), tcpBackend(t, "c")
	s := start(t, Options{SlowStart: -1, Sticky: func(r *http.Request) string { return r.Header.Get("X-Who") }}, a, b, c)
	where := func(i int) string {
		res, _ := s.do(t, "GET", "/", "", "X-Who", fmt.Sprint("shopper-", i))
		return res.Header.Get("X-Origin")
	}
	before := map[int]string{}
	spread := map[string]int{}
	for i := range 60 {
		before[i] = where(i)
		spread[before[i]]++
		if again := where(i); again != before[i] {
			t.Fatalf("%d went to %s, then to %s", i, before[i], again)
		}
	}
	if len(spread) != 3 {
		t.Errorf("spread %v", spread)
	}
	b.ready.Store(false)
	waitFor(t, "b is out", func() bool { return s.state(b.addr) == "down" })
	for i := range 60 {
		if now := where(i); now != before[i] && before[i] != "b" || now == "b" {
			t.Errorf("%d moved from %s to %s", i, before[i], now)
		}
	}
}

// An origin that is back counts as busier than it is, less and less so.
func TestSlowStart(t *testing.T) {
	t.Parallel()
	p := &pool{opts: Options{SlowStart: time.Hour}}
	old, back := &origin{}, &origin{}
	old.inFlight.Store(3)
	back.warming.Store(time.Now().Add(-6 * time.Minute).UnixNano())
	if p.lessBusy([]*origin{old, back}) != old {
		t.Error("one that is just back was preferred to one with three requests")
	}
	back.warming.Store(time.Now().Add(-55 * time.Minute).UnixNano())
	if p.lessBusy([]*origin{old, back}) != back {
		t.Error("one that is nearly warm was not preferred")
	}
	back.warming.Store(time.Now().Add(-2 * time.Hour).UnixNano())
	if p.load(back) != 0 || back.warming.Load() != 0 {
		t.Error("the slow start does not end")
	}
}
