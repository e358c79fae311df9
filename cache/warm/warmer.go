package warm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Warmer brings into caches what will be asked for, before it is. Make it with [New]; [Warmer.Close] ends what it does in the
// background. It is safe for concurrent use.
type Warmer struct {
	o       Options
	tiers   []Tier
	popular *Popularity
	turn    chan struct{} // of the one run at a time
	watched atomic.Pointer[watch]
	current atomic.Pointer[run] // the run under way, or the last one
	metrics *metrics

	ctx    context.Context
	cancel context.CancelFunc
	bg     sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	tuning  Tuning
	effect  Effect // of all runs whose effect is known
	last    Effect
	judge   *time.Timer // for pending
	pending *run        // ended; its effect is still watched
	heard   map[string]heard
}

// New makes a Warmer of tiers, in the order in which an item is brought into them: first those that the others load from.
func New(o Options, tiers ...Tier) (*Warmer, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	var names []string
	for _, t := range tiers {
		names = append(names, t.Name())
	}
	if slices.Sort(names); len(names) == 0 || len(slices.Compact(names)) < len(tiers) {
		return nil, fmt.Errorf("%w: there must be a tier, and each needs a name of its own", ErrOptions)
	}
	w := &Warmer{o: o, tiers: tiers, popular: o.Popularity, turn: make(chan struct{}, 1), tuning: Tuning{}.within(o)}
	if o.Predictor == nil {
		w.o.Predictor = w.popular
	}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	var err error
	if w.metrics, err = newMetrics(w, o.Registerer); err != nil {
		return nil, err
	}
	if o.Store != nil {
		w.bg.Go(w.keepSaving)
	}
	return w, nil
}

// Seen says that a key was asked for. It is for every read: it neither waits nor allocates, and takes about 0.2 µs.
func (w *Warmer) Seen(key string) {
	w.popular.Seen(key)
	if v := w.watched.Load(); v != nil {
		v.seen(key)
	}
}

// Count says that a key was asked for n times somewhere else.
func (w *Warmer) Count(key string, n float64) {
	w.popular.Count(key, n)
	if v := w.watched.Load(); v != nil && n > 0 {
		v.seen(key)
	}
}

// Popularity is what Seen was told.
func (w *Warmer) Popularity() *Popularity { return w.popular }

// Restore reads what the Store has kept: counts and what was learnt. It tells whether there were counts.
func (w *Warmer) Restore(ctx context.Context) (bool, error) {
	counts, err := w.load(ctx, countsDoc)
	if err == nil && counts != nil {
		err = w.popular.Merge(counts)
	}
	learnt, err2 := w.load(ctx, tuningDoc)
	if err2 == nil && learnt != nil {
		var t Tuning
		if err2 = json.Unmarshal(learnt, &t); err2 == nil {
			w.mu.Lock()
			w.tuning = t.within(w.o)
			w.mu.Unlock()
		}
	}
	return counts != nil && err == nil, errors.Join(err, err2)
}

// Tuning is what was learnt so far.
func (w *Warmer) Tuning() Tuning {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.tuning
}

// Effect is what warming was good for: all runs whose effect is known, and the last of them.
func (w *Warmer) Effect() (all, last Effect) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.effect, w.last
}

// keepSaving stores the counts now and then, and at the end.
func (w *Warmer) keepSaving() {
	t := time.NewTicker(w.o.SaveEvery)
	defer t.Stop()
	for {
		select {
		case <-w.ctx.Done():
			w.saveCounts()
			return
		case <-t.C:
			w.saveCounts()
		}
	}
}

// saveCounts keeps what is stored when nothing is known here: that may be because it could not be read.
func (w *Warmer) saveCounts() {
	if w.popular.Len() > 0 {
		w.save(countsDoc, w.popular)
	}
}

// Close cancels what is under way, waits until it has ended, and stores the counts. Closing again does nothing.
func (w *Warmer) Close() {
	w.mu.Lock()
	first := !w.closed
	w.closed = true
	w.mu.Unlock()
	w.cancel()
	w.learn(nil) // ends its timer
	w.bg.Wait()
	w.learn(nil)
	if first {
		w.metrics.unregister()
	}
}

// enter counts one more goroutine that Close waits for, until bg.Done; false when it is too late.
func (w *Warmer) enter() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.bg.Add(1)
	}
	return !w.closed
}
