package process_test

import (
	"context"
	"errors"
	"os/exec"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/stampede-shop/stampede/chaos"
	"github.com/stampede-shop/stampede/chaos/internal/ident"
	"github.com/stampede-shop/stampede/chaos/process"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// keeper restarts one process until the test ends.
type keeper struct {
	mu     sync.Mutex
	pid    int
	starts int
}

func keep(t *testing.T) *keeper {
	k := &keeper{}
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		for ctx.Err() == nil {
			cmd := exec.CommandContext(ctx, "sleep", "600")
			if err := cmd.Start(); err != nil {
				return
			}
			k.note(cmd.Process.Pid, 1)
			_ = cmd.Wait()
			k.note(0, 0)
		}
	})
	t.Cleanup(func() { cancel(); all.Wait() })
	k.await(t, func() bool { return k.pid != 0 })
	return k
}

func (k *keeper) note(pid, starts int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.pid, k.starts = pid, k.starts+starts
}

func (k *keeper) await(t *testing.T, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		k.mu.Lock()
		ok := holds()
		k.mu.Unlock()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("it does not come to that")
		}
	}
}

var errNobody = errors.New("there is no process of that name")

func (k *keeper) find(_ context.Context, name string) (process.Found, error) {
	if name != "sleeper" {
		return process.Found{}, errNobody
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return process.Found{Pid: k.pid, Ready: k.pid != 0}, nil
}

func injector(t *testing.T, find process.Finder) *chaos.Injector {
	t.Helper()
	var reg chaos.Registry
	reg.Add(process.Faults(find)...)
	in, err := chaos.New(&reg, chaos.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return in
}

func request(fault string) chaos.Request {
	return chaos.Request{Fault: fault, Params: map[string]string{"target": "sleeper"}}
}

func TestKill(t *testing.T) {
	t.Parallel()
	k := keep(t)
	in := injector(t, k.find)
	was, _ := k.find(t.Context(), "sleeper")
	i, err := in.Inject(t.Context(), request(process.KillFault))
	if err != nil {
		t.Fatal(err)
	}
	if err := in.End(t.Context(), i.ID); err != nil {
		t.Fatal(err)
	}
	if now, _ := k.find(t.Context(), "sleeper"); now.Pid == was.Pid || now.Pid == 0 {
		t.Errorf("undone, and %+v runs after %+v", now, was)
	}
	if _, err := in.Inject(t.Context(), chaos.Request{Fault: process.KillFault, Params: map[string]string{"target": "me"}}); !errors.Is(err, errNobody) {
		t.Errorf("killing nobody: %v", err)
	}
}

func TestPause(t *testing.T) {
	t.Parallel()
	k := keep(t)
	in := injector(t, k.find)
	i, err := in.Inject(t.Context(), request(process.PauseFault))
	if err != nil {
		t.Fatal(err)
	}
	k.await(t, func() bool { return ident.Stopped(k.pid) })
	if _, err := in.Inject(t.Context(), request(process.DownFault)); !errors.Is(err, chaos.ErrBusy) {
		t.Errorf("a second fault of the process: %v", err)
	}
	if err := in.End(t.Context(), i.ID); err != nil {
		t.Fatal(err)
	}
	k.await(t, func() bool { return k.starts == 1 && !ident.Stopped(k.pid) })
}

func TestDown(t *testing.T) {
	t.Parallel()
	k := keep(t)
	in := injector(t, k.find)
	i, err := in.Inject(t.Context(), request(process.DownFault))
	if err != nil {
		t.Fatal(err)
	}
	k.await(t, func() bool { return k.starts > 3 })
	if err := in.End(t.Context(), i.ID); err != nil {
		t.Fatal(err)
	}
	now, _ := k.find(t.Context(), "sleeper")
	if id, ok := process.Of(now.Pid); !ok || !id.Alive() {
		t.Error("undone, and nobody runs")
	}
}
