package telemetry

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// drawValues are durations from the whole range, crowded in places as real ones are.
func drawValues(t *rapid.T, label string) []time.Duration {
	center := rapid.Int64Range(int64(MinValue), int64(MaxValue)).Draw(t, label+" center")
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) time.Duration {
		if rapid.Bool().Draw(t, "near") {
			return time.Duration(min(int64(MaxValue), center+rapid.Int64Range(0, center/16+1).Draw(t, "off")))
		}
		octave := rapid.IntRange(firstOctave, lastOctave).Draw(t, "octave")
		return time.Duration(rapid.Int64Range(1<<octave, 1<<(octave+1)-1).Draw(t, "value"))
	}), 1, 300).Draw(t, label)
}

func record(values ...time.Duration) Snapshot {
	var h Histogram
	for _, v := range values {
		h.Record(v)
	}
	return h.Snapshot()
}

// exact is the value of the nearest rank.
func exact(values []time.Duration, q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(1, min(len(sorted), int(math.Ceil(q*float64(len(sorted))))))-1]
}

func off(got, want float64) float64 { return math.Abs(got-want) / want }

func TestQuantilesAreWithinOnePercent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		values := drawValues(t, "values")
		s := record(values...)
		var sum float64
		for _, v := range values {
			sum += float64(v)
		}
		if s.Count() != uint64(len(values)) || off(s.Sum(), sum) > 0.01 {
			t.Fatalf("count %d of %d, sum %g of %g", s.Count(), len(values), s.Sum(), sum)
		}
		for _, q := range []float64{0, .01, .5, .9, .95, .99, .999, 1} {
			if got, want := s.Quantile(q), exact(values, q); math.Abs(float64(got-want)) > 0.01*float64(want)+0.5 {
				t.Fatalf("quantile %g is %d, exactly %d: off by %.3f %%", q, got, want, 100*off(float64(got), float64(want)))
			}
		}
	})
}

// Every bucket's ends are within the error of what stands for it: this does not depend on what a test draws.
func TestEveryBucketIsNarrow(t *testing.T) {
	t.Parallel()
	worst := 0.0
	for octave := firstOctave; octave <= lastOctave; octave++ {
		seen := map[int][2]uint64{}
		for part := range uint64(parts) {
			// The first and the last integer of a part.
			first := uint64(1)<<octave + (part<<octave+parts-1)/parts
			last := uint64(1)<<octave + ((part+1)<<octave+parts-1)/parts - 1
			for _, v := range []uint64{first, last} {
				if first > last {
					continue // narrower than one
				}
				o, p := place(v)
				if o != octave-firstOctave || p != part {
					t.Fatalf("%d is in part %d of octave %d, want %d of %d", v, p, o, part, octave-firstOctave)
				}
				seen[int(p)] = [2]uint64{first, last}
				worst = max(worst, off(standIns[1+o*parts+int(p)], float64(v)))
			}
		}
	}
	if worst > 0.0100 || worst < 0.009 {
		t.Errorf("the largest error is %.4f", worst)
	}
}

func TestValuesOutsideTheRange(t *testing.T) {
	t.Parallel()
	s := record(-5, 0, 63, MaxValue+1, math.MaxInt64)
	if s.Count() != 5 || s.Quantile(0) != MinValue || s.Quantile(1) != MaxValue {
		t.Errorf("%d values from %d to %d", s.Count(), s.Quantile(0), s.Quantile(1))
	}
	if (Snapshot{}).Quantile(.5) != 0 || (Snapshot{}).Sum() != 0 {
		t.Error("an empty snapshot has a quantile")
	}
}

func TestMergeIsRecordingBoth(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawValues(t, "a"), drawValues(t, "b")
		before := record(a...)
		sa, sb, both := record(a...), record(b...), record(append(slices.Clone(a), b...)...)
		if m := sa.Merge(sb); !slices.Equal(m.buckets, both.buckets) {
			t.Fatalf("%v and %v merged are %v, want %v", sa, sb, m, both)
		}
		if m := sb.Merge(sa); !slices.Equal(m.buckets, both.buckets) {
			t.Fatal("the order matters")
		}
		if e := sa.Merge(Snapshot{}); !slices.Equal(e.buckets, sa.buckets) || !slices.Equal(sa.buckets, before.buckets) {
			t.Fatal("nothing was added and changed something")
		}
	})
}

func TestTextRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := record(drawValues(t, "values")...)
		raw, err := json.Marshal(s)
		var back Snapshot
		if err == nil {
			err = json.Unmarshal(raw, &back)
		}
		if err != nil || !slices.Equal(back.buckets, s.buckets) {
			t.Fatalf("%s became %v: %v", raw, back, err)
		}
	})
}

func TestTextIsChecked(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"! y", "0", "-1", "1*0", "1*", "*2", "1  2", " 1", "1 ", "1e1e", "1dr 1dr", "1*3w5e11264sgsf 1*3w5e11264sgsf", "1*-1", "1**2"} {
		var s Snapshot
		if err := s.UnmarshalText([]byte(text)); !errors.Is(err, ErrEncoding) {
			t.Errorf("%q was taken: %v, %v", text, s, err)
		}
	}
	for _, text := range []string{"", "1", "1 1", "1*3w5e11264sgsf"} {
		var s Snapshot
		err := s.UnmarshalText([]byte(text))
		if again, _ := s.MarshalText(); err != nil || string(again) != text {
			t.Errorf("%q became %q: %v", text, again, err)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("1 1*2 zz*3")
	f.Fuzz(func(t *testing.T, text string) {
		var s, again Snapshot
		if s.UnmarshalText([]byte(text)) != nil {
			return
		}
		raw, _ := s.MarshalText()
		if err := again.UnmarshalText(raw); err != nil || !slices.Equal(s.buckets, again.buckets) {
			t.Errorf("%q became %q: %v", text, raw, err)
		}
	})
}

// Whatever is drained while others record is in exactly one of the snapshots.
func TestDrainLosesNothing(t *testing.T) {
	t.Parallel()
	const writers, each = 4, 20_000
	var h Histogram
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				h.Record(time.Duration(100 + i*(w+1)))
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	var all Snapshot
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		all = all.Merge(h.Drain())
	}
	if n := all.Count(); n != writers*each {
		t.Errorf("%d of %d were drained", n, writers*each)
	}
	if n := h.Snapshot().Count(); n != 0 {
		t.Errorf("%d are left", n)
	}
}

func TestRecordingAllocatesNothing(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts those of all goroutines
	var h Histogram
	sr := NewSet(Options{}).Series(KindRoute, "GET /")
	h.Record(time.Millisecond)
	sr.RecordStatus(time.Millisecond, 200)
	if n := testing.AllocsPerRun(1000, func() {
		h.Record(time.Millisecond + 3)
		sr.RecordStatus(time.Millisecond, 503)
	}); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

func TestBelow(t *testing.T) {
	t.Parallel()
	s := record(time.Millisecond, 2*time.Millisecond, time.Second)
	for d, want := range map[time.Duration]uint64{time.Microsecond: 0, 1500 * time.Microsecond: 1, 10 * time.Millisecond: 2, time.Minute: 3} {
		if got := s.Below(d); got != want {
			t.Errorf("%d at most %v, want %d", got, d, want)
		}
	}
}

func BenchmarkRecord(b *testing.B) {
	var h Histogram
	d := 100 * time.Microsecond
	for b.Loop() {
		h.Record(d)
		d = d*5/4&(1<<24-1) + 1000
	}
}

func BenchmarkRecordParallel(b *testing.B) {
	sr := NewSet(Options{}).Series(KindRoute, "GET /")
	b.RunParallel(func(pb *testing.PB) {
		d := 100 * time.Microsecond
		for pb.Next() {
			sr.RecordStatus(d, 200)
			d = d*5/4&(1<<24-1) + 1000
		}
	})
}

func BenchmarkMarshal(b *testing.B) {
	var h Histogram
	for i := range 100_000 {
		h.Record(time.Duration(i*i) * 7)
	}
	s := h.Snapshot()
	for b.Loop() {
		text, _ := s.MarshalText()
		b.ReportMetric(float64(len(text)), "bytes")
		b.ReportMetric(float64(strings.Count(string(text), " ")+1), "buckets")
	}
}
