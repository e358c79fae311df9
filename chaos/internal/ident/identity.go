// Package ident names processes for good, and signals no other than those it was told.
package ident

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// Identity names one process for good: its pid, and when the process that had this pid was started.
type Identity struct {
	Pid     int    `json:"pid"`
	Started string `json:"started"` // opaque; differs between two processes that had the same pid
}

// ErrGone says that a process has ended, whoever has its pid now.
var ErrGone = errors.New("the process has ended")

// Of looks a running process up; false when there is none, or it cannot be told apart.
func Of(pid int) (Identity, bool) {
	if pid <= 0 {
		return Identity{}, false
	}
	started, ok := startedAt(pid)
	return Identity{Pid: pid, Started: started}, ok
}

// Self is the identity of this process.
func Self() Identity {
	id, _ := Of(os.Getpid())
	return id
}

// Alive reports whether that very process still runs, or is stopped.
func (id Identity) Alive() bool {
	now, ok := Of(id.Pid)
	return ok && now == id
}

// Signal signals that very process and no other; ErrGone when it has ended. Where the system has handles of processes
// (Linux) one is held meanwhile, so that not even a pid reused at this moment is hit.
func (id Identity) Signal(sig syscall.Signal) error {
	p, err := os.FindProcess(id.Pid)
	if err != nil {
		return ErrGone
	}
	defer func() { _ = p.Release() }()
	if !id.Alive() {
		return ErrGone
	}
	switch err := p.Signal(sig); {
	case errors.Is(err, os.ErrProcessDone), errors.Is(err, syscall.ESRCH):
		return ErrGone
	case err != nil:
		return fmt.Errorf("signal process %d: %w", id.Pid, err)
	}
	return nil
}

// End ends that very process: it sends sig, waits for as long as patience, then kills. It returns when the process is gone.
func (id Identity) End(ctx context.Context, sig syscall.Signal, patience time.Duration) error {
	if err := id.Signal(sig); err != nil {
		return IgnoreGone(err)
	}
	soft, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if id.Gone(soft) == nil {
		return nil
	}
	if err := id.Signal(syscall.SIGKILL); err != nil {
		return IgnoreGone(err)
	}
	return id.Gone(ctx)
}

// IgnoreGone makes nothing of an end that was to come anyway.
func IgnoreGone(err error) error {
	if errors.Is(err, ErrGone) {
		return nil
	}
	return err
}

const look = 5 * time.Millisecond

// Gone waits for the end of a process that need not be our child, so that there is nothing to wait on but time.
func (id Identity) Gone(ctx context.Context) error {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for id.Alive() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("process %d does not end: %w", id.Pid, context.Cause(ctx))
		}
	}
	return nil
}
