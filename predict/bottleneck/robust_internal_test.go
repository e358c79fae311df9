package bottleneck

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

func noisy(n int, slope, noise float64, seed uint64) (x, y []float64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	for i := range n {
		x = append(x, float64(i-n+1)*4)
		y = append(y, 0.5+slope*x[i]+noise*rng.NormFloat64())
	}
	return x, y
}

// A quarter of wild values does not sway a Theil–Sen line.
func TestTheilSenIsRobust(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		slope := rapid.Float64Range(-0.01, 0.01).Draw(t, "slope")
		x, y := noisy(40, slope, 0.001, rapid.Uint64().Draw(t, "seed"))
		for i := range 10 {
			y[(i*4+1)%40] = rapid.Float64Range(-1e3, 1e3).Draw(t, "wild")
		}
		l := theilSen(x, y)
		if math.Abs(l.slope-slope) > 3e-4 || l.low > l.slope || l.high < l.slope {
			t.Fatalf("slope %v: %+v", slope, l)
		}
	})
}

// Its interval holds the slope about as often as it says.
func TestTheilSenCovers(t *testing.T) {
	t.Parallel()
	const runs = 400
	in, significant := 0, 0
	for i := range uint64(runs) {
		x, y := noisy(30, 0.002, 0.05, i)
		if l := theilSen(x, y); l.low <= 0.002 && l.high >= 0.002 {
			in++
		}
		x, y = noisy(30, 0, 0.05, i)
		if theilSen(x, y).significant() {
			significant++
		}
	}
	if in < runs*91/100 || significant > runs*6/100 {
		t.Errorf("of %d intervals %d hold the slope; %d of no slope are significant", runs, in, significant)
	}
}

func TestTheilSenOfLittle(t *testing.T) {
	t.Parallel()
	for _, x := range [][]float64{nil, {1}, {2, 2, 2}} {
		if l := theilSen(x, make([]float64, len(x))); l.significant() || l.slope != 0 {
			t.Errorf("%v: %+v", x, l)
		}
	}
}

// A step is found where it is, a ramp has none.
func TestStep(t *testing.T) {
	t.Parallel()
	x, y := noisy(40, 0, 0.01, 3)
	for i := 25; i < 40; i++ {
		y[i] += 0.3
	}
	if at := step(x, y, theilSen(x, y)); at != 25 {
		t.Errorf("found at %d", at)
	}
	x, y = noisy(40, 0.003, 0.01, 3)
	if at := step(x, y, theilSen(x, y)); at != 0 {
		t.Errorf("a ramp has a step at %d", at)
	}
}

// A watcher notices what is far off and levels that shift, and little else.
func TestWatcher(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	var w watcher
	false1, false2 := 0, 0
	for range 1000 {
		w.add(0.4 + 0.02*rng.NormFloat64())
		if w.anomalous() {
			false1++
		}
		if w.shifted(0) {
			false2++
		}
	}
	if false1 > 2 || false2 > 5 {
		t.Errorf("%d anomalies and %d shifts in noise", false1, false2)
	}
	w.add(0.9)
	if !w.anomalous() {
		t.Errorf("0.9 is ordinary: z = %v", w.z)
	}
	for range 15 {
		w.add(0.5 + 0.02*rng.NormFloat64())
	}
	if !w.shifted(15) {
		t.Error("no shift was noticed")
	}
}
