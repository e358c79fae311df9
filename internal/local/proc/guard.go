package proc

import (
	"io"
	"os/exec"
	"strconv"
	"syscall"
)

// guard is a shell that signals a process when we die: it waits on a pipe which only we hold open.
// A line on the pipe tells it that the process has ended by itself; the end of the pipe without a
// line, that we are gone.
type guard struct {
	cmd  *exec.Cmd
	pipe io.WriteCloser
}

const guardScript = `read -r line || kill -"$2" "$1" 2>/dev/null`

// newGuard watches over pid; nil when no shell could be started, which leaves the child unguarded but
// otherwise well.
func newGuard(pid int, sig syscall.Signal) *guard {
	cmd := exec.Command("/bin/sh", "-c", guardScript, "guard", strconv.Itoa(pid), strconv.Itoa(int(sig)))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil
	}
	if err := cmd.Start(); err != nil {
		return nil
	}
	return &guard{cmd: cmd, pipe: pipe}
}

// release lets the guard go without a signal.
func (g *guard) release() {
	if g == nil {
		return
	}
	_, _ = io.WriteString(g.pipe, "done\n")
	_ = g.pipe.Close()
	_ = g.cmd.Wait()
}
