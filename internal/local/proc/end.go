package proc

import (
	"context"
	"fmt"
	"syscall"
	"time"
)

// End ends that very process: it sends sig, waits up to patience, then kills. It returns when the
// process is gone, or with an error when it cannot be signalled or ctx ends first.
func (id Identity) End(ctx context.Context, sig syscall.Signal, patience time.Duration) error {
	if err := id.signal(sig); err != nil || !id.Alive() {
		return err
	}
	soft, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if id.gone(soft) {
		return nil
	}
	if err := id.signal(syscall.SIGKILL); err != nil {
		return err
	}
	if !id.gone(ctx) {
		return fmt.Errorf("process %d does not end: %w", id.Pid, ctx.Err())
	}
	return nil
}

func (id Identity) signal(sig syscall.Signal) error {
	if err := id.Signal(sig); err != nil && err != ErrGone {
		return fmt.Errorf("signal process %d: %w", id.Pid, err)
	}
	return nil
}

// gone waits for the end of a process that is not our child, so there is nothing to wait on but time.
func (id Identity) gone(ctx context.Context) bool {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for id.Alive() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return !id.Alive()
		}
	}
	return true
}
