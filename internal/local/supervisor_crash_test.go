package local

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/local/proc"
)

func TestChildrenDieWithAKilledSupervisor(t *testing.T) {
	t.Parallel()
	pidFile := filepath.Join(t.TempDir(), "pids.json")
	killAndSeeItsChildDie(t, helper("supervise", pidFile))
	if n, err := EndLeftovers(t.Context(), pidFile); n != 0 || err != nil {
		t.Errorf("leftovers: %d, %v", n, err)
	}
	gone(t, pidFile)
}

// TestPreparationDiesWithUs: an initdb that goes on alone would spoil the folder of the one that comes after it.
func TestPreparationDiesWithUs(t *testing.T) {
	t.Parallel()
	killAndSeeItsChildDie(t, helper("prepare"))
}

// killAndSeeItsChildDie starts a helper that prints the pid of its child, and kills it.
func killAndSeeItsChildDie(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(line)
	}
	child, ok := proc.IdentityOf(pid)
	if !ok {
		t.Fatal("the child does not run")
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	eventually(t, "the child is gone", func() bool { return !child.Alive() })
}

// TestLeftoversAreEnded also makes sure that a process which only has a recorded pid is left alone.
func TestLeftoversAreEnded(t *testing.T) {
	t.Parallel()
	spawner := proc.NewSpawner()
	t.Cleanup(spawner.Close)
	start := func() (*proc.Child, proc.Identity) {
		c, err := spawner.Start(exec.Command("sleep", "600"), syscall.SIGKILL)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Stop(context.Background(), syscall.SIGKILL, time.Second) })
		id, _ := proc.IdentityOf(c.Pid())
		return c, id
	}
	ours, _ := start()
	other, otherID := start()
	path := filepath.Join(t.TempDir(), "pids.json")
	f := newPidFile(path)
	f.add("ours", ours.Pid(), syscall.SIGTERM)
	f.list["other"] = pidEntry{Identity: proc.Identity{Pid: other.Pid(), Started: "long ago"}, Signal: syscall.SIGKILL}
	f.write()
	n, err := EndLeftovers(t.Context(), path)
	if n != 1 || err != nil {
		t.Errorf("ended %d, %v", n, err)
	}
	<-ours.Done()
	if !otherID.Alive() {
		t.Error("a process that was not ours was ended")
	}
	gone(t, path)
}

func TestLogsAreBounded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "p.log")
	p := shell("p", "while :; do echo 0123456789012345678901234567890123456789; sleep 0.001; done")
	p.LogFile = path
	startSupervisor(t, SupervisorOptions{MaxLogSize: 1 << 10}, p)
	eventually(t, "the log was rotated", func() bool { return logSize(path+".1") > 1<<10 })
	if tail := logTail(path+".1", 0); !strings.HasSuffix(tail, "789") {
		t.Errorf("the old log ends with %q", tail)
	}
}

// TestListenerSurvivesItsServer serves through children that take one connection each: the socket stays.
func TestListenerSurvivesItsServer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	file, err := ListenerFile(l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() }) // after the supervisor has stopped
	p := Process{Name: "server", Command: func() (*exec.Cmd, error) {
		cmd := helper("listen")
		cmd.Env = append(cmd.Env, fmt.Sprintf("%s=3", ListenFDEnv))
		cmd.ExtraFiles = []*os.File{file}
		return cmd, nil
	}}
	startSupervisor(t, SupervisorOptions{}, p)
	seen := map[string]bool{}
	for range 3 {
		conn, err := net.DialTimeout("tcp", l.Addr().String(), time.Second)
		if err != nil {
			t.Fatalf("refused: %v", err)
		}
		_ = conn.SetDeadline(time.Now().Add(patience))
		b, err := io.ReadAll(conn)
		if err != nil || len(b) == 0 {
			t.Fatalf("answer %q, %v", b, err)
		}
		_ = conn.Close()
		seen[string(b)] = true
	}
	if len(seen) != 3 {
		t.Errorf("three children were to answer: %v", seen)
	}
}
