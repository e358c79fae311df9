package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"syscall"
	"time"

	"github.com/stampede-shop/stampede/replica"
)

const (
	routingCallers = 16
	routingRounds  = 120                    // of ours, bare, bare, ours
	routingTime    = 100 * time.Millisecond // short and many: what else the machine does meanwhile falls on both alike
	routingControl = 4                      // every so many rounds one is bare against bare
	routingRows    = 1000
)

// benchRouting reads rows by key from four shards' replica, with 16 callers: by shard and replica (ring, choice of the node,
// session token), and by the right pool, known beforehand. Both use the same pools. Ratio is the median, over the rounds, of ours to
// bare within a round; the control says how far from 1 the method is when there is nothing to find.
func benchRouting(ctx context.Context) (result, error) { return withCluster(ctx, 1, compareRouting) }

func compareRouting(ctx context.Context, c *cluster) (result, error) {
	r, err := newRouting(ctx, c)
	if err != nil {
		return result{}, err
	}
	defer r.group.Close()
	if err := r.ready(ctx); err != nil {
		return result{}, err
	}
	var routed, bare side
	var ratios, controls []float64
	for i := range routingRounds + 2 { // the first two warm up
		if i == 2 {
			routed, bare, ratios, controls = side{}, side{}, nil, nil
		}
		ratio, err := r.round(ctx, r.routed, r.direct, &routed, &bare)
		if err != nil {
			return result{}, err
		}
		ratios = append(ratios, ratio)
		if i%routingControl == 0 {
			if ratio, err = r.round(ctx, r.direct, r.direct, &side{}, &side{}); err != nil {
				return result{}, err
			}
			controls = append(controls, ratio)
		}
	}
	return routingResult(routed, bare, ratios, controls), nil
}

// side is what one way of reading has done so far.
type side struct {
	rates []float64
	reads int
	cpu   time.Duration // of this process
}

func routingResult(routed, bare side, ratios, controls []float64) result {
	low, high := interval(ratios)
	clow, chigh := interval(controls)
	each := func(s side) float64 { return float64(s.cpu.Nanoseconds()) / float64(s.reads) / 1000 }
	fmt.Fprintf(os.Stderr, "overhead %.1f %% (95 %%: %.1f to %.1f); bare against bare %.1f %% (%.1f to %.1f); CPU of a read here %.2f µs, bare %.2f µs\n",
		percent(median(ratios)), percent(high), percent(low), percent(median(controls)), percent(chigh), percent(clow), each(routed), each(bare))
	return result{Unit: "reads/s", Ours: median(routed.rates), Anchor: median(bare.rates), Ratio: median(ratios),
		Spread: spread(routed.rates), Runs: routingRounds, Details: map[string]any{
			"callers": routingCallers, "overhead_percent": percent(median(ratios)), "overhead_percent_95": []float64{percent(high), percent(low)},
			"control_percent": percent(median(controls)), "control_percent_95": []float64{percent(chigh), percent(clow)},
			"cpu_us": each(routed), "anchor_cpu_us": each(bare)}}
}

// percent is what a ratio of rates loses.
func percent(ratio float64) float64 { return 100 * (1 - ratio) }

// round measures a, b, b and a, so that what drifts evenly favours neither, and gives the ratio of their reads.
func (r *routing) round(ctx context.Context, a, b func(context.Context, int) error, of, to *side) (float64, error) {
	ctx = replica.WithToken(ctx, r.token)
	var reads [2]float64
	for i, way := range []func(context.Context, int) error{a, b, b, a} {
		first := i == 0 || i == 3
		s := to
		if first {
			s = of
		}
		before := cpuHere()
		n, took, err := hammer(ctx, routingCallers, routingTime, func(ctx context.Context) error { return way(ctx, rand.IntN(routingRows)) })
		if err != nil {
			return 0, err
		}
		rate := float64(n) / took.Seconds()
		s.rates, s.reads, s.cpu = append(s.rates, rate), s.reads+n, s.cpu+cpuHere()-before
		if first {
			reads[0] += rate
		} else {
			reads[1] += rate
		}
	}
	return reads[0] / reads[1], nil
}

// cpuHere is the processor time of this process.
func cpuHere() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
