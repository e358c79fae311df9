package chaos_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/chaos"
	"github.com/stampede-shop/stampede/chaos/internal/ident"
	"github.com/stampede-shop/stampede/chaos/process"
)

// vandalDir makes this program a process that pauses and continues others until it is killed; its journal is in that folder.
const (
	vandalDir     = "STAMPEDE_TEST_VANDAL_DIR"
	vandalVictims = "STAMPEDE_TEST_VANDAL_VICTIMS"
)

func byNumber(_ context.Context, name string) (process.Found, error) {
	pid, err := strconv.Atoi(name)
	return process.Found{Pid: pid, Ready: true}, err
}

func vandal(dir string) int {
	var reg chaos.Registry
	reg.Add(process.Faults(byNumber)...)
	in, err := chaos.New(&reg, chaos.Options{Dir: dir})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var all sync.WaitGroup
	for _, pid := range strings.Split(os.Getenv(vandalVictims), ",") {
		all.Go(func() {
			for {
				i, err := in.Inject(context.Background(), chaos.Request{Fault: process.PauseFault, Params: map[string]string{"target": pid}})
				if err == nil {
					fmt.Println("paused", pid)
					err = in.End(context.Background(), i.ID)
				}
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
			}
		})
	}
	all.Wait()
	return 0
}

// victim starts a process with a child of its own.
func victim(t *testing.T) ident.Identity {
	t.Helper()
	cmd := exec.Command("sh", "-c", "sleep 600 & wait")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
	id, ok := ident.Of(cmd.Process.Pid)
	if !ok {
		t.Fatal("the victim does not run")
	}
	return id
}

func halted(t *testing.T, root ident.Identity) (n int) {
	t.Helper()
	tree, err := ident.Tree(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range tree {
		if ident.Stopped(id.Pid) {
			n++
		}
	}
	return n
}

// A process that pauses others is killed at any moment: whatever it was doing, nobody is left halted once the next one has
// read its journal.
func TestJournalOutlivesKill(t *testing.T) {
	t.Parallel()
	a, b := victim(t), victim(t)
	var reg chaos.Registry
	reg.Add(process.Faults(byNumber)...)
	dir := t.TempDir()
	left := 0
	for range 25 {
		killVandal(t, dir, fmt.Sprintf("%d,%d", a.Pid, b.Pid))
		if halted(t, a)+halted(t, b) > 0 {
			left++
		}
		if _, err := chaos.Recover(t.Context(), dir, &reg); err != nil {
			t.Fatal(err)
		}
		if n := halted(t, a) + halted(t, b); n != 0 {
			t.Fatalf("%d processes are still halted", n)
		}
		if files, _ := os.ReadDir(dir); len(files) != 0 {
			t.Fatalf("there is still %v", files)
		}
	}
	t.Logf("%d of 25 times somebody was halted when the vandal died", left)
	if left == 0 {
		t.Error("nobody was ever left halted, so that nothing was recovered")
	}
}

// killVandal lets a vandal loose and kills it a random while after it has begun.
func killVandal(t *testing.T, dir, victims string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), vandalDir+"="+dir, vandalVictims+"="+victims)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	one := make([]byte, 1)
	if _, err := out.Read(one); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Duration(rand.Int64N(int64(3 * time.Millisecond)))) // a moment of the fault, not a wait for something
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
}

// The kill switch ends a living process that injects, too.
func TestStopOthers(t *testing.T) {
	t.Parallel()
	a := victim(t)
	var reg chaos.Registry
	reg.Add(process.Faults(byNumber)...)
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), vandalDir+"="+dir, fmt.Sprintf("%s=%d", vandalVictims, a.Pid))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	go func() { ended <- cmd.Wait() }() // it must be waited for, or it stays a zombie
	if _, err := chaos.StopOthers(t.Context(), dir, &reg, time.Minute); err != nil {
		t.Error(err)
	}
	<-ended
	if n := halted(t, a); n != 0 {
		t.Errorf("%d processes are still halted", n)
	}
}
