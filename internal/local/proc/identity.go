package proc

import (
	"errors"
	"os"
	"syscall"
)

// Identity names one process for good: its pid, and when the process that had this pid was started.
// A pid alone may have been given to somebody else since.
type Identity struct {
	Pid     int    `json:"pid"`
	Started string `json:"started"` // opaque; differs between two processes that had the same pid
}

// IdentityOf looks a running process up; false when there is none or it cannot be told apart.
func IdentityOf(pid int) (Identity, bool) {
	if pid <= 0 {
		return Identity{}, false
	}
	started, ok := startedAt(pid)
	return Identity{Pid: pid, Started: started}, ok
}

// Self is the identity of this process.
func Self() Identity {
	id, _ := IdentityOf(os.Getpid())
	return id
}

// Alive reports whether that very process still runs.
func (id Identity) Alive() bool {
	now, ok := IdentityOf(id.Pid)
	return ok && now == id
}

// ErrGone is returned by Signal when the process has ended, whoever has its pid now.
var ErrGone = errors.New("the process has ended")

// Signal signals that very process and no other. Where the system has process handles (Linux) it
// holds one while it looks, so that not even a pid reused at this moment can be hit.
func (id Identity) Signal(sig syscall.Signal) error {
	p, err := os.FindProcess(id.Pid)
	if err != nil {
		return ErrGone
	}
	defer p.Release()
	if !id.Alive() {
		return ErrGone
	}
	if err := p.Signal(sig); errors.Is(err, os.ErrProcessDone) || errors.Is(err, syscall.ESRCH) {
		return ErrGone
	} else if err != nil {
		return err
	}
	return nil
}
