package proc

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Child is a started process. One goroutine waits for it and ends when it has ended.
type Child struct {
	cmd   *exec.Cmd
	guard *guard
	done  chan struct{}
	err   error
}

func newChild(cmd *exec.Cmd, death syscall.Signal) *Child {
	c := &Child{cmd: cmd, guard: startGuard(cmd.Process.Pid, death), done: make(chan struct{})}
	go func() {
		c.err = cmd.Wait()
		c.guard.release()
		close(c.done)
	}()
	return c
}

// Pid is the process id; it may belong to somebody else once Done is closed.
func (c *Child) Pid() int { return c.cmd.Process.Pid }

// Done is closed when the process has ended and has been reaped.
func (c *Child) Done() <-chan struct{} { return c.done }

// Err says how the process ended (nil: exit status 0). Valid once Done is closed.
func (c *Child) Err() error {
	select {
	case <-c.done:
		return c.err
	default:
		return nil
	}
}

// Signal sends sig, or does nothing when the process has ended.
func (c *Child) Signal(sig os.Signal) error {
	err := c.cmd.Process.Signal(sig)
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// Stop asks the process to end with sig and kills it when it has not done so within patience or when
// ctx ends. It returns when the process has ended; the bool tells whether it had to be killed.
func (c *Child) Stop(ctx context.Context, sig os.Signal, patience time.Duration) (killed bool) {
	_ = c.Signal(sig)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-c.done:
		return false
	case <-timer.C:
	case <-ctx.Done():
	}
	_ = c.Signal(syscall.SIGKILL)
	<-c.done
	return true
}
