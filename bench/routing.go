package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
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
// session token), and by the right pool, known beforehand. Both use the same pools. Overhead is measured twice, each the median over
// the rounds of ours to bare within a round: by the rate of reads, and by the processor time of a read, of this process and PostgreSQL's,
// which what else the machine does disturbs less. The controls say how far from 1 each is when there is nothing to find.
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
	var ratios, controls quotients
	for i := range routingRounds + 2 { // the first two warm up
		if i == 2 {
			routed, bare, ratios, controls = side{}, side{}, quotients{}, quotients{}
		}
		if err := r.round(ctx, r.routed, r.direct, &routed, &bare, &ratios); err != nil {
			return result{}, err
		}
		if i%routingControl == 0 {
			if err := r.round(ctx, r.direct, r.direct, &side{}, &side{}, &controls); err != nil {
				return result{}, err
			}
		}
	}
	return routingResult(routed, bare, ratios, controls), nil
}

// side is what one way of reading has done so far.
type side struct {
	rates []float64
	reads int
	cpu   spent
}

func (s side) plus(o side) side {
	return side{append(s.rates, o.rates...), s.reads + o.reads, s.cpu.plus(o.cpu)}
}

// each is the processor time of a read in microseconds.
func (s side) each(of time.Duration) float64 {
	return float64(of.Nanoseconds()) / float64(s.reads) / 1000
}

// quotients are those of ours to bare, one a round: of the rates, and of the processor time of a read.
type quotients struct{ rate, cpu []float64 }

// overhead is a loss in percent, with the interval that it is in with 95 % certainty.
type overhead struct{ percent, low, high float64 }

func (o overhead) String() string {
	return fmt.Sprintf("%.1f %% (%.1f to %.1f)", o.percent, o.low, o.high)
}

func (o overhead) interval() []float64 { return []float64{o.low, o.high} }

// ofRates is what ratios of rates lose.
func ofRates(v []float64) overhead {
	low, high := interval(v)
	return overhead{100 * (1 - median(v)), 100 * (1 - high), 100 * (1 - low)}
}

// ofCosts is what ratios of costs add.
func ofCosts(v []float64) overhead {
	low, high := interval(v)
	return overhead{100 * (median(v) - 1), 100 * (low - 1), 100 * (high - 1)}
}

func routingResult(routed, bare side, ratios, controls quotients) result {
	rate, cpu := ofRates(ratios.rate), ofCosts(ratios.cpu)
	rateControl, cpuControl := ofRates(controls.rate), ofCosts(controls.cpu)
	fmt.Fprintf(os.Stderr, "overhead by rate %s, bare against bare %s; by CPU of a read %s, bare against bare %s\n", rate, rateControl, cpu, cpuControl)
	fmt.Fprintf(os.Stderr, "CPU of a read: %.2f µs here and %.2f in PostgreSQL, bare %.2f and %.2f\n",
		routed.each(routed.cpu.here), routed.each(routed.cpu.servers), bare.each(bare.cpu.here), bare.each(bare.cpu.servers))
	return result{Unit: "reads/s", Ours: median(routed.rates), Anchor: median(bare.rates), Ratio: median(ratios.rate),
		Spread: spread(routed.rates), Runs: routingRounds, Details: map[string]any{"callers": routingCallers,
			"overhead_percent": rate.percent, "overhead_percent_95": rate.interval(),
			"control_percent": rateControl.percent, "control_percent_95": rateControl.interval(),
			"overhead_cpu_percent": cpu.percent, "overhead_cpu_percent_95": cpu.interval(),
			"control_cpu_percent": cpuControl.percent, "control_cpu_percent_95": cpuControl.interval(),
			"cpu_us": routed.each(routed.cpu.here), "anchor_cpu_us": bare.each(bare.cpu.here),
			"cpu_all_us": routed.each(routed.cpu.all()), "anchor_cpu_all_us": bare.each(bare.cpu.all())}}
}

// round measures a, b, b and a, so that what drifts evenly favours neither, and adds what they did and how they compare.
func (r *routing) round(ctx context.Context, a, b func(context.Context, int) error, of, to *side, q *quotients) error {
	var both [2]side
	for i, way := range []func(context.Context, int) error{a, b, b, a} {
		did, err := r.stretch(ctx, way)
		if err != nil {
			return err
		}
		s := &both[(i+1)/2%2]
		*s = s.plus(did)
	}
	*of, *to = of.plus(both[0]), to.plus(both[1])
	q.rate = append(q.rate, (both[0].rates[0]+both[0].rates[1])/(both[1].rates[0]+both[1].rates[1]))
	q.cpu = append(q.cpu, both[0].each(both[0].cpu.all())/both[1].each(both[1].cpu.all()))
	return nil
}

// stretch reads in one way for routingTime.
func (r *routing) stretch(ctx context.Context, way func(context.Context, int) error) (side, error) {
	ctx = replica.WithToken(ctx, r.token)
	before := spentNow()
	n, took, err := hammer(ctx, routingCallers, routingTime, func(ctx context.Context) error { return way(ctx, rand.IntN(routingRows)) })
	if err != nil {
		return side{}, err
	}
	return side{[]float64{float64(n) / took.Seconds()}, n, spentNow().minus(before)}, nil
}
