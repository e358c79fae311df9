package flight

import (
	"context"
	"fmt"
	"runtime/trace"
	"time"
)

// Beat is how often a [Recorder] looks whether it is to record, and wants to be told by [Recorder.Watch].
const Beat = 250 * time.Millisecond

// tape is the runtime's recorder.
type tape interface {
	Start() error
	Stop()
}

// run is what a recorder that runs knows.
type run struct {
	*Recorder
	tape
	save func(Reason)

	on    bool
	since time.Time // when it went on
	until time.Time // because of a sign
	rests time.Time // before that nothing may be written
	owed  *Reason   // is to be written as soon as there is enough
}

func newTape(o Options) *trace.FlightRecorder {
	return trace.NewFlightRecorder(trace.FlightRecorderConfig{MinAge: o.Window, MaxBytes: o.Memory})
}

// Run records until ctx ends: all the time in a process that is not busy, in others from the first sign of trouble on. An error says
// that recording could not begin, because something else has the recorder.
func (r *Recorder) Run(ctx context.Context) error {
	if !r.runs.CompareAndSwap(false, true) {
		return ErrRuns
	}
	defer r.runs.Store(false)
	fr := newTape(r.o)
	now := time.Now()
	if r.budget == nil {
		r.budget = newBudget(r.o.Busy, now, switches())
	}
	l := &run{Recorder: r, tape: fr, save: func(why Reason) { r.write(fr, why) }}
	if err := l.begin(now); err != nil {
		return fmt.Errorf("flight: %w", err)
	}
	defer l.stop()
	r.ready.Store(true)
	defer r.ready.Store(false)
	t := time.NewTicker(Beat)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.signs:
			l.until = time.Now().Add(r.o.Window)
		case why := <-r.wanted:
			l.ask(why)
		case <-t.C:
		}
		l.beat(time.Now())
	}
}

// begin starts recording unless the process is known to be busy: one that rested a while is as busy as it was, and has not saved up more than
// that while allows.
func (l *run) begin(now time.Time) error {
	l.budget.beat(now, false)
	if !l.wants(now) {
		return nil
	}
	return l.start(now)
}

// ask notes that something is to be written. What came while nothing could be written is an old story by now.
func (l *run) ask(why Reason) {
	if l.ready.Load() {
		l.ready.Store(false)
		l.owed = &why
	}
}

// beat writes what is owed, and turns the recorder on and off.
func (l *run) beat(now time.Time) {
	l.budget.beat(now, l.on)
	if l.owed != nil && l.on && now.Sub(l.since) >= l.o.Window {
		l.owed.Since = l.since
		l.save(*l.owed)
		l.owed, l.rests = nil, now.Add(l.o.Pause)
	}
	if l.owed == nil && !now.Before(l.rests) {
		l.ready.Store(true)
	}
	switch want := l.wants(now); {
	case want && !l.on:
		if err := l.start(now); err != nil {
			l.o.Log.Warn("no flight recorder for now", "error", err)
			l.owed, l.rests = nil, now.Add(l.o.Pause)
		}
	case !want && l.on:
		l.stop()
	}
}

// wants tells whether it is to record. Nobody wants to have what there is long before anything may be written again.
func (l *run) wants(now time.Time) bool {
	switch {
	case l.owed != nil:
		return true
	case now.Before(l.rests.Add(-l.o.Window)):
		return false
	case l.budget.quiet(l.on):
		return true
	default:
		begun := l.on && now.Sub(l.since) < l.o.Window // less would be of no use
		return (begun || now.Before(l.until)) && l.budget.allows(l.on)
	}
}

func (l *run) start(now time.Time) error {
	err := l.Start()
	if err == nil {
		l.on, l.since = true, now
	}
	return err
}

func (l *run) stop() {
	if l.on {
		l.on = false
		l.Stop()
	}
}
