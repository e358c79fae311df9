package warm

import (
	"context"
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
	have := make([]int, len(r.tiers))
	keys, named := w.takeUp(r.ctx, r.req, r.tiers, have)
	if keys == nil {
		var err error
		if keys, named, err = w.plan(r.ctx, r.req); err != nil {
			return err
		}
	}
	rate := r.req.Rate
	if rate == 0 {
		rate = w.Tuning().Rate
	}
	r.mu.Lock()
	r.keys, r.named, r.have, r.finished = keys, named, have, make([]bool, len(keys))
	r.watch, r.pace, r.state = newWatch(keys, named), newPace(w.o, rate), Running
	r.mu.Unlock()
	w.watched.Store(r.watch)
	return nil
}

// takeUp finds what was interrupted, and fills in how much of it each tier has; nil when there is nothing to go on with.
func (w *Warmer) takeUp(ctx context.Context, req Request, tiers []Tier, have []int) ([]string, int) {
	data, err := w.load(ctx, runDoc)
	if data == nil || err != nil {
		return nil, 0
	}
	was, err := decodeRun(data)
	if err != nil {
		w.o.Log.Warn("an interrupted run cannot be taken up", "error", err)
		return nil, 0
	}
	if !was.continues(req, w.o.ResumeWithin) {
		return nil, 0
	}
	for i, t := range tiers {
		if p := was.Tiers[t.Name()]; p.Epoch == t.Epoch() {
			have[i] = p.Done
		}
	}
	return was.Keys, was.Named
}

// finish says how a run ended, and has its effect watched.
func (w *Warmer) finish(r *run, err error) (Progress, error) {
	if errors.Is(err, context.Canceled) && w.ctx.Err() != nil {
		err = ErrClosed
	}
	r.mu.Lock()
	r.ended, r.err, r.state = time.Now(), err, stateOf(err)
	planned := r.keys != nil
	r.mu.Unlock()
	if planned {
		if err == nil {
			w.save(runDoc, nil)
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
