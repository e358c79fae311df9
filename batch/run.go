package batch

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// attempt is one batch on its way through repetitions and halves.
type attempt[Req, Res any] struct {
	b       *Batcher[Req, Res]
	ctx     context.Context
	key     string
	retries int
	pause   time.Duration
}

// do runs a batch until every item has its outcome.
func (b *Batcher[Req, Res]) do(key string, batch []*item[Req, Res]) {
	ctx, cancel := context.WithTimeout(b.base, b.o.RunTimeout)
	defer cancel()
	now := time.Now()
	b.m.batch(len(batch))
	for _, it := range batch {
		b.m.waited(now.Sub(it.since))
	}
	a := &attempt[Req, Res]{b: b, ctx: ctx, key: key, retries: b.o.MaxRetries, pause: b.o.Backoff}
	returned := false
	defer func() {
		if !returned { // Run ended the goroutine: nobody must wait for ever
			a.fail(b.unfinished(batch), fmt.Errorf("%w: %w", ErrUnknown, errExited))
		}
	}()
	a.run(batch)
	returned = true
}

func (b *Batcher[Req, Res]) unfinished(batch []*item[Req, Res]) (left []*item[Req, Res]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, it := range batch {
		if it.state != finished {
			left = append(left, it)
		}
	}
	return left
}

// run gives every item of a part of the batch its outcome.
func (a *attempt[Req, Res]) run(part []*item[Req, Res]) {
	b := a.b
	for {
		if err := a.ctx.Err(); err != nil {
			a.fail(part, fmt.Errorf("batch: out of time, not done: %w", err))
			return
		}
		results, err := a.call(part)
		if err == nil {
			a.deliver(part, results)
			return
		}
		unknown := a.uncertain(err)
		again := !unknown && b.o.Retryable(err) || unknown && b.o.Idempotent
		if _, bug := errors.AsType[*PanicError](err); bug && b.o.Idempotent && len(part) > 1 {
			unknown, again = false, false // looking for the culprit is as good as trying again
		}
		if again && a.retries > 0 {
			a.retries--
			b.note(&b.count.Retries, "batch run again", a.key, len(part), err)
			if a.rest() {
				continue
			}
		}
		switch {
		case unknown:
			a.fail(part, fmt.Errorf("%w: %w", ErrUnknown, err))
			return
		case len(part) == 1:
			a.fail(part, err)
			return
		}
		b.note(&b.count.Splits, "batch halved", a.key, len(part), err)
		a.run(part[:len(part)/2])
		part = part[len(part)/2:]
	}
}

func (a *attempt[Req, Res]) uncertain(err error) bool {
	if _, ok := errors.AsType[*PanicError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*wrongCount](err); ok {
		return true
	}
	return a.b.o.Uncertain(err)
}

// call runs Run once. A panic becomes an error.
func (a *attempt[Req, Res]) call(part []*item[Req, Res]) (results []Result[Res], err error) {
	reqs := make([]Req, len(part))
	for i, it := range part {
		reqs[i] = it.req
	}
	start := time.Now()
	returned := false
	defer func() {
		a.b.m.ran(time.Since(start))
		if returned {
			return
		}
		v := recover()
		if v == nil { // runtime.Goexit: there is nobody to return to
			return
		}
		p := &PanicError{Value: v, Stack: debug.Stack()}
		a.b.o.Log.Error("batch panicked", "batch", a.b.o.Name, "key", a.key, "error", p)
		results, err = nil, p
	}()
	results, err = a.b.o.Run(a.ctx, a.key, reqs)
	returned = true
	if err == nil && len(results) != len(part) {
		return nil, &wrongCount{len(part), len(results)}
	}
	return results, err
}

// rest waits before a repetition; false when time is over.
func (a *attempt[Req, Res]) rest() bool {
	t := time.NewTimer(a.pause)
	defer t.Stop()
	a.pause *= 2
	select {
	case <-t.C:
		return true
	case <-a.ctx.Done():
		return false
	}
}

func (a *attempt[Req, Res]) fail(part []*item[Req, Res], err error) {
	results := make([]Result[Res], len(part))
	for i := range results {
		results[i].Err = err
	}
	a.deliver(part, results)
}

// deliver hands the outcomes out.
func (a *attempt[Req, Res]) deliver(part []*item[Req, Res], results []Result[Res]) {
	b := a.b
	var orphans []int
	failed := 0
	b.mu.Lock()
	for i, it := range part {
		if it.state == abandoned {
			orphans = append(orphans, i)
		}
		it.state, it.out = finished, results[i]
		if it.out.Err != nil {
			failed++
		}
	}
	b.count.Finished += uint64(len(part))
	b.count.Failed += uint64(failed)
	b.count.Orphans += uint64(len(orphans))
	b.mu.Unlock()
	for _, it := range part {
		close(it.done)
	}
	b.m.finish(len(part)-failed, failed, len(orphans))
	if b.o.OnOrphan == nil {
		return
	}
	for _, i := range orphans {
		a.orphan(part[i])
	}
}

// orphan reports an outcome that nobody waited for. What it panics with is logged: it concerns no caller.
func (a *attempt[Req, Res]) orphan(it *item[Req, Res]) {
	defer func() {
		if v := recover(); v != nil {
			a.b.o.Log.Error("OnOrphan panicked", "batch", a.b.o.Name, "key", a.key, "panic", v)
		}
	}()
	a.b.o.OnOrphan(a.key, it.req, it.out)
}

// note counts and logs what went wrong with a batch.
func (b *Batcher[Req, Res]) note(counter *uint64, what, key string, size int, err error) {
	b.mu.Lock()
	*counter++
	b.mu.Unlock()
	b.o.Log.Warn(what, "batch", b.o.Name, "key", key, "items", size, "error", err)
}
