package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestOwnTimeEndsAfterItsLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		o, stop := inOwnTime(t.Context(), 100*time.Millisecond)
		defer stop()
		<-o.Done()
		if took := time.Since(begun); took != 100*time.Millisecond || !errors.Is(o.Err(), context.DeadlineExceeded) {
			t.Errorf("%v: %v", took, o.Err())
		}
		o, stop = inOwnTime(t.Context(), 100*time.Millisecond)
		stop()
		stop()
		if !errors.Is(o.Err(), context.Canceled) {
			t.Error(o.Err())
		}
		var d deadlines
		first := d.from(time.Now(), 100*time.Millisecond)
		if d.from(time.Now(), 100*time.Millisecond) != first {
			t.Error("two contexts for one step")
		}
		<-first.Done()
	})
}

// stoppedEnv makes this test binary a process that stops itself while its time runs, and tells how long that took in all.
const stoppedEnv = "STAMPEDE_CACHE_STOPPED"

const stoppedLimit = 500 * time.Millisecond

func init() {
	if os.Getenv(stoppedEnv) == "" {
		return
	}
	begun := time.Now()
	o, stop := inOwnTime(context.Background(), stoppedLimit)
	_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	<-o.Done()
	fmt.Print(time.Since(begun))
	stop()
	os.Exit(0)
}

// While a process stands still its time does, but for one tick.
func TestOwnTimeStandsStillWithTheProcess(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), stoppedEnv+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	var state syscall.WaitStatus
	if _, err := syscall.Wait4(cmd.Process.Pid, &state, syscall.WUNTRACED, nil); err != nil || !state.Stopped() {
		t.Fatalf("%v %v", state, err)
	}
	stopped := time.Now()
	time.Sleep(stoppedLimit + stoppedLimit/5) // what is measured, not a wait for something
	stood := time.Since(stopped)
	_ = cmd.Process.Signal(syscall.SIGCONT)
	said, _ := io.ReadAll(out)
	took, err := time.ParseDuration(string(said))
	if least := stood + stoppedLimit*(ticks-2)/ticks; err != nil || took < least {
		t.Errorf("%v %v after a stop of %v: at least %v are due", took, err, stood, least)
	}
}
