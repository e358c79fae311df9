package app

import (
	"context"
	"runtime"
	"time"

	"github.com/stampede-shop/stampede/internal/app/running"
	"github.com/stampede-shop/stampede/predict/bottleneck"
	"github.com/stampede-shop/stampede/predict/diagnosis"
)

// adviceOf puts what was found before what is foretold.
func adviceOf(found []diagnosis.Finding, foretold []bottleneck.Advice, now time.Time) []running.Advice {
	list := make([]running.Advice, 0, len(found)+len(foretold))
	for _, f := range found {
		list = append(list, running.Advice{Found: true, Component: f.Component, Fault: f.Fault, Primary: f.Primary, Cause: f.Cause, Since: f.Since, Runbook: f.Runbook, Weight: f.Weight,
			Advice: bottleneck.Advice{Title: f.Title, Resource: f.Fault + "/" + f.Component, Kind: f.Fault, Full: true, When: now, Evidence: f.Evidence,
				Command: f.Command, Confidence: f.Confidence}})
	}
	for _, a := range foretold {
		list = append(list, running.Advice{Advice: a, Since: now})
	}
	return list
}

// examine looks for faults in what is measured now.
func (a *advisor) examine(ctx context.Context, s bottleneck.Sample) {
	if a.measure == nil {
		return
	}
	in, ok := a.measure(ctx)
	if !ok {
		return
	}
	in.cores, in.busy = float64(runtime.NumCPU()), -1
	if busy, known := s.Use["cpu/machine"]; known {
		in.busy = busy
	}
	if x, ok := a.signals.sample(in); ok {
		a.doctor.Observe(x)
		a.signal = &x
	}
}

// measureNow gathers what a diagnosis is made from; false while the dashboard has nothing newer than the last time.
func (p *platformOps) measureNow(ctx context.Context) (measuredNow, bool) {
	all := p.measured.Load()
	if all == nil || all == p.examined {
		return measuredNow{}, false
	}
	p.examined = all
	in := measuredNow{at: time.Now().UTC(), families: *all, members: p.members(), ours: map[string]float64{}}
	in.status, _ = p.status().(running.Status)
	in.probes = probeAll(ctx, p.probes)
	if p.live != nil {
		for _, u := range p.live.Latest().Processes {
			in.ours[u.Name] = u.Cores
		}
	}
	return in, true
}

// causes names what was found, for alerts: they say that something is wrong, and this, where it can be behind it, says what.
func (p *platformOps) causes() []running.Advice {
	out := []running.Advice{}
	if p.advisor == nil {
		return out
	}
	p.advisor.mu.Lock()
	defer p.advisor.mu.Unlock()
	for _, a := range p.advisor.status.Advice {
		if a.Found {
			out = append(out, a)
		}
	}
	return out
}
