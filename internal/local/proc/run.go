package proc

import (
	"bytes"
	"context"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Run runs cmd to its end and returns what it wrote. It is killed when ctx ends and when this process dies, so that
// no half-done work goes on behind the back of whoever begins it again.
func Run(ctx context.Context, cmd *exec.Cmd) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	setDeathSignal(cmd.SysProcAttr, syscall.SIGKILL)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = 2 * time.Second // for a child of its own that still holds its output
	// The death signal comes when the forking thread ends: it is held until cmd has ended.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := newChild(cmd, syscall.SIGKILL)
	select {
	case <-c.Done():
		return out.Bytes(), c.Err()
	case <-ctx.Done():
		_ = c.Signal(syscall.SIGKILL)
		<-c.Done()
		return out.Bytes(), ctx.Err()
	}
}
