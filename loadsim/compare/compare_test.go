package compare

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/loadsim"
	"github.com/stampede-shop/stampede/loadsim/internal/buckets"
)

// run makes a report of so many seconds, drawn from one distribution; slowness drifts from second to second, as it does
// on machines that others use, too.
func run(seed uint64, seconds int, factor, errors float64) *loadsim.Report {
	rng := rand.New(rand.NewPCG(seed, 2))
	r := &loadsim.Report{Summary: loadsim.Summary{Scenario: "browse", Users: 10, Valid: true}, ResponseTimes: map[string]loadsim.Latency{}}
	var all buckets.Sparse
	drift := 0.0
	for i := range seconds {
		drift = 0.6*drift + 0.05*rng.NormFloat64()
		var c buckets.Counts
		n := 150 + rng.IntN(20)
		bad := int64(0)
		for range n {
			c.Add(time.Duration(factor * math.Exp(drift+0.5*rng.NormFloat64()) * float64(10*time.Millisecond)))
			if rng.Float64() < errors {
				bad++
			}
		}
		p := loadsim.Point{Start: float64(i), Seconds: 1, Requests: int64(n), Errors: bad, Steps: map[string]loadsim.StepPoint{"browse": {Errors: bad, Times: c.Sparse()}}}
		r.Series = append(r.Series, p)
		r.Summary.TotalRequests += int64(n)
		r.Summary.Failed += bad
		all = buckets.Merge(all, c.Sparse())
	}
	l := loadsim.Latency{Count: all.Count(), Avg: all.Sum() / float64(all.Count()), P50: all.Quantile(0.5), P95: all.Quantile(0.95), P99: all.Quantile(0.99)}
	r.ResponseTimes["browse"], r.ResponseTimes["all"] = l, l
	r.Summary.Duration = float64(seconds)
	r.Summary.Throughput = float64(r.Summary.TotalRequests) / float64(seconds)
	return r
}

func compared(t *testing.T, a, b *loadsim.Report, resamples int) map[string]Metric {
	t.Helper()
	r, err := Reports(a, b, Options{Resamples: resamples})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]Metric{}
	for _, m := range r.Metrics {
		if m.Low > m.Change+1e-9 || m.High < m.Change-1e-9 {
			t.Errorf("%s: %v is not within %v to %v", m.Name, m.Change, m.Low, m.High)
		}
		got[m.Name+m.Step] = m
	}
	return got
}

// Runs of the same are told apart about as rarely as the confidence says.
func TestSameRunsAreRarelyToldApart(t *testing.T) {
	t.Parallel()
	const runs = 30
	wrong := map[string]int{}
	for seed := range uint64(runs) {
		for name, m := range compared(t, run(2*seed, 40, 1, 0.01), run(2*seed+1, 40, 1, 0.01), 120) {
			if m.Verdict != NoProof {
				wrong[name]++
			}
		}
	}
	for name, n := range wrong {
		if n > runs/5 { // one or two are due; blocks of four do not catch the whole drift
			t.Errorf("%s: told apart %d times of %d", name, n, runs)
		}
	}
}

// A difference that is there is found, with its sign and about its size.
func TestDifferencesAreFound(t *testing.T) {
	t.Parallel()
	got := compared(t, run(1, 40, 1, 0.01), run(2, 40, 1.3, 0.05), 400)
	for _, name := range []string{"avgbrowse", "p50browse", "p95browse", "p99browse", "p95all"} {
		if m := got[name]; m.Verdict != Worse || m.Change < 0.2 || m.Change > 0.4 || m.High-m.Low > 0.3 {
			t.Errorf("%+v", m)
		}
	}
	if m := got["error_rate"]; m.Verdict != Worse || m.Change < 0.03 || m.Change > 0.05 {
		t.Errorf("%+v", m)
	}
	if m := compared(t, run(2, 40, 1.3, 0), run(1, 40, 1, 0), 400)["p95browse"]; m.Verdict != Better {
		t.Errorf("%+v", m)
	}
}

func TestShortRunsAndWarnings(t *testing.T) {
	t.Parallel()
	if _, err := Reports(run(1, 5, 1, 0), run(2, 40, 1, 0), Options{}); !errors.Is(err, ErrTooShort) || !strings.Contains(err.Error(), "A has 5 slices") {
		t.Errorf("%v", err)
	}
	a, b := run(1, 300, 1, 0), run(2, 200, 1, 0)
	a.Summary.Valid, a.Summary.Invalid = false, []string{"late"}
	b.Summary.Scenario, b.Summary.Users, b.Summary.Interrupted = "journey", 20, true
	r, err := Reports(a, b, Options{Resamples: 50, Confidence: 0.9})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(r.Warnings); got != "[A is not valid: late B was broken off the scenarios differ: browse and journey the loads differ: 10 users and 20 users]" {
		t.Errorf("%s", got)
	}
	if m := r.Metrics[0]; m.Name != throughput || m.Verdict != Asked {
		t.Errorf("of different loads: %+v", m)
	}
	if r.SlicesA != 60 || r.SlicesB != 50 {
		t.Errorf("%d and %d slices", r.SlicesA, r.SlicesB)
	}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil || !strings.Contains(text.String(), "90 % interval") || !strings.Contains(text.String(), "p95(browse)") || !strings.Contains(text.String(), "WARNING: A is not valid") {
		t.Errorf("%s", text.String())
	}
}
