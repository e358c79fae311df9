package warm

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

// run is one bringing in of a plan.
type run struct {
	w       *Warmer
	id      string // of its plan
	req     Request
	tiers   []Tier
	keys    []string
	watch   *watch
	pace    *pace
	started time.Time
	ctx     context.Context // of the run: it ends with the Warmer, its caller, or stop
	stop    context.CancelCauseFunc
	have    []int // items that tiers have already, by their place in tiers
	next    int   // first item that has not been begun; work's own

	mu       sync.Mutex
	finished []bool // items that are through
	done     int    // so many from the start are through
	tally    tally
	streak   int   // failed batches since the last that did not
	failure  error // of the last
	saved    time.Time
	state    State
	ended    time.Time
	err      error
}

// tally counts what became of items.
type tally struct{ loaded, present, gone, failed, skipped int }

func (t *tally) add(n tally) {
	t.loaded, t.present, t.gone = t.loaded+n.loaded, t.present+n.present, t.gone+n.gone
	t.failed, t.skipped = t.failed+n.failed, t.skipped+n.skipped
}

const (
	failStreak = 5
	saveRun    = time.Second // between two notes of how far a run has come
)

// work brings in batch after batch until all are done, or something ends it.
func (r *run) work() error {
	var wg sync.WaitGroup
	err := context.Cause(r.ctx)
	for r.next < len(r.keys) && err == nil {
		var n int
		if n, err = r.pace.enter(r.ctx, len(r.keys)-r.next); err != nil {
			break
		}
		from := r.next
		r.next += n
		wg.Go(func() { r.bring(from, from+n) })
		err = r.failing()
		r.note(false)
	}
	wg.Wait()
	if err == nil {
		err = r.failing()
	}
	if err == nil {
		err = context.Cause(r.ctx) // the last batches may have been cut off
	}
	return err
}

// bring takes one batch through the tiers. An item that is in none of them any more ends there.
func (r *run) bring(from, to int) {
	start := time.Now()
	loaded, gone := map[string]bool{}, map[string]bool{}
	var err error
	skipped := true
	for i, t := range r.tiers {
		if to <= r.have[i] {
			continue
		}
		skipped = false
		var out Outcome
		if out, err = r.ask(t, r.keys[from:to]); err != nil {
			err = fmt.Errorf("%s: %w", t.Name(), err)
			break
		}
		for _, k := range out.Loaded {
			loaded[k] = true
		}
		for _, k := range out.Gone {
			gone[k] = true
		}
	}
	r.pace.leave(to-from, min(len(loaded), to-from), time.Since(start), err != nil)
	if err != nil {
		r.failed(to-from, err)
		return
	}
	r.brought(from, to, loaded, gone, skipped)
}

// ask has one tier bring in keys. A panic there is an error of the batch.
func (r *run) ask(t Tier, keys []string) (out Outcome, err error) {
	ctx, cancel := context.WithTimeout(r.ctx, r.w.o.BatchTimeout)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	return t.Warm(ctx, keys)
}

func (r *run) failed(n int, err error) {
	r.w.metrics.count(tally{failed: n})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tally.failed += n
	r.streak++
	r.failure = err
}

func (r *run) failing() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.streak >= failStreak {
		return errors.Join(ErrFailing, r.failure)
	}
	return nil
}

// brought counts a batch that went well, and notes what is there now.
func (r *run) brought(from, to int, loaded, gone map[string]bool, skipped bool) {
	var now tally
	for i, k := range r.keys[from:to] {
		switch {
		case gone[k]:
			now.gone++
			r.w.popular.Forget(k)
			continue
		case skipped:
			now.skipped++
		case loaded[k]:
			now.loaded++
		default:
			now.present++
		}
		r.watch.warmed(from+i, loaded[k])
	}
	r.w.metrics.count(now)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.streak = 0
	r.tally.add(now)
	for i := from; i < to; i++ {
		r.finished[i] = true
	}
	for r.done < len(r.finished) && r.finished[r.done] {
		r.done++
	}
}

// before is how many items all tiers have already.
func (r *run) before() int { return slices.Min(r.have) }

// note stores how far the run is, about once a second, or now.
func (r *run) note(now bool) {
	r.mu.Lock()
	if !now && time.Since(r.saved) < saveRun {
		r.mu.Unlock()
		return
	}
	r.saved = time.Now()
	d := progressed{ID: r.id, Saved: r.saved.UTC(), Tiers: map[string]tierDone{}}
	for n, t := range r.tiers {
		d.Tiers[t.Name()] = tierDone{t.Epoch(), max(r.done, r.have[n])}
	}
	r.mu.Unlock()
	r.w.save(doneDoc, d)
}
