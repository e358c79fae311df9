package local

import (
	"context"
	"time"
)

// awaitNeeds waits until everything this process needs is ready; false when it is not to start at all.
func (r *runner) awaitNeeds() bool {
	for _, need := range r.needs {
		select {
		case <-need.ready:
		case <-r.s.stopping:
			return false
		}
	}
	return !r.stopRequested()
}

// untilStop is a context that ends when the supervisor is told to stop.
func (r *runner) untilStop() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		select {
		case <-r.s.stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

func (r *runner) stopRequested() bool {
	select {
	case <-r.s.stopping:
		return true
	default:
		return false
	}
}

func (r *runner) wasReady() bool {
	select {
	case <-r.ready:
		return true
	default:
		return false
	}
}

// markReady is only called by the owning goroutine.
func (r *runner) markReady() {
	if !r.wasReady() {
		close(r.ready)
	}
}

// pause waits; false when the supervisor is told to stop meanwhile.
func (r *runner) pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// set changes the state; err, when there is one, becomes the last error.
func (r *runner) set(state State, pid int, err error) {
	r.mu.Lock()
	if r.status.State != state {
		r.status.Since = time.Now()
	}
	r.status.State, r.status.Pid = state, pid
	if err != nil {
		r.status.LastError = err.Error()
	}
	now := r.status
	r.mu.Unlock()
	r.s.o.OnChange(now)
}

func (r *runner) countRestart() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Restarts++
}

func (r *runner) snapshot() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}
