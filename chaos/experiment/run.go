package experiment

import (
	"context"
	"fmt"
	"slices"
	"sync"
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

// faultRun is the load with the faults.
type faultRun struct {
	*run
	mu       sync.Mutex
	list     []Injected
	badSince time.Time // since when an abort condition holds
	abort    string    // which one has ended the load
	stop     context.CancelFunc
}

// play offers the load, and injects beside it.
func (f *faultRun) play(ctx context.Context, p Player) (Load, error) {
	playing, stop := context.WithCancel(ctx)
	defer stop()
	f.stop = stop
	faults, end := context.WithCancel(ctx)
	defer end()
	f.list = make([]Injected, len(f.e.Faults))
	var all sync.WaitGroup
	begin := time.Now()
	for i, s := range f.e.Faults {
		all.Go(func() { f.step(faults, i, s, begin) })
	}
	load, err := p.Play(playing, f.watch)
	end()
	all.Wait()
	return load, err
}

// step injects one fault at its time and undoes it at its time, or when ctx ends.
func (f *faultRun) step(ctx context.Context, i int, s Step, begin time.Time) {
	in := Injected{Step: s}
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.list[i] = in
	}()
	if !sleepUntil(ctx, begin.Add(s.At)) {
		in.Error = "the load ended before its time"
		return
	}
	f.say("%s: inject %s %v", f.e.Name, s.Fault, s.With)
	in.From = time.Now()
	undo, err := f.lab.Inject(ctx, s)
	if err != nil {
		in.Error = err.Error()
		return
	}
	if s.For > 0 {
		sleepUntil(ctx, in.From.Add(s.For))
	} else {
		<-ctx.Done()
	}
	undoing, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoLimit)
	defer cancel()
	if err := undo(undoing); err != nil {
		in.Error = "not undone: " + err.Error()
	}
	in.To = time.Now()
	f.say("%s: undone %s", f.e.Name, s.Fault)
}

// sleepUntil is false when ctx ends before.
func sleepUntil(ctx context.Context, at time.Time) bool {
	t := time.NewTimer(time.Until(at))
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// watch ends the load when an abort condition has held for its time.
func (f *faultRun) watch(m Metrics) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(f.e.Abort.When, func(c Condition) bool { holds, _ := c.Holds(m); return holds })
	if i < 0 {
		f.badSince = time.Time{}
		return
	}
	if f.badSince.IsZero() {
		f.badSince = time.Now()
	}
	if f.abort == "" && time.Since(f.badSince) >= f.e.Abort.For {
		f.abort = f.e.Abort.When[i].Text
		f.say("%s: aborted: %s", f.e.Name, f.abort)
		f.stop()
	}
}

func (f *faultRun) aborted() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.abort != ""
}

// windows are when faults were in force, in seconds of the load.
func (f *faultRun) windows(l Load) (list []Window) {
	for _, in := range f.list {
		if in.To.IsZero() {
			continue
		}
		list = append(list, Window{Fault: in.Fault, With: in.With, From: in.From.Sub(l.Started()).Seconds(), To: in.To.Sub(l.Started()).Seconds()})
	}
	return list
}

// judge holds the expectations against the load.
func (f *faultRun) judge(l Load) {
	var first, last time.Duration
	for _, in := range f.list {
		if in.Error != "" && !(in.Optional && in.To.IsZero()) {
			f.out.add(Check{Phase: "faults", Text: in.Fault + " is injected and undone", Got: in.Error})
		}
		if in.To.IsZero() {
			continue
		}
		from, to := in.From.Sub(l.Started()), in.To.Sub(l.Started())
		if last == 0 || from < first {
			first = from
		}
		last = max(last, to)
	}
	if last == 0 {
		f.out.add(Check{Phase: "faults", Text: "a fault is injected", Got: "none was"})
	}
	if f.abort != "" {
		f.out.add(Check{Phase: "abort", Text: "not aborted", Got: f.abort + " for " + f.e.Abort.For.String()})
	}
	f.checks("whole", f.e.Expect.Whole, l.Metrics(0, 0))
	f.checks("during", f.e.Expect.During, l.Metrics(first, last))
	f.checks("after", f.e.Expect.After, l.Metrics(last+grace, 0))
}
