package warm

import (
	"context"
	"crypto/rand"
	"errors"
	"time"
)

// Run brings in what a request asks for and returns when that is done; it waits for a run under way to end before. It is
// over early with the cause of ctx's end, ErrCancelled, ErrPressure, ErrFailing or ErrClosed; what it has done so far is in
// Progress and remembered, so that the same request goes on from there.
func (w *Warmer) Run(ctx context.Context, req Request) (Progress, error) {
	if err := w.checked(req); err != nil {
		return Progress{}, err
	}
	if !w.enter() {
		return Progress{}, ErrClosed
	}
	defer w.bg.Done()
	select {
	case w.turn <- struct{}{}:
	case <-ctx.Done():
		return Progress{}, context.Cause(ctx)
	case <-w.ctx.Done():
		return Progress{}, ErrClosed
	}
	defer func() { <-w.turn }()
	r := w.announce(req)
	return w.finish(r, w.begin(ctx, r))
}

// Start is Run in the background; ErrBusy when a run is under way.
func (w *Warmer) Start(req Request) error {
	if err := w.checked(req); err != nil {
		return err
	}
	if !w.enter() {
		return ErrClosed
	}
	select {
	case w.turn <- struct{}{}:
	default:
		w.bg.Done()
		return ErrBusy
	}
	r := w.announce(req)
	go func() {
		defer w.bg.Done()
		defer func() { <-w.turn }()
		_, _ = w.finish(r, w.begin(w.ctx, r)) // Progress tells
	}()
	return nil
}

// Cancel ends the run under way, if there is one.
func (w *Warmer) Cancel() {
	if r := w.current.Load(); r != nil {
		r.stop(ErrCancelled)
	}
}

// announce makes the run that Progress shows from now on.
func (w *Warmer) announce(req Request) *run {
	r := &run{w: w, req: req, tiers: w.chosen(req), started: time.Now(), state: Ranking}
	r.ctx, r.stop = context.WithCancelCause(w.ctx)
	w.current.Store(r)
	return r
}

// begin plans and works until the run is over.
func (w *Warmer) begin(ctx context.Context, r *run) error {
	defer r.stop(nil)
	unhook := context.AfterFunc(ctx, func() { r.stop(context.Cause(ctx)) })
	defer unhook()
	w.learn(nil)
	if err := w.prepare(r); err != nil {
		return err
	}
	w.o.Log.Info("warming", "reason", r.req.Reason, "items", len(r.keys), "go on after", r.before(), "rate", r.pace.max)
	return r.work()
}

// prepare takes up an interrupted run, or makes a plan.
func (w *Warmer) prepare(r *run) error {
	p, have, err := w.takeUp(r)
	if err != nil {
		w.o.Log.Warn("an interrupted run cannot be taken up", "error", err)
	}
	if p.Keys == nil {
		p = planned{ID: rand.Text(), Request: r.req}
		if p.Keys, p.Named, err = w.plan(r.ctx, r.req); err != nil {
			return err
		}
		w.save(planDoc, p)
	}
	rate := r.req.Rate
	if rate == 0 {
		rate = w.Tuning().Rate
	}
	r.mu.Lock()
	r.id, r.keys, r.have, r.finished = p.ID, p.Keys, have, make([]bool, len(p.Keys))
	r.watch, r.pace, r.state = newWatch(p.Keys, p.Named), newPace(w.o, rate), Running
	r.mu.Unlock()
	w.watched.Store(r.watch)
	return nil
}

// takeUp finds what was interrupted of the same request, and how much of it each tier has; no keys when there is nothing to go on
// with.
func (w *Warmer) takeUp(r *run) (p planned, have []int, err error) {
	have = make([]int, len(r.tiers))
	done, err := w.load(r.ctx, doneDoc)
	if done == nil || err != nil {
		return p, have, err
	}
	plan, err := w.load(r.ctx, planDoc)
	if plan == nil || err != nil {
		return p, have, err
	}
	p, d, err := decodeRun(plan, done)
	if err != nil || !p.answers(r.req) || time.Since(d.Saved) > w.o.ResumeWithin {
		return planned{}, have, err
	}
	for i, t := range r.tiers {
		if was := d.Tiers[t.Name()]; was.Epoch == t.Epoch() {
			have[i] = was.Done
		}
	}
	return p, have, nil
}

// finish says how a run ended, and has its effect watched.
func (w *Warmer) finish(r *run, err error) (Progress, error) {
	if errors.Is(err, context.Canceled) && w.ctx.Err() != nil {
		err = ErrClosed
	}
	r.mu.Lock()
	r.ended, r.err, r.state = time.Now(), err, stateOf(err)
	begun := r.watch != nil
	r.mu.Unlock()
	if begun {
		if err == nil {
			w.save(doneDoc, nil)
		} else {
			r.note(true)
		}
		r.watch.ended.Store(time.Now().UnixNano())
		w.learnLater(r)
	}
	p := w.Progress()
	w.metrics.ended(r.state)
	w.o.Log.Info("warming ended", "reason", p.Reason, "state", p.State, "loaded", p.Loaded, "there", p.Present, "skipped", p.Skipped,
		"gone", p.Gone, "failed", p.Failed, "seconds", p.Elapsed, "paused", p.Paused, "error", p.Error)
	return p, err
}
