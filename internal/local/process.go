package local

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"
)

// Process is what a Supervisor runs: how to start it, how to tell that it is ready, how to stop it.
// The zero value of each field but Name and Command (or Before) works.
type Process struct {
	Name  string
	Needs []string // processes that must be ready before the first start, and that stop later

	// Command makes a fresh command for every start. It may carry ExtraFiles, Env and a credential.
	// Stdout and Stderr go to LogFile unless it sets them. Without a Command this is a step and no
	// process: others that need it wait until Before has returned.
	Command func() (*exec.Cmd, error)

	Before func(ctx context.Context) error // runs before every start; safe to run again
	Ready  func(ctx context.Context) error // one look, nil when ready; nil func: ready once started
	After  func(ctx context.Context) error // runs each time it has become ready, before others start

	StartTimeout time.Duration  // how long the first start may take; 0 is a minute
	StartTries   int            // how often it may end by itself during the first start; 0 is 3
	StopSignal   syscall.Signal // 0 is SIGTERM
	StopTimeout  time.Duration  // how long it may drain before it is killed; 0 is 15 s
	DeathSignal  syscall.Signal // what it gets when the supervisor dies; 0 is SIGKILL
	LogFile      string         // where its output is appended; "" discards it
}

func (p Process) withDefaults() Process {
	if p.StartTimeout == 0 {
		p.StartTimeout = time.Minute
	}
	if p.StartTries == 0 {
		p.StartTries = 3
	}
	if p.StopSignal == 0 {
		p.StopSignal = syscall.SIGTERM
	}
	if p.StopTimeout == 0 {
		p.StopTimeout = 15 * time.Second
	}
	if p.DeathSignal == 0 {
		p.DeathSignal = syscall.SIGKILL
	}
	return p
}

// State is where a supervised process is in its life.
type State string

// The states of a process.
const (
	StateWaiting  State = "waiting"  // for what it needs
	StateStarting State = "starting" // being prepared, or started and not ready yet
	StateRunning  State = "running"  // ready
	StateBackoff  State = "backoff"  // ended; will be restarted shortly
	StateStopping State = "stopping" // told to end
	StateStopped  State = "stopped"  // ended for good
)

// Status is a process at one moment.
type Status struct {
	Name      string    `json:"name"`
	State     State     `json:"state"`
	Pid       int       `json:"pid,omitempty"` // 0 when there is none
	Restarts  int       `json:"restarts"`
	Since     time.Time `json:"since"`                // of the state
	LastError string    `json:"last_error,omitempty"` // how it last failed
}

// StartError is returned by Start when a process does not get ready the first time.
type StartError struct {
	Name string
	Err  error
	Log  string // the end of what it wrote since it was started
}

func (e *StartError) Error() string {
	if e.Log == "" {
		return fmt.Sprintf("start %s: %v", e.Name, e.Err)
	}
	return fmt.Sprintf("start %s: %v; its log ends with:\n%s", e.Name, e.Err, e.Log)
}

func (e *StartError) Unwrap() error { return e.Err }

// ErrBadProcesses is returned by NewSupervisor for processes that cannot be put into an order.
var ErrBadProcesses = errors.New("local: the processes cannot be started")

// checkProcesses refuses doubled names, needs that nobody meets, and circles.
func checkProcesses(list []Process) error {
	byName := make(map[string]Process, len(list))
	for _, p := range list {
		if _, double := byName[p.Name]; double || p.Name == "" || (p.Command == nil && p.Before == nil) {
			return fmt.Errorf("%w: %q is there twice, or lacks a name, or has nothing to do", ErrBadProcesses, p.Name)
		}
		byName[p.Name] = p
	}
	const visiting, visited = 1, 2
	mark := make(map[string]int, len(list))
	var visit func(name string) error
	visit = func(name string) error {
		switch mark[name] {
		case visiting:
			return fmt.Errorf("%w: %q needs itself in the end", ErrBadProcesses, name)
		case visited:
			return nil
		}
		mark[name] = visiting
		for _, need := range byName[name].Needs {
			if _, ok := byName[need]; !ok {
				return fmt.Errorf("%w: %q needs %q, which is not there", ErrBadProcesses, name, need)
			}
			if err := visit(need); err != nil {
				return err
			}
		}
		mark[name] = visited
		return nil
	}
	for _, p := range list {
		if err := visit(p.Name); err != nil {
			return err
		}
	}
	return nil
}
