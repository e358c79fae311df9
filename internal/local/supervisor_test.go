package local

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/local/proc"
)

func startSupervisor(t *testing.T, o SupervisorOptions, list ...Process) *Supervisor {
	t.Helper()
	s, err := NewSupervisor(list, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stopNow)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// record collects state changes as "name state".
type record struct {
	mu   sync.Mutex
	list []string
}

func (r *record) add(s Status) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, s.Name+" "+string(s.State))
}

// before fails unless the first of two events was recorded, and before the second.
func (r *record) before(t *testing.T, first, second string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	i, j := slices.Index(r.list, first), slices.Index(r.list, second)
	if i < 0 || j < 0 || i > j {
		t.Errorf("%q is not before %q in %q", first, second, r.list)
	}
}

func TestStartsAndStopsInOrder(t *testing.T) {
	t.Parallel()
	var r record
	const wait = "exec sleep 600"
	s := startSupervisor(t, SupervisorOptions{OnChange: r.add},
		shell("edge", wait, "api1", "api2"), shell("api1", wait, "db"), shell("api2", wait, "db"), shell("db", wait))
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatalf("a second Stop: %v", err)
	}
	for _, api := range []string{"api1", "api2"} {
		r.before(t, "db running", api+" starting")
		r.before(t, api+" running", "edge starting")
		r.before(t, "edge stopped", api+" stopping")
		r.before(t, api+" stopped", "db stopping")
	}
}

func TestStepComesBetween(t *testing.T) {
	t.Parallel()
	var r record
	step := Process{Name: "migrate", Needs: []string{"db"}, Before: func(context.Context) error {
		r.add(Status{Name: "migrating"})
		return nil
	}}
	s := startSupervisor(t, SupervisorOptions{OnChange: r.add},
		shell("db", "exec sleep 600"), step, shell("api", "exec sleep 600", "migrate"))
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.before(t, "db running", "migrating ")
	r.before(t, "migrating ", "api starting")
	r.before(t, "api stopped", "db stopping")
}

func TestRestartsWithBackoff(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := shell("flaky", "echo start >> starts; exec sleep 0.01")
	command := p.Command
	p.Command = func() (*exec.Cmd, error) {
		cmd, err := command()
		cmd.Dir = dir
		return cmd, err
	}
	began := time.Now() // before it starts: it may end before we get to look
	s := startSupervisor(t, SupervisorOptions{MinBackoff: 20 * time.Millisecond, MaxBackoff: 80 * time.Millisecond}, p)
	eventually(t, "five restarts", func() bool { return s.Status()[0].Restarts >= 5 })
	if took := time.Since(began); took < (20+40+80+80+80)*time.Millisecond {
		t.Errorf("five restarts took only %v", took)
	}
	if got := s.Status()[0].LastError; got != "it ended by itself" {
		t.Errorf("last error: %q", got)
	}
}

func TestKilledProcessComesBackAtOnce(t *testing.T) {
	t.Parallel()
	s := startSupervisor(t, SupervisorOptions{}, shell("p", "exec sleep 600"))
	old := s.Status()[0].Pid
	began := time.Now()
	if err := syscall.Kill(old, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is back", func() bool {
		now := s.Status()[0]
		return now.State == StateRunning && now.Pid != old && strings.Contains(now.LastError, "killed")
	})
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("that took %v", took)
	}
}

func TestFailedFirstStartStopsAllAndShowsTheLog(t *testing.T) {
	t.Parallel()
	bad := shell("bad", "echo the disk is made of cheese >&2; exit 3", "good")
	bad.Ready = func(context.Context) error { return errors.New("not yet") }
	bad.LogFile = filepath.Join(t.TempDir(), "log", "bad.log")
	s, err := NewSupervisor([]Process{shell("good", "exec sleep 600"), bad, shell("never", "exit 0", "bad")}, SupervisorOptions{})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Start(t.Context())
	var failure *StartError
	if !errors.As(err, &failure) || failure.Name != "bad" || !strings.Contains(err.Error(), "made of cheese") || !strings.Contains(err.Error(), "exit status 3") {
		t.Fatalf("Start: %v", err)
	}
	for _, st := range s.Status() {
		if st.State != StateStopped || st.Pid != 0 {
			t.Errorf("after the failure: %+v", st)
		}
	}
}

func TestNotReadyInTime(t *testing.T) {
	t.Parallel()
	p := shell("slow", "exec sleep 600")
	p.StartTimeout = 50 * time.Millisecond
	p.Ready = func(context.Context) error { return errors.New("still warming up") }
	s, err := NewSupervisor([]Process{p}, SupervisorOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "still warming up") {
		t.Fatalf("Start: %v", err)
	}
}

// stubborn is a process that ignores SIGTERM, and is ready once it does.
func stubborn(t *testing.T, timeout time.Duration) Process {
	t.Helper()
	p := shell("stubborn", "trap '' TERM; echo deaf; while :; do sleep 0.05; done")
	p.StopTimeout = timeout
	p.LogFile = filepath.Join(t.TempDir(), "log")
	p.Ready = func(context.Context) error {
		if logSize(p.LogFile) == 0 {
			return errors.New("not yet")
		}
		return nil
	}
	return p
}

func TestStubbornProcessIsKilled(t *testing.T) {
	t.Parallel()
	s := startSupervisor(t, SupervisorOptions{}, stubborn(t, 100*time.Millisecond))
	id, _ := proc.IdentityOf(s.Status()[0].Pid)
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if id.Alive() {
		t.Error("it lives on")
	}
}

func TestStopRunsOutOfPatience(t *testing.T) {
	t.Parallel()
	s := startSupervisor(t, SupervisorOptions{}, stubborn(t, time.Hour), shell("user", "exec sleep 600", "stubborn"))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := s.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Stop: %v", err)
	}
	select {
	case <-s.Done():
	default:
		t.Error("Stop returned before everything had ended")
	}
}

func TestBadProcesses(t *testing.T) {
	t.Parallel()
	for name, list := range map[string][]Process{
		"circle":  {shell("a", "", "b"), shell("b", "", "a")},
		"unknown": {shell("a", "", "nobody")},
		"double":  {shell("a", ""), shell("a", "")},
		"empty":   {{Name: "a"}},
	} {
		if _, err := NewSupervisor(list, SupervisorOptions{}); !errors.Is(err, ErrBadProcesses) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHooks(t *testing.T) {
	t.Parallel()
	var calls record
	p := shell("p", "exec sleep 600")
	p.Before = func(context.Context) error { calls.add(Status{Name: "before"}); return nil }
	p.After = func(context.Context) error { calls.add(Status{Name: "after"}); return nil }
	s := startSupervisor(t, SupervisorOptions{}, p)
	calls.before(t, "before ", "after ")
	refuse := shell("q", "exec sleep 600")
	refuse.Before = func(context.Context) error { return errors.New("no room") }
	q, err := NewSupervisor([]Process{refuse}, SupervisorOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "no room") {
		t.Errorf("Start: %v", err)
	}
	if err := s.Start(t.Context()); !errors.Is(err, ErrStopped) {
		t.Errorf("a second Start: %v", err)
	}
}
