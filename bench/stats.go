package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}

func spread(v []float64) float64 { return (slices.Max(v) - slices.Min(v)) / median(v) }

// interval is where the median of what v was drawn from lies with 95 % certainty: between the order statistics that a
// fair coin leaves around the middle (sign test), whatever the distribution.
func interval(v []float64) (low, high float64) {
	s := slices.Sorted(slices.Values(v))
	n := float64(len(s))
	off := 0.98 * math.Sqrt(n) // 1.96 standard deviations of n fair coins
	return s[max(0, int(math.Floor(n/2-off))-1)], s[min(len(s)-1, int(math.Ceil(n/2+off)))]
}

// estimate is a mean and the interval that holds it with 95 % certainty.
type estimate struct{ mean, low, high float64 }

// plus is the sum of two that have nothing to do with each other.
func (e estimate) plus(o estimate) estimate {
	mean := e.mean + o.mean
	return estimate{mean, mean - math.Hypot(e.mean-e.low, o.mean-o.low), mean + math.Hypot(e.high-e.mean, o.high-o.mean)}
}

// bootstrapped is the mean of v without the tenth of it that lies farthest out on either side (when a machine is shared, somebody may
// have done anything in it), and its interval: between the percentiles of such means of samples that are drawn from v, as many as v has,
// with replacement. v must not be empty.
func bootstrapped(v []float64) estimate {
	const draws = 1000
	rng := rand.New(rand.NewPCG(1, uint64(len(v)))) //nolint:gosec // the same values, the same interval
	means, sample := make([]float64, draws), make([]float64, len(v))
	for i := range means {
		for j := range sample {
			sample[j] = v[rng.IntN(len(v))]
		}
		means[i] = trimmedMean(sample)
	}
	slices.Sort(means)
	return estimate{trimmedMean(slices.Clone(v)), means[draws*25/1000], means[draws*975/1000]}
}

// trimmedMean sorts v, and is the mean without a tenth of it at either end.
func trimmedMean(v []float64) (mean float64) {
	slices.Sort(v)
	v = v[len(v)/10 : len(v)-len(v)/10]
	for _, x := range v {
		mean += x / float64(len(v))
	}
	return mean
}

// timing is what callers saw.
type timing struct {
	rate          float64 // calls a second
	p50, p95, p99 time.Duration
}

// timingOf sorts all, the times of calls made within took.
func timingOf(all []time.Duration, took time.Duration) timing {
	if len(all) == 0 {
		return timing{}
	}
	slices.Sort(all)
	at := func(percent int) time.Duration { return all[min(len(all)-1, len(all)*percent/100)] }
	return timing{float64(len(all)) / took.Seconds(), at(50), at(95), at(99)}
}

// ms is a duration in milliseconds, to the microsecond.
func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
