package warm

import "time"

// learnLater has the effect of a run judged when its items have had the time to be asked for.
func (w *Warmer) learnLater(r *run) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pending = r
	if w.closed {
		return
	}
	w.bg.Add(1)
	w.judge = time.AfterFunc(w.o.Window, func() {
		defer w.bg.Done()
		w.learn(r)
	})
}

// learn judges r if it is still waiting to be, or whatever waits when r is nil: the next run begins, or none will.
func (w *Warmer) learn(r *run) {
	w.mu.Lock()
	due := w.pending
	if due == nil || r != nil && due != r {
		w.mu.Unlock()
		return
	}
	w.pending = nil
	if w.judge != nil && w.judge.Stop() {
		w.bg.Done()
	}
	w.judge = nil
	w.mu.Unlock()
	w.judged(due)
}

// judged counts what a run was good for, and learns from it what it can.
func (w *Warmer) judged(r *run) {
	e := r.watch.effect(0, len(r.keys))
	w.metrics.judged(e)
	w.mu.Lock()
	w.effect, w.last = w.effect.plus(e), e
	var why string
	learnt := r.state == Done && r.req.Top == 0 && r.req.Rate == 0 && !r.req.Only && r.watch.mature(w.o.Window)
	if learnt {
		_, paused, _ := r.pace.state()
		w.tuning, why = w.tuning.adjusted(r.watch, paused.Seconds()/max(r.ended.Sub(r.started).Seconds(), 1e-9), w.o)
	}
	t := w.tuning
	w.mu.Unlock()
	if learnt {
		w.o.Log.Info("warming learnt", "from", why)
		w.save(tuningDoc, t)
	}
}
