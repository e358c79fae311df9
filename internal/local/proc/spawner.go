package proc

import (
	"errors"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// ErrClosed is returned by Start after Close.
var ErrClosed = errors.New("proc: spawner is closed")

// Spawner starts child processes that do not outlive this one. All children are forked by one
// operating system thread, because Linux sends the parent-death signal when the forking thread ends,
// not when the process does. Safe for concurrent use.
type Spawner struct {
	jobs   chan job
	closed chan struct{}
	once   sync.Once
	ended  sync.WaitGroup
}

type job struct {
	cmd   *exec.Cmd
	reply chan error
}

// NewSpawner starts the forking thread. Close it when no child is needed any more.
func NewSpawner() *Spawner {
	s := &Spawner{jobs: make(chan job), closed: make(chan struct{})}
	s.ended.Add(1)
	go s.run()
	return s
}

// run owns the thread. It never unlocks it: when the goroutine returns the thread is destroyed, and
// with it whatever child is still there.
func (s *Spawner) run() {
	defer s.ended.Done()
	runtime.LockOSThread()
	for {
		select {
		case j := <-s.jobs:
			j.reply <- j.cmd.Start()
		case <-s.closed:
			return
		}
	}
}

// Start starts cmd in a process group of its own (a Ctrl-C in the terminal reaches only us, who then
// stop the children in order). If this process dies, the child gets death, which should be a signal
// that makes it quit at once. The caller must not call cmd.Wait.
func (s *Spawner) Start(cmd *exec.Cmd, death syscall.Signal) (*Child, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	setDeathSignal(cmd.SysProcAttr, death)
	j := job{cmd: cmd, reply: make(chan error, 1)}
	select {
	case s.jobs <- j:
	case <-s.closed:
		return nil, ErrClosed
	}
	if err := <-j.reply; err != nil {
		return nil, err
	}
	return newChild(cmd, death), nil
}

// Close ends the forking thread; on Linux the children that still run get their death signal. Safe to
// call twice.
func (s *Spawner) Close() {
	s.once.Do(func() { close(s.closed) })
	s.ended.Wait()
}
