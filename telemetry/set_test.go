package telemetry

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// clock is moved by the test.
type clock struct{ now time.Time }

func newClock() *clock { return &clock{time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time { return c.now }

// event is something that was recorded.
type event struct {
	at     int // second
	took   time.Duration
	status int
}

// The figures of each window are those of the events in the seconds that it says it covers.
func TestWindowsAreThoseOfAModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := newClock()
		s := NewSet(Options{Now: c.Now})
		var all []event
		second := 0
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			for range rapid.IntRange(0, 5).Draw(t, "events") {
				e := event{second, time.Duration(rapid.Int64Range(100, 1e10).Draw(t, "took")), rapid.SampledFrom([]int{200, 304, 404, 429, 500}).Draw(t, "status")}
				s.Series(KindRoute, "GET /").RecordStatus(e.took, e.status)
				all = append(all, e)
			}
			// Every second is looked at, as Run does; long stretches of nothing in between.
			for range rapid.SampledFrom([]int{1, 1, 2, 7, 30, 61, 299, 1700}).Draw(t, "wait") {
				second++
				c.now = c.now.Add(time.Second)
				s.mu.Lock()
				s.advance(c.now)
				s.mu.Unlock()
			}
			checkWindows(t, s, all, second)
		}
	})
}

func checkWindows(t *rapid.T, s *Set, all []event, second int) {
	sr := s.Export().Find(KindRoute, "GET /")
	if sr == nil {
		if len(all) > 0 {
			t.Fatal("the series is missing")
		}
		return
	}
	for i, w := range sr.Windows {
		at := int(s.Series(KindRoute, "GET /").read[i].at)
		if second-at >= int(refresh[i]) {
			t.Fatalf("%s was read at %d s, %d s ago", w.Window, at, second-at)
		}
		second := at
		span := windows[i].span.Seconds()
		if limit := span + float64(windows[i].ticks); w.Seconds > limit || w.Seconds < min(span, float64(second)) {
			t.Fatalf("%s covers %g s after %d s", w.Window, w.Seconds, second)
		}
		var in []time.Duration
		var errors uint64
		classes := make([]uint64, errorCount)
		for _, ev := range all {
			if ev.at < second && ev.at >= second-int(w.Seconds) {
				in = append(in, ev.took)
				classes[ev.status/100-1]++
				if Failed(ev.status) {
					errors++
				}
			}
		}
		if w.Count != uint64(len(in)) || w.Errors != errors || len(in) > 0 && !slices.Equal(w.Classes, classes) {
			t.Fatalf("%s at %d s: %d with %d errors %v, want %d with %d %v", w.Window, second, w.Count, w.Errors, w.Classes, len(in), errors, classes)
		}
		if len(in) > 0 && off(w.P95, exact(in, .95).Seconds()) > 0.01 {
			t.Fatalf("%s: p95 is %g, want %g", w.Window, w.P95, exact(in, .95).Seconds())
		}
	}
}

func TestMergedExportsAreThoseOfOneProcess(t *testing.T) {
	t.Parallel()
	c := newClock()
	a, b, both := NewSet(Options{Now: c.Now}), NewSet(Options{Now: c.Now}), NewSet(Options{Now: c.Now})
	for i := range 5000 {
		one, name := a, fmt.Sprint("GET /", i%3)
		if i%2 == 1 {
			one = b
		}
		status := 200
		if i%17 == 0 {
			status = 503
		}
		for _, s := range []*Set{one, both} {
			s.Series(KindRoute, name).RecordStatus(time.Duration(i*i), status)
		}
		if i%1000 == 0 {
			a.Series(KindQuery, "OnlyHere").Record(time.Millisecond, true)
			both.Series(KindQuery, "OnlyHere").Record(time.Millisecond, true)
		}
	}
	c.now = c.now.Add(3 * time.Second)
	merged, want := Merge(overTheWire(t, a.Export()), overTheWire(t, b.Export())), both.Export()
	if len(merged.Series) != len(want.Series) {
		t.Fatalf("%d series, want %d", len(merged.Series), len(want.Series))
	}
	for i, sr := range want.Series {
		for j, w := range sr.Windows {
			if got := merged.Series[i].Windows[j]; !sameWindow(got, w) {
				t.Errorf("%s %s has %d, %d errors, p99 %g, want %d, %d, %g", sr.Name, w.Window, got.Count, got.Errors, got.P99, w.Count, w.Errors, w.P99)
			}
		}
	}
	total := merged.Total(KindRoute)
	if w := total.Window("1m"); w == nil || w.Count != 5000 || total.Window("2m") != nil {
		t.Error("the total is not that of all routes")
	}
	if merged.Find(KindRoute, "OnlyHere") != nil {
		t.Error("a query is a route")
	}
}

// sameWindow compares everything; rates were added up in another order.
func sameWindow(a, b WindowExport) bool {
	if math.Abs(a.Rate-b.Rate) > 1e-9*b.Rate {
		return false
	}
	va, vb := a.values(), b.values()
	a.Rate, a.Values, b.Rate, b.Values = 0, nil, 0, nil
	return reflect.DeepEqual(a, b) && slices.Equal(va.buckets, vb.buckets)
}

func overTheWire(t *testing.T, e Export) (back Export) {
	t.Helper()
	raw, err := json.Marshal(e)
	if err == nil {
		err = json.Unmarshal(raw, &back)
	}
	if err != nil {
		t.Fatal(err)
	}
	return back
}

func TestNamesAreBounded(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := NewSet(Options{MaxNames: 3, Now: c.Now})
	for i := range 10 {
		s.Series(KindRoute, fmt.Sprint(i)).Record(time.Millisecond, false)
	}
	s.Series(KindLink, "api→redis").Record(time.Millisecond, false)
	c.now = c.now.Add(time.Second)
	e := s.Export()
	var names []string
	for _, sr := range e.Series {
		names = append(names, sr.Name)
	}
	if want := []string{"api→redis", "0", "1", "2", Other}; !slices.Equal(names, want) {
		t.Fatalf("%v, want %v", names, want)
	}
	if n := e.Find(KindRoute, Other).Window("10s").Count; n != 7 {
		t.Errorf("%d others, want 7", n)
	}
}

// A process that was stopped for hours has forgotten what is too old, and no more memory for it.
func TestALongStandstill(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := NewSet(Options{Now: c.Now})
	s.Series(KindJob, "mail").Record(time.Second, false)
	c.now = c.now.Add(2 * time.Second)
	if n := s.Export().Find(KindJob, "mail").Window("1h").Count; n != 1 {
		t.Fatalf("%d after two seconds", n)
	}
	c.now = c.now.Add(1000 * time.Hour)
	for _, w := range s.Export().Find(KindJob, "mail").Windows {
		if w.Count != 0 {
			t.Errorf("%s still has %d", w.Window, w.Count)
		}
	}
	slots := 0
	for _, level := range s.Series(KindJob, "mail").past {
		slots += len(level)
	}
	if slots > 60 {
		t.Errorf("%d slots", slots)
	}
}

func TestRunMovesTheWindowsOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := NewSet(Options{})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { s.Run(ctx) })
		time.Sleep(500 * time.Millisecond) // of the bubble: what is recorded is recorded between two ticks
		for range 30 {
			s.Series(KindRoute, "GET /").Record(time.Millisecond, false)
			time.Sleep(time.Second)
		}
		synctest.Wait()
		sr := s.Export().Find(KindRoute, "GET /")
		if ten, minute := sr.Window("10s"), sr.Window("1m"); ten.Count != 10 || ten.Rate != 1 || minute.Count != 30 || minute.Seconds != 30 {
			t.Errorf("%d at %g/s, %d in %g s", ten.Count, ten.Rate, minute.Count, minute.Seconds)
		}
		cancel()
		wg.Wait()
	})
}

func BenchmarkSeries(b *testing.B) {
	s := NewSet(Options{})
	for i := range 100 {
		s.Series(KindRoute, fmt.Sprint("GET /things/", i))
	}
	for b.Loop() {
		s.Series(KindRoute, "GET /things/77").RecordStatus(time.Millisecond, 200)
	}
}

// One second of a busy process: 50 series, 10,000 values.
func BenchmarkSecond(b *testing.B) {
	c := newClock()
	s := NewSet(Options{Now: c.Now})
	var all []*Series
	for i := range 50 {
		all = append(all, s.Series(KindRoute, fmt.Sprint(i)))
	}
	fill := func() {
		for i := range 10_000 {
			all[i%50].RecordStatus(time.Duration(i%997*i%997)*time.Microsecond, 200)
		}
		c.now = c.now.Add(time.Second)
	}
	for range 400 {
		fill()
		s.Export()
	}
	for b.Loop() {
		b.StopTimer()
		fill()
		b.StartTimer()
		raw, err := json.Marshal(s.Export())
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(raw)), "bytes")
	}
}
