package cpushare

import (
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"
)

func TestShareTooSmall(t *testing.T) {
	t.Parallel()
	for _, share := range []float64{0, -1, 0.001} {
		if _, err := New(share); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%v: %v", share, err)
		}
	}
}

// A process that only computes gets about its share of a core.
func TestProcessIsHeldToItsShare(t *testing.T) {
	t.Parallel()
	const share = 0.2
	g, err := New(share)
	if errors.Is(err, ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", "read go; while :; do :; done")
	start, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := g.Add(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	_, _ = start.Write([]byte("go\n"))
	time.Sleep(500 * time.Millisecond) // what is measured, not a wait for something
	took := time.Since(begun)
	held := g.Throttled()
	if err := g.Hold(false); err != nil {
		t.Error(err)
	}
	let := g.Throttled()
	time.Sleep(100 * time.Millisecond) // what is measured
	free := g.Throttled()
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if held.Stopped == 0 || held.Stopped > held.Periods || held.For <= 0 || held.For > took {
		t.Errorf("%+v of %v", held, took)
	}
	if free.Stopped > let.Stopped+1 { // the period under way
		t.Errorf("stopped %d times while it was let go", free.Stopped-let.Stopped)
	}
	used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if got := (used.Seconds() - 0.1) / took.Seconds(); got > 1.6*share {
		t.Errorf("%.2f cores of %v", got, share)
	}
	if err := errors.Join(g.Close(), g.Close()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(g.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the group is still there: %v", err)
	}
}

func TestGroupOfVersions(t *testing.T) {
	t.Parallel()
	const own = "9:name=systemd:/x\n2:cpu,cpuacct:/some/where\n0::/user.slice/a b:c\n"
	for controller, want := range map[string]string{"cpu": "/some/where", "": "/user.slice/a b:c", "memory": "/"} {
		if got := group([]byte(own), controller); got != want {
			t.Errorf("%q: %q", controller, got)
		}
	}
}
