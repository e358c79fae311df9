package loadsim

import (
	"maps"
	"time"
)

// Snapshot is how a run stands, for progress displays.
type Snapshot struct {
	Target   string
	Scenario string
	Model    string
	Elapsed  time.Duration
	Duration time.Duration
	Users    int64                // shoppers at work
	Level    float64              // intended now: arrivals a second, or shoppers at once
	Requests int64                // so far
	Errors   int64                // so far
	Orders   int64                // so far
	Places   int64                // answers so far that were a place in the waiting room
	Kinds    map[string]int64     // errors so far by kind
	Steps    map[string]StepPoint // so far
	Lag      float64              // 99 % of the requests were sent within this many seconds of when they were due
	Last     Point                // the last second
}

// tick makes a point of the time series every second and tells the progress.
func (r *run) tick(clock *series, stop <-chan struct{}) {
	every := time.NewTicker(time.Second)
	defer every.Stop()
	for {
		select {
		case <-stop:
			return
		case <-every.C:
		}
		select {
		case <-stop:
			return // both were ready: the last point is not ours to make
		default:
		}
		elapsed := time.Since(r.started)
		last := clock.advance(elapsed, r.gauges(elapsed))
		if r.opts.Progress != nil {
			r.opts.Progress(r.snapshot(elapsed, clock, last))
		}
	}
}

// advance closes an interval and returns it.
func (s *series) advance(elapsed time.Duration, g gauges) Point {
	p := s.gather(elapsed.Seconds(), g)
	s.add(p)
	return p
}

func (r *run) gauges(elapsed time.Duration) gauges {
	return gauges{users: r.atWork.Load(), area: r.curve.Below(elapsed) / float64(r.opts.Parts)}
}

func (r *run) snapshot(elapsed time.Duration, clock *series, last Point) Snapshot {
	s := Snapshot{
		Target: r.opts.Target, Scenario: r.plan.Name, Model: r.plan.Load.Model, Elapsed: elapsed, Duration: r.curve.Length(),
		Users: last.Users, Level: last.Level, Kinds: map[string]int64{}, Steps: maps.Clone(clock.total), Last: last,
	}
	lag := stats{hist: newCoarse()}
	for _, t := range r.rec.tallies {
		t.mu.Lock()
		s.Errors += t.Bad
		s.Orders += t.Orders
		s.Places += t.Places
		for kind, f := range t.failed {
			s.Kinds[kind] += f.Count
		}
		lag.merge(&t.lag)
		t.mu.Unlock()
	}
	s.Lag = lag.latency().P99
	for _, step := range s.Steps {
		s.Requests += step.Requests()
	}
	return s
}

// Merge adds up how several generators stand.
func (s Snapshot) Merge(o Snapshot) Snapshot {
	if s.Target == "" {
		return o
	}
	sum := s
	sum.Elapsed, sum.Lag = max(s.Elapsed, o.Elapsed), max(s.Lag, o.Lag)
	sum.Users, sum.Level = s.Users+o.Users, s.Level+o.Level
	sum.Requests, sum.Errors, sum.Orders, sum.Places = s.Requests+o.Requests, s.Errors+o.Errors, s.Orders+o.Orders, s.Places+o.Places
	sum.Kinds = addUp(maps.Clone(s.Kinds), o.Kinds)
	sum.Steps = joinSteps(s.Steps, o.Steps)
	sum.Last = s.Last.join(o.Last, false)
	return sum
}
