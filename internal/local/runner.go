package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"github.com/stampede-shop/stampede/internal/local/proc"
)

// runner owns one process for the supervisor's whole life: one goroutine, in run.
type runner struct {
	s                 *Supervisor
	p                 Process
	log               *slog.Logger
	needs, dependants []*runner

	ready chan struct{} // closed when it has become ready for the first time
	done  chan struct{} // closed when it has ended for good
	logAt int64         // where in the log file the first start begins

	mu     sync.Mutex
	status Status
}

func newRunner(s *Supervisor, p Process) *runner {
	return &runner{s: s, p: p, log: s.o.Logger.With("process", p.Name),
		ready: make(chan struct{}), done: make(chan struct{}),
		status: Status{Name: p.Name, State: StateWaiting, Since: time.Now()}}
}

var errStopping = errors.New("stopping")

// run is the life of the process: wait for its needs, then start it again and again until told to stop.
func (r *runner) run() {
	defer close(r.done)
	defer r.set(StateStopped, 0, nil)
	if !r.awaitNeeds() {
		return
	}
	ctx, cancel := r.untilStop()
	defer cancel()
	r.logAt = logSize(r.p.LogFile)
	first, cancelFirst := context.WithTimeout(ctx, r.p.StartTimeout)
	defer cancelFirst()
	backoff := r.s.o.MinBackoff
	for tries := 1; ; tries++ {
		life := ctx
		if !r.wasReady() {
			life = first
		}
		stable, err := r.once(ctx, life)
		if errors.Is(err, errStopping) || ctx.Err() != nil {
			return
		}
		if !r.wasReady() && r.hopeless(first, tries, err) {
			r.fail(err)
			return
		}
		if stable {
			backoff = r.s.o.MinBackoff
		}
		r.set(StateBackoff, 0, err)
		r.log.Warn("process ended; it will be restarted", "error", err, "in", backoff)
		if !r.pause(ctx, backoff) {
			return
		}
		backoff = min(2*backoff, r.s.o.MaxBackoff)
		r.countRestart()
	}
}

// hopeless reports whether a first start should be given up.
func (r *runner) hopeless(first context.Context, tries int, err error) bool {
	var ended *endedError
	return first.Err() != nil || tries >= r.p.StartTries || !errors.As(err, &ended)
}

func (r *runner) fail(err error) {
	r.set(StateStopped, 0, err)
	r.s.failed <- &StartError{Name: r.p.Name, Err: err, Log: logTail(r.p.LogFile, r.logAt)}
}

// once is one start and everything up to its end. stable tells whether it was ready for long enough to
// forget earlier failures. starting bounds the part until it is ready.
func (r *runner) once(ctx, starting context.Context) (stable bool, err error) {
	r.set(StateStarting, 0, nil)
	if r.p.Before != nil {
		if err := r.p.Before(starting); err != nil {
			return false, fmt.Errorf("prepare: %w", err)
		}
	}
	if r.p.Command == nil {
		return r.stepDone(ctx)
	}
	child, err := r.spawn()
	if err != nil {
		return false, err
	}
	defer r.s.pids.drop(r.p.Name)
	r.set(StateStarting, child.Pid(), nil)
	if err := r.awaitReady(starting, child); err != nil {
		r.end(child)
		return false, err
	}
	since := time.Now()
	r.set(StateRunning, child.Pid(), nil)
	r.markReady()
	select {
	case <-child.Done():
		return time.Since(since) >= r.s.o.StableAfter, &endedError{child.Err()}
	case <-ctx.Done():
		r.end(child)
		return true, errStopping
	}
}

// stepDone is the rest of a step: it counts as running until nobody needs it any more.
func (r *runner) stepDone(ctx context.Context) (bool, error) {
	r.set(StateRunning, 0, nil)
	r.markReady()
	<-ctx.Done()
	r.awaitDependants()
	return true, errStopping
}

// awaitDependants waits, when everything is to stop, for those that need this one.
func (r *runner) awaitDependants() {
	if !r.stopRequested() {
		return
	}
	for _, d := range r.dependants {
		<-d.done
	}
}

// endedError says that the process ended by itself.
type endedError struct{ err error }

func (e *endedError) Error() string {
	if e.err == nil {
		return "it ended by itself"
	}
	return "it ended: " + e.err.Error()
}

func (e *endedError) Unwrap() error { return e.err }

// spawn starts the process with its log and records its pid.
func (r *runner) spawn() (*proc.Child, error) {
	cmd, err := r.p.Command()
	if err != nil {
		return nil, err
	}
	if cmd.Stdout == nil && cmd.Stderr == nil && r.p.LogFile != "" {
		file, err := openLog(r.p.LogFile, r.s.o.MaxLogSize)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		cmd.Stdout, cmd.Stderr = file, file
	}
	child, err := r.s.spawner.Start(cmd, r.p.DeathSignal)
	if err != nil {
		return nil, err
	}
	r.s.pids.add(r.p.Name, child.Pid(), r.p.DeathSignal)
	return child, nil
}

// awaitReady looks again and again whether the process is ready, less and less often.
func (r *runner) awaitReady(ctx context.Context, child *proc.Child) error {
	wait := 10 * time.Millisecond
	for {
		err := r.look(ctx)
		if err == nil {
			return nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-child.Done():
			timer.Stop()
			return &endedError{child.Err()}
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("not ready: %w", err)
		case <-timer.C:
		}
		if r.wasReady() || wait < 50*time.Millisecond {
			wait = min(wait*5/4, time.Second)
		}
	}
}

func (r *runner) look(ctx context.Context) error {
	if r.p.Ready != nil {
		one, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		if err := r.p.Ready(one); err != nil {
			return err
		}
	}
	if r.p.After != nil {
		return r.p.After(ctx)
	}
	return nil
}

// end stops the process once nobody needs it any more; hard, when the supervisor has lost patience.
func (r *runner) end(child *proc.Child) {
	r.awaitDependants()
	r.set(StateStopping, child.Pid(), nil)
	_ = child.Signal(syscall.SIGCONT) // one that is frozen could not obey
	if child.Stop(r.s.hard, r.p.StopSignal, r.p.StopTimeout) {
		r.log.Warn("process did not stop in time and was killed", "after", r.p.StopTimeout)
	}
}
