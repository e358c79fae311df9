package chaoslab

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/stampede-shop/stampede/chaos/experiment"
	"github.com/stampede-shop/stampede/loadsim"
)

const allSteps = "all"

// crowdPlayer offers an experiment's load.
type crowdPlayer struct {
	runner   *loadsim.Runner
	progress func(loadsim.Snapshot)
	watch    func(experiment.Metrics) // while it plays
}

func (p *crowdPlayer) tick(s loadsim.Snapshot) {
	if p.progress != nil {
		p.progress(s)
	}
	p.watch(metricsOf(s.Last))
}

// Play implements experiment.Player.
func (p *crowdPlayer) Play(ctx context.Context, watch func(experiment.Metrics)) (experiment.Load, error) {
	p.watch = watch
	rec, err := p.runner.Run(ctx)
	if rec == nil {
		return nil, err
	}
	return &shoppers{rec.Report()}, err
}

// shoppers is what was measured of a load.
type shoppers struct{ *loadsim.Report }

// Started implements experiment.Load.
func (s *shoppers) Started() time.Time { return s.Summary.StartedAt }

// Doubts implements experiment.Load.
func (s *shoppers) Doubts() []string { return s.Summary.Invalid }

// Failures implements experiment.Load.
func (s *shoppers) Failures() (list []string) {
	for _, kind := range slices.Sorted(maps.Keys(s.Errors)) {
		f := s.Errors[kind]
		line := fmt.Sprintf("%d × %s", f.Count, kind)
		if len(f.Samples) > 0 {
			line += ", such as " + f.Samples[0]
		}
		list = append(list, line)
	}
	return list
}

// Series implements experiment.Load.
func (s *shoppers) Series() (list []experiment.Point) {
	points := s.Report.Series
	if n := len(points); n > 1 && points[n-1].Seconds < points[n-2].Seconds/2 {
		points = points[:n-1] // a rest too short to draw
	}
	for _, p := range points {
		x := experiment.Point{At: p.Start + p.Seconds/2, P50: p.P50, P99: p.P99}
		if p.Seconds > 0 {
			x.Rate = float64(p.Requests) / p.Seconds
		}
		if p.Requests > 0 {
			x.Errors = float64(p.Errors) / float64(p.Requests)
		}
		list = append(list, x)
	}
	return list
}

// Metrics implements experiment.Load. Parts are whole intervals of the series: those whose middle lies within.
func (s *shoppers) Metrics(from, to time.Duration) experiment.Metrics {
	var sum loadsim.Point
	n := 0
	for _, p := range s.Report.Series {
		middle := time.Duration((p.Start + p.Seconds/2) * float64(time.Second))
		if middle < from || to > 0 && middle > to {
			continue
		}
		if n++; n == 1 {
			sum = p
		} else {
			sum = sum.Join(p)
		}
	}
	m := metricsOf(sum)
	if from == 0 && to == 0 && n > 0 {
		m["orders"] = float64(s.Summary.Orders)
	}
	return m
}

// metricsOf are the figures of an interval, of all steps together and of each.
func metricsOf(p loadsim.Point) experiment.Metrics {
	m := experiment.Metrics{}
	if p.Seconds > 0 {
		m["throughput"] = float64(p.Requests) / p.Seconds
	}
	if p.Requests == 0 {
		return m
	}
	all := p.All()
	m["success_rate"], m["error_rate"] = 1-float64(p.Errors)/float64(p.Requests), float64(p.Errors)/float64(p.Requests)
	m["p50"], m["p95"], m["p99"] = all.Quantile(0.50), all.Quantile(0.95), all.Quantile(0.99)
	for name, step := range p.Steps {
		n := step.Requests()
		if n == 0 {
			continue
		}
		bad := float64(step.Errors) / float64(n)
		m["success_rate("+name+")"], m["error_rate("+name+")"], m["count("+name+")"] = 1-bad, bad, float64(n)
		m["p50("+name+")"], m["p95("+name+")"], m["p99("+name+")"] = step.Times.Quantile(0.50), step.Times.Quantile(0.95), step.Times.Quantile(0.99)
	}
	return m
}
