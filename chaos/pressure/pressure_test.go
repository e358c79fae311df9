package pressure_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/stampede-shop/stampede/chaos"
	"github.com/stampede-shop/stampede/chaos/internal/ident"
	"github.com/stampede-shop/stampede/chaos/pressure"
)

// presses makes this program press, as its first word says.
const presses = "STAMPEDE_TEST_PRESSES"

func TestMain(m *testing.M) {
	if os.Getenv(presses) != "" {
		if err := pressure.Serve(context.Background(), os.Stdin, os.Stdout, os.Args[1:]...); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func self(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), presses+"=1")
	return cmd
}

func injector(t *testing.T, faults ...chaos.Fault) *chaos.Injector {
	t.Helper()
	var reg chaos.Registry
	reg.Add(faults...)
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

func TestPress(t *testing.T) {
	t.Parallel()
	var started []*exec.Cmd
	in := injector(t, pressure.Faults(func(args ...string) *exec.Cmd {
		cmd := self(args...)
		started = append(started, cmd)
		return cmd
	})...)
	for _, r := range []chaos.Request{
		{Fault: pressure.CPUFault, Params: map[string]string{"workers": "1", "share": "1%"}},
		{Fault: pressure.MemoryFault, Params: map[string]string{"size": "32MiB"}},
	} {
		if _, err := in.Inject(t.Context(), r); errors.Is(err, chaos.ErrUnavailable) {
			t.Log(err)
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		cmd := started[len(started)-1]
		if _, runs := ident.Of(cmd.Process.Pid); !runs {
			t.Errorf("%s: nobody presses", r.Fault)
		}
		if err := in.EndFault(t.Context(), r.Fault); err != nil {
			t.Error(err)
		}
		if _, runs := ident.Of(cmd.Process.Pid); runs {
			t.Errorf("%s: undone, and somebody presses", r.Fault)
		}
	}
	for _, r := range []chaos.Request{
		{Fault: pressure.CPUFault, Params: map[string]string{"workers": "100000"}},
		{Fault: pressure.MemoryFault, Params: map[string]string{"size": "1000000GiB"}},
	} {
		if _, err := in.Inject(t.Context(), r); err == nil {
			t.Errorf("%v was injected", r)
		}
	}
}

// Whoever presses ends when its parent does, however that ends: by the end of the pipe alone.
func TestPressEndsWithParent(t *testing.T) {
	t.Parallel()
	cmd := self("cpu", "1", "0.01")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		_ = cmd.Process.Kill()
		t.Error("it goes on")
		<-ended
	}
}

func TestDiskIsBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := injector(t, pressure.Disk(dir))
	if _, err := in.Inject(t.Context(), chaos.Request{Fault: pressure.DiskFault, Params: map[string]string{"most": "1KiB"}}); !errors.Is(err, chaos.ErrUnavailable) {
		t.Errorf("more was taken than was allowed: %v", err)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*")); len(files) != 0 {
		t.Errorf("there is %v", files)
	}
}

// Room is taken, as much as is not to be left, and given back.
func TestDiskIsFilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := injector(t, pressure.Disk(dir))
	sizes := func() (all []int64) {
		files, _ := filepath.Glob(filepath.Join(dir, "*"))
		for _, f := range files {
			if info, err := os.Stat(f); err == nil {
				all = append(all, info.Size())
			}
		}
		return all
	}
	const take = 48 << 20 // others write to the same file system meanwhile
	for try := range 20 {
		var st syscall.Statfs_t
		if err := syscall.Statfs(dir, &st); err != nil {
			t.Fatal(err)
		}
		leave := int64(st.Bavail)*int64(st.Bsize) - take
		if leave < 64<<20 {
			t.Skip("there is too little room here to take some of it")
		}
		_, err := in.Inject(t.Context(), chaos.Request{Fault: pressure.DiskFault, Params: map[string]string{"leave": fmt.Sprint(leave)}})
		if errors.Is(err, chaos.ErrUnavailable) && try < 19 {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	if got := sizes(); len(got) != 1 || got[0] == 0 {
		t.Errorf("there are files of %d bytes", got)
	}
	if err := in.Stop(t.Context()); err != nil || len(sizes()) != 0 {
		t.Errorf("undone, and there are files of %d bytes: %v", sizes(), err)
	}
}

// What a killed process filled is emptied by the next one, and no other file is.
func TestDiskIsRecovered(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := pressure.Disk(dir)
	filled, mine := filepath.Join(dir, "chaos-fill-1"), filepath.Join(dir, "orders")
	for _, path := range []string{filled, mine} {
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := f.Recover(t.Context(), []byte(fmt.Sprintf("%q", filled))); err != nil {
			t.Error(err)
		}
	}
	if err := f.Recover(t.Context(), []byte(fmt.Sprintf("%q", mine))); err == nil {
		t.Error("a file that is not ours was removed")
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*")); len(files) != 1 || files[0] != mine {
		t.Errorf("there is %v", files)
	}
}
