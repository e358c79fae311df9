package usl

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestLaw(t *testing.T) {
	t.Parallel()
	l := Law{100, 0.1, 0.01}
	if l.Throughput(1) != 100 || l.Efficiency(1) != 1 || l.Speedup(1) != 1 {
		t.Errorf("one alone: %v %v %v", l.Throughput(1), l.Efficiency(1), l.Speedup(1))
	}
	if !near(l.Throughput(2), 200/1.12, 1e-9) || !near(l.Speedup(2), 2*l.Efficiency(2), 1e-12) {
		t.Errorf("two: %v", l.Throughput(2))
	}
	if !near(l.Peak(), math.Sqrt(90), 1e-9) || l.Limit() != l.Throughput(l.Peak()) {
		t.Errorf("peak %v, limit %v", l.Peak(), l.Limit())
	}
	if amdahl := (Law{100, 0.1, 0}); !math.IsInf(amdahl.Peak(), 1) || !near(amdahl.Limit(), 1000, 1e-9) {
		t.Errorf("Amdahl: peak %v, limit %v", amdahl.Peak(), amdahl.Limit())
	}
	if linear := (Law{Lambda: 100}); !math.IsInf(linear.Limit(), 1) {
		t.Errorf("linear: %v", linear.Limit())
	}
	if serial := (Law{100, 1.5, 0.1}); serial.Peak() != 1 || serial.Limit() != 100 {
		t.Errorf("serial: peak %v, limit %v", serial.Peak(), serial.Limit())
	}
}

// Needed is the first number that is enough.
func TestNeeded(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l := Law{100, rapid.Float64Range(0, 1.2).Draw(t, "sigma"), rapid.SampledFrom([]float64{0, 1e-6, 1e-3, 0.05, 0.5}).Draw(t, "kappa")}
		x := rapid.Float64Range(0.1, 5000).Draw(t, "throughput")
		n, ok := l.Needed(x)
		first := 0
		for i := 1; i <= 20_000 && first == 0; i++ {
			if l.Throughput(float64(i)) >= x {
				first = i
			}
		}
		if ok != (first > 0) && (n <= 20_000 || first > 0) {
			t.Fatalf("%+v for %v: %d %t, the first that is enough is %d", l, x, n, ok, first)
		}
		if ok && first > 0 && n != first {
			t.Fatalf("%+v for %v: %d, the first that is enough is %d", l, x, n, first)
		}
	})
	if n, ok := (Law{Lambda: 100}).Needed(0); n != 0 || !ok {
		t.Errorf("nothing needs %d, %t", n, ok)
	}
}
