package experiment

import (
	"context"
	"fmt"
	"time"
)

// Options of a run; the zero value works.
type Options struct {
	// Progress is told, in a line, what happens. nil: nobody is.
	Progress func(format string, args ...any)
}

// Times that have nothing to do with the experiment itself.
const (
	settleLimit = 3 * time.Minute // before each load
	undoLimit   = time.Minute     // for all faults together
	auditLimit  = 2 * time.Minute
	grace       = time.Second // after the last fault, before "after" begins
)

// run is one experiment under way.
type run struct {
	e   *Experiment
	lab Lab
	say func(string, ...any)
	out *Report
}

// Run runs an experiment. The error says that it could not be run; that it fails is in the report, which is nil only if
// nothing was begun.
func Run(ctx context.Context, lab Lab, e *Experiment, o Options) (*Report, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	if o.Progress == nil {
		o.Progress = func(string, ...any) {}
	}
	if err := lab.Ready(ctx, e); err != nil {
		return nil, fmt.Errorf("%s: %w", e.Name, err)
	}
	r := &run{e: e, lab: lab, say: o.Progress, out: &Report{Name: e.Name, About: e.About, Started: time.Now().UTC()}}
	if err := r.pair(ctx); err != nil {
		r.out.judge()
		return r.out, fmt.Errorf("%s: %w", e.Name, err)
	}
	r.out.judge()
	return r.out, nil
}

// pair offers the load without and with the faults.
func (r *run) pair(ctx context.Context) error {
	if err := r.warm(ctx); err != nil {
		return err
	}
	r.say("%s: the load without faults", r.e.Name)
	without, err := r.play(ctx, nil)
	if err != nil {
		return err
	}
	r.out.Without = sideOf(without)
	steady := r.checks("steady", r.e.Steady, without.Metrics(0, 0))
	if err := r.audit(ctx, "without"); err != nil {
		return err
	}
	if !steady {
		r.out.Reason = "the steady state does not hold without faults, so that nothing can be told about them"
		return nil
	}
	r.say("%s: the load with faults", r.e.Name)
	f := &faultRun{run: r}
	with, err := r.play(ctx, f)
	if with != nil {
		r.out.With = sideOf(with)
		f.judge(with)
		r.out.Windows = f.windows(with)
	}
	if err != nil && !f.aborted() {
		return err
	}
	if err := r.recover(ctx); err != nil {
		return err
	}
	if err := r.audit(ctx, "with"); err != nil {
		return err
	}
	return r.compare(without, with)
}

// ready waits until the system is whole, and makes the load ready.
func (r *run) ready(ctx context.Context) (Player, error) {
	settle, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	if err := r.lab.Settle(settle); err != nil {
		return nil, fmt.Errorf("the system is not whole, so that nothing is begun: %w", err)
	}
	return r.lab.Prepare(ctx, &r.e.Load)
}

// play offers the load once.
func (r *run) play(ctx context.Context, f *faultRun) (Load, error) {
	p, err := r.ready(ctx)
	if err != nil {
		return nil, err
	}
	if f == nil {
		return p.Play(ctx, func(Metrics) {})
	}
	return f.play(ctx, p)
}

// warm offers the load for a while, for nothing to be measured.
func (r *run) warm(ctx context.Context) error {
	if r.e.Warm < 0 {
		return nil
	}
	p, err := r.ready(ctx)
	if err != nil {
		return err
	}
	short, cancel := context.WithTimeout(ctx, r.e.Warm)
	defer cancel()
	if _, err := p.Play(short, func(Metrics) {}); err != nil && short.Err() == nil {
		return err
	}
	return ctx.Err()
}

// recover waits until the system is whole again after the faults.
func (r *run) recover(ctx context.Context) error {
	begin := time.Now()
	limit, cancel := context.WithTimeout(ctx, r.e.Recovery)
	defer cancel()
	err := r.lab.Settle(limit)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r.out.Recovery = time.Since(begin).Seconds()
	got := formatSeconds(r.out.Recovery)
	if err != nil {
		got = err.Error()
	}
	r.out.add(Check{Phase: "recovery", Text: "whole again within " + r.e.Recovery.String(), Got: got, Holds: err == nil})
	return nil
}

func (r *run) audit(ctx context.Context, which string) error {
	ctx, cancel := context.WithTimeout(ctx, auditLimit)
	defer cancel()
	wrong, err := r.lab.Audit(ctx)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	got := "they do"
	if len(wrong) > 0 {
		got = wrong[0]
		if len(wrong) > 1 {
			got += fmt.Sprintf(" (and %d more)", len(wrong)-1)
		}
	}
	r.out.add(Check{Phase: "audit " + which, Text: "the books balance", Got: got, Holds: len(wrong) == 0})
	return nil
}

func (r *run) compare(without, with Load) error {
	if with == nil {
		return nil
	}
	changes, err := r.lab.Compare(without, with)
	if err != nil {
		return fmt.Errorf("compare: %w", err)
	}
	r.out.Changes = changes
	m := Metrics{}
	for _, c := range changes {
		m[c.Metric] = c.Change
	}
	r.checks("change", r.e.Expect.Change, m)
	return nil
}

// checks holds conditions against what was measured.
func (r *run) checks(phase string, list []Condition, m Metrics) (all bool) {
	all = true
	for _, c := range list {
		holds, got := c.Holds(m)
		all = all && holds
		r.out.add(Check{Phase: phase, Text: c.Text, Got: got, Holds: holds})
	}
	return all
}
