package experiment

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

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
	switch err := undo(undoing); {
	case errors.Is(err, ErrFinding):
		in.Error = err.Error()
	case err != nil:
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
		list = append(list, Window{Fault: in.Fault, With: in.With, From: in.From.Sub(l.Started()).Seconds(), To: in.To.Sub(l.Started()).Seconds(), Since: in.From})
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
