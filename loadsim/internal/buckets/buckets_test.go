package buckets

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// durations are a generator of their own for each test: rapid names one at its first use, which parallel tests may not share.
func durations() *rapid.Generator[time.Duration] {
	return rapid.Map(rapid.Float64Range(0, 20.7), func(e float64) time.Duration {
		return time.Duration(math.Exp(e)) * time.Microsecond // up to about 16 minutes
	})
}

func of(all []time.Duration) Sparse {
	var c Counts
	for _, d := range all {
		c.Add(d)
	}
	return c.Sparse()
}

func TestBucketsHoldTheirValues(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := durations().Draw(t, "d")
		low, high := Bounds(Index(d))
		if s := d.Seconds(); s < low-1e-12 || s >= high || d > 32*time.Microsecond && high/low > 1.0626 {
			t.Fatalf("%v is in the bucket from %v to %v", d, low, high)
		}
	})
	for i := range size - 1 {
		if _, high := Bounds(i); high != first(Bounds(i+1)) {
			t.Fatalf("a gap after bucket %d", i)
		}
	}
	if Index(-time.Second) != 0 || Index(time.Hour) != size-1 {
		t.Errorf("out of range: %d %d of %d", Index(-time.Second), Index(time.Hour), size)
	}
}

func first(a, _ float64) float64 { return a }

// Quantiles are those of the values, as closely as buckets are wide; merging is as if all had been counted together.
func TestQuantilesAndMerge(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.SliceOfN(durations(), 1, 200).Draw(t, "a")
		b := rapid.SliceOfN(durations(), 0, 200).Draw(t, "b")
		both := append(slices.Clone(a), b...)
		merged := Merge(of(a), of(b))
		if !slices.Equal(merged, of(both)) || !slices.Equal(Merge(nil, merged), merged) || merged.Count() != int64(len(both)) {
			t.Fatal("merged counts differ from those of all")
		}
		slices.Sort(both)
		q := rapid.Float64Range(0.01, 1).Draw(t, "q")
		want := both[int(math.Ceil(q*float64(len(both))))-1].Seconds()
		if got := merged.Quantile(q); math.Abs(got-want) > 0.063*want+1e-6 {
			t.Fatalf("quantile %v is %v, want %v", q, got, want)
		}
		var back Sparse
		text, _ := merged.MarshalText()
		if err := back.UnmarshalText(text); err != nil || !slices.Equal(back, merged) {
			t.Fatalf("%s: %v", text, err)
		}
	})
}

func TestTake(t *testing.T) {
	t.Parallel()
	var a, b Counts
	a.Add(time.Second)
	b.Add(time.Second)
	a.Take(&b)
	if a.Sparse() != nil || b.Sparse().Count() != 2 || math.Abs(b.Sparse().Sum()-2) > 0.1 {
		t.Errorf("%v %v", a.Sparse(), b.Sparse())
	}
	if Sparse(nil).Quantile(0.5) != 0 {
		t.Error("a quantile of nothing")
	}
}

func FuzzText(f *testing.F) {
	f.Add("1:2 3:4")
	f.Fuzz(func(t *testing.T, text string) {
		var s Sparse
		if s.UnmarshalText([]byte(text)) == nil {
			s.Quantile(0.5)
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	var c Counts
	for d := time.Duration(0); b.Loop(); d += 12345 {
		c.Add(d)
	}
}
