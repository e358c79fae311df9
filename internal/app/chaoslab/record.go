package chaoslab

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/chaos"
	"github.com/stampede-shop/stampede/chaos/experiment"
	"github.com/stampede-shop/stampede/internal/app/running"
	"github.com/stampede-shop/stampede/predict/diagnosis"
)

const recordEvery = 400 * time.Millisecond

// RecordSignals takes what a platform measures for its diagnosis, until ctx ends, and which faults it had in force meanwhile.
func RecordSignals(ctx context.Context, c *running.Client) (samples []diagnosis.Sample, seen []experiment.Window, err error) {
	ids := map[string]int{}
	_ = c.FollowAdvice(ctx, recordEvery, func(st running.AdviceStatus, missed error) error {
		if err = missed; err == nil && st.Signals != nil {
			if n := len(samples); n == 0 || st.Signals.At.After(samples[n-1].At) {
				samples = append(samples, *st.Signals)
			}
			seen = noteInjected(ids, seen, st.Injected)
		}
		return nil
	})
	if len(samples) > 0 {
		err = nil // what was missed meanwhile is missing
	}
	return samples, seen, err
}

// noteInjected keeps from when to when each injection was in force.
func noteInjected(ids map[string]int, seen []experiment.Window, active []chaos.Injection) []experiment.Window {
	for _, in := range active {
		i, known := ids[in.ID]
		if !known {
			i = len(seen)
			ids[in.ID] = i
			seen = append(seen, experiment.Window{Fault: in.Fault, With: in.Params, Since: in.Since})
		}
		seen[i].To = time.Since(in.Since).Seconds()
	}
	return seen
}

// LabelSignals makes a recording of what [RecordSignals] gave.
func LabelSignals(name string, samples []diagnosis.Sample, seen []experiment.Window) diagnosis.Recording {
	return diagnosis.Record(name, samples, causesOf(&experiment.Report{Name: name, Windows: seen}, samples))
}

// Record runs f while the platform is recorded, and labels the recording with the faults of the report that f makes.
func (c *Chaos) Record(ctx context.Context, f func() (*experiment.Report, error)) (diagnosis.Recording, *experiment.Report, error) {
	ctx2, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan []diagnosis.Sample, 1)
	go func() {
		samples, _, _ := RecordSignals(ctx2, c.client) // without samples there is no recording, which the caller sees
		done <- samples
	}()
	r, err := f()
	select { // what comes after the last fault belongs to it
	case <-time.After(recordAfter):
	case <-ctx.Done():
	}
	cancel()
	samples := <-done
	if r == nil || len(samples) == 0 {
		return diagnosis.Recording{}, r, err
	}
	return diagnosis.Record(r.Name, samples, causesOf(r, samples)), r, err
}

const recordAfter = 3 * time.Second

// causesOf are what was injected, as a diagnosis would name it.
func causesOf(r *experiment.Report, samples []diagnosis.Sample) (list []diagnosis.Cause) {
	began := samples[0].At
	for _, w := range r.Windows {
		from, to := w.Since.Sub(began).Seconds(), w.Since.Sub(began).Seconds()+w.To-w.From
		for _, c := range causeOf(r.Name, w, rolesAt(samples, w.Since)) {
			c.From, c.To = from, to
			i := slices.IndexFunc(list, func(o diagnosis.Cause) bool {
				return o.Component == c.Component && o.Fault == c.Fault && c.From < o.To+1
			})
			if i < 0 {
				list = append(list, c)
				continue
			}
			list[i].From, list[i].To = min(list[i].From, c.From), max(list[i].To, c.To)
		}
	}
	return list
}

// rolesAt are who was primary, and who a replica, at a moment.
func rolesAt(samples []diagnosis.Sample, at time.Time) (roles map[string]string) {
	roles = map[string]string{"@primary": "primary", "@replica": "replica-1"}
	for _, s := range samples {
		if s.At.After(at) {
			break
		}
		for name := range s.Values {
			node, is := strings.CutPrefix(name, "replica.primary/")
			if !is {
				continue
			}
			roles["@primary"] = node
			for other := range s.Values {
				if n, ok := strings.CutPrefix(other, "replica.lag/"); ok && n != node && !strings.HasSuffix(n, "-standby") {
					roles["@replica"] = n
				}
			}
		}
	}
	return roles
}

// faultNames are what the faults of the chaos engine are to a diagnosis; where "" is the component, the target is.
var faultNames = map[string]diagnosis.Cause{
	"process-kill": {Fault: diagnosis.Down}, "process-down": {Fault: diagnosis.Down}, "process-pause": {Fault: diagnosis.Hang},
	"link-cut": {Fault: diagnosis.Unreachable}, "link-half-open": {Fault: diagnosis.Unreachable}, "link-slow": {Fault: diagnosis.Slow}, "link-loss": {Fault: diagnosis.Slow},
	replicaPauseFault: {Fault: diagnosis.Lag}, diskSlowFault: {Fault: diagnosis.DiskSlow}, databaseFullFault: {Fault: diagnosis.DiskFull},
	"cache-flush": {Component: "redis", Fault: diagnosis.Emptied}, paymentFault: {Component: "payment", Fault: diagnosis.Silent},
	"route-error": {Fault: diagnosis.Errors}, "cpu-pressure": {Component: "machine", Fault: diagnosis.Pressure}, "crowd": {Component: running.EdgeName, Fault: diagnosis.Spike},
	"slow-clients": {Component: running.EdgeName, Fault: diagnosis.SlowClients}, "clock-skew": {Fault: diagnosis.Skew},
}

func causeOf(run string, w experiment.Window, roles map[string]string) []diagnosis.Cause {
	c, known := faultNames[w.Fault]
	if !known {
		return nil // edits of the catalogue are no fault
	}
	target := w.With["target"] + w.With["process"] + w.With["database"]
	if link := w.With["link"]; link != "" {
		_, target, _ = strings.Cut(link, ":")
	}
	if name, role := roles[target]; role {
		target = name
	}
	if c.Component == "" {
		c.Component = target
	}
	if strings.HasSuffix(c.Component, "*") { // all of a role: two are what the experiments ask for
		a, b := c, c
		a.Component, b.Component = strings.ReplaceAll(c.Component, "*", "1"), strings.ReplaceAll(c.Component, "*", "2")
		return []diagnosis.Cause{a, b}
	}
	if run == "hot-product" {
		return []diagnosis.Cause{c, {Component: running.EdgeName, Fault: diagnosis.HotProduct}}
	}
	return []diagnosis.Cause{c}
}
