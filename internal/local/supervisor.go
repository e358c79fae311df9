package local

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/stampede-shop/stampede/internal/local/proc"
)

// SupervisorOptions configure a Supervisor. The zero value works.
type SupervisorOptions struct {
	PidFile     string        // where the running processes are recorded for the next supervisor; "" is nowhere
	Logger      *slog.Logger  // nil discards
	MinBackoff  time.Duration // before the first restart; 0 is 50 ms
	MaxBackoff  time.Duration // it doubles up to this; 0 is 5 s
	StableAfter time.Duration // ready for so long, the backoff begins anew; 0 is 10 s
	MaxLogSize  int64         // bytes of a log file before it is rotated; 0 is 20 MiB
	OnChange    func(Status)  // called after each change of a process's state; must not block
}

func (o SupervisorOptions) withDefaults() SupervisorOptions {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.MinBackoff == 0 {
		o.MinBackoff = 50 * time.Millisecond
	}
	if o.MaxBackoff == 0 {
		o.MaxBackoff = 5 * time.Second
	}
	if o.StableAfter == 0 {
		o.StableAfter = 10 * time.Second
	}
	if o.MaxLogSize == 0 {
		o.MaxLogSize = 20 << 20
	}
	if o.OnChange == nil {
		o.OnChange = func(Status) {}
	}
	return o
}

// ErrStopped is returned by Start when Stop was called before or meanwhile, or when it is called again.
var ErrStopped = errors.New("local: the supervisor was stopped, or started before")

// Supervisor runs processes: starts them in the order of their needs, restarts those that end, stops
// them in reverse order. None of them outlives it. Safe for concurrent use.
type Supervisor struct {
	o       SupervisorOptions
	spawner *proc.Spawner
	pids    *pidFile
	runners []*runner

	stopping chan struct{} // closed: stop everything, in order
	stopOnce sync.Once
	failed   chan *StartError // the first failure of a first start
	started  sync.Once
	all      sync.WaitGroup // the goroutines of all processes
	done     chan struct{}  // closed when everything has ended
	hard     context.Context
	kill     context.CancelFunc // ends hard: no more patience with anybody
}

// NewSupervisor checks the processes and puts them in order; nothing is started yet.
func NewSupervisor(list []Process, o SupervisorOptions) (*Supervisor, error) {
	if err := checkProcesses(list); err != nil {
		return nil, err
	}
	s := &Supervisor{o: o.withDefaults(), stopping: make(chan struct{}), failed: make(chan *StartError, len(list)), done: make(chan struct{})}
	s.hard, s.kill = context.WithCancel(context.Background())
	s.pids = newPidFile(s.o.PidFile)
	byName := map[string]*runner{}
	for _, p := range list {
		r := newRunner(s, p.withDefaults())
		byName[p.Name] = r
		s.runners = append(s.runners, r)
	}
	for _, r := range s.runners {
		for _, need := range r.p.Needs {
			r.needs = append(r.needs, byName[need])
			byName[need].dependants = append(byName[need].dependants, r)
		}
	}
	return s, nil
}

// Start starts all processes, independent ones at the same time, and returns when all are ready. When
// one does not get ready, or ctx ends, it stops everything and returns a *StartError or ctx's error.
func (s *Supervisor) Start(ctx context.Context) error {
	first := false
	s.started.Do(func() {
		first = true
		s.run()
	})
	if !first {
		return ErrStopped
	}
	err := s.awaitReady(ctx)
	if err != nil {
		s.stopNow()
	}
	return err
}

// run starts the goroutines that own the processes.
func (s *Supervisor) run() {
	s.spawner = proc.NewSpawner()
	for _, r := range s.runners {
		s.all.Add(1)
		go func() {
			defer s.all.Done()
			r.run()
		}()
	}
	ended := make(chan struct{})
	go s.rotateLogs(ended)
	go func() {
		s.all.Wait()
		close(ended)
		s.spawner.Close()
		s.pids.remove()
		close(s.done)
	}()
}

func (s *Supervisor) awaitReady(ctx context.Context) error {
	for _, r := range s.runners {
		select {
		case <-r.ready:
		case err := <-s.failed:
			return err
		case <-s.stopping:
			return ErrStopped
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// stopNow stops everything with the patience that the processes themselves ask for.
func (s *Supervisor) stopNow() {
	s.requestStop()
	<-s.done
}

func (s *Supervisor) requestStop() {
	s.stopOnce.Do(func() { close(s.stopping) })
	s.started.Do(func() { close(s.done) }) // never started: there is nothing to end
}

// Stop stops all processes in reverse order of their needs and returns when they have ended. When ctx
// ends before, those that are left are killed and its error is returned. Safe to call twice, at any
// time.
func (s *Supervisor) Stop(ctx context.Context) error {
	s.requestStop()
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
	}
	s.kill()
	<-s.done
	return ctx.Err()
}

// Done is closed when all processes have ended after Stop or a failed Start.
func (s *Supervisor) Done() <-chan struct{} { return s.done }

// Status is every process at this moment, in the order they were given.
func (s *Supervisor) Status() []Status {
	list := make([]Status, len(s.runners))
	for i, r := range s.runners {
		list[i] = r.snapshot()
	}
	return list
}
