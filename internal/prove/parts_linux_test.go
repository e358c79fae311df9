package prove

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/procstat"
)

// servedHere makes this test binary serve on descriptor 3, as an API server would.
const servedHere = "STAMPEDE_PROVE_SERVE"

func init() {
	if os.Getenv(servedHere) == "" {
		return
	}
	l, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		os.Exit(1)
	}
	_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, os.Getpid()) })) //nolint:gosec // a test's server
	os.Exit(0)
}

func TestFleet(t *testing.T) {
	t.Parallel()
	f, err := NewFleet(0.5, func(int) (*exec.Cmd, error) {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), servedHere+"=1")
		return cmd, nil
	})
	if errors.Is(err, ErrCannot) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	var urls []string
	for _, n := range []int{1, 2} {
		more, err := f.Start(t.Context(), n)
		if err != nil || len(more) != n {
			t.Fatalf("%v %v", err, more)
		}
		urls = append(urls, more...)
	}
	if err := errors.Join(f.Hold(true), f.Hold(false)); err != nil {
		t.Error(err)
	}
	if all, none := f.Had(urls), f.Had(nil); all.CPU <= 0 || none != (Had{}) {
		t.Errorf("%+v, of nobody %+v", all, none)
	}
	pids := []int{}
	for _, s := range f.ships {
		pids = append(pids, s.child.Pid())
	}
	http.DefaultClient.CloseIdleConnections()
	if err := errors.Join(f.Close(), f.Close()); err != nil {
		t.Error(err)
	}
	for _, pid := range pids {
		if _, ok := procstat.Read(pid); ok {
			t.Errorf("process %d still runs", pid)
		}
	}
}

func TestFleetThatDoesNotStart(t *testing.T) {
	t.Parallel()
	f, err := NewFleet(0.5, func(int) (*exec.Cmd, error) { return exec.Command("false"), nil })
	if errors.Is(err, ErrCannot) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Start(t.Context(), 1)
	if err == nil || !strings.Contains(err.Error(), "does not get ready") {
		t.Errorf("%v", err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// What a process and its children use is counted, also after they have ended.
func TestUsageOfTrees(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("sh", "-c", "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done'; echo done; read end")
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	u, err := UsageOf([]Process{{"sh", RoleAPI, cmd.Process.Pid}})
	r := u.Roles[RoleAPI]
	if err != nil || r.Processes != 1 || r.CPU < 0.1 || r.Memory == 0 {
		t.Errorf("%v %+v", err, r)
	}
	before := u
	_ = in.Close()
	_ = cmd.Wait()
	if got := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(); r.CPU > got.Seconds()+0.02 || r.CPU < 0.5*got.Seconds() {
		t.Errorf("%v counted, %v used", r.CPU, got)
	}
	if _, err := UsageOf([]Process{{"sh", RoleAPI, cmd.Process.Pid}}); !errors.Is(err, ErrCannot) {
		t.Errorf("%v", err)
	}
	if d := before.since(before)[RoleAPI]; d.CPU != 0 {
		t.Errorf("%+v", d)
	}
}

// supervised starts its one process again when it ends.
type supervised struct {
	cmd *exec.Cmd
	pid int
}

func (s *supervised) Processes(context.Context) ([]Process, error) {
	return []Process{{"worker", RoleWorker, s.pid}}, nil
}

func (s *supervised) Healthy(context.Context) error { return nil }

func (s *supervised) start() error {
	s.cmd = exec.Command("sleep", "60")
	err := s.cmd.Start()
	s.pid = s.cmd.Process.Pid
	return err
}

func TestProcessFaults(t *testing.T) {
	t.Parallel()
	var s supervised
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	faults, err := ProcessFaults(t.Context(), &s)
	if err != nil || len(faults) != 1 || faults[0].Name != "kill worker" {
		t.Fatalf("%v %+v", err, faults)
	}
	if err := faults[0].Inject(t.Context()); err != nil {
		t.Fatal(err)
	}
	killed := make(chan error, 1)
	go func() { killed <- s.cmd.Wait() }()
	select {
	case <-killed:
	case <-time.After(10 * time.Second):
		t.Fatal("it lives on")
	}
	if err := faults[0].Recovered(t.Context()); err == nil {
		t.Error("nobody has started it again")
	}
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	if err := faults[0].Recovered(t.Context()); err != nil {
		t.Error(err)
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	if err := faults[0].Inject(t.Context()); err == nil {
		t.Error("a process that is gone was struck")
	}
}
