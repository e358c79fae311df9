package proc

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

func sleeper(t *testing.T, s *Spawner) *Child {
	t.Helper()
	c, err := s.Start(exec.Command("sleep", "600"), syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Stop(context.Background(), syscall.SIGKILL, time.Second) })
	return c
}

func ends(t *testing.T, c *Child) {
	t.Helper()
	select {
	case <-c.Done():
	case <-time.After(20 * time.Second):
		t.Fatal("the child lives on")
	}
}

// TestGuard uses the guard of systems without a death signal, here too.
func TestGuard(t *testing.T) {
	t.Parallel()
	s := NewSpawner()
	t.Cleanup(s.Close)
	kept, ended := sleeper(t, s), sleeper(t, s)
	newGuard(kept.Pid(), syscall.SIGTERM).release()
	g := newGuard(ended.Pid(), syscall.SIGTERM)
	if g == nil {
		t.Fatal("no guard")
	}
	_ = g.pipe.Close() // as when we die
	ends(t, ended)
	_ = g.cmd.Wait()
	if id, _ := IdentityOf(kept.Pid()); !id.Alive() {
		t.Error("a released guard ended its process")
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	s := NewSpawner()
	t.Cleanup(s.Close)
	c := sleeper(t, s)
	id, ok := IdentityOf(c.Pid())
	if !ok || !id.Alive() {
		t.Fatalf("%+v is not alive", id)
	}
	imposter := Identity{Pid: id.Pid, Started: "another time"}
	if err := imposter.Signal(syscall.SIGKILL); !errors.Is(err, ErrGone) || imposter.Alive() || !id.Alive() {
		t.Errorf("a reused pid: %v", err)
	}
	if err := id.End(t.Context(), syscall.SIGTERM, time.Second); err != nil || id.Alive() {
		t.Errorf("End: %v", err)
	}
	ends(t, c)
	if err := id.Signal(syscall.SIGKILL); !errors.Is(err, ErrGone) {
		t.Errorf("signal after the end: %v", err)
	}
	if _, ok := IdentityOf(-1); ok {
		t.Error("-1 has an identity")
	}
}

func TestSpawnerClosed(t *testing.T) {
	t.Parallel()
	s := NewSpawner()
	s.Close()
	s.Close()
	if _, err := s.Start(exec.Command("true"), syscall.SIGKILL); !errors.Is(err, ErrClosed) {
		t.Errorf("Start after Close: %v", err)
	}
}

func TestReach(t *testing.T) {
	t.Parallel()
	stranger := &User{Name: "stranger", UID: 54321, GID: 54321}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if stranger.CanReach(dir) {
		t.Error("a stranger reaches a closed folder")
	}
	if !stranger.CanReach("/") || !(*User)(nil).CanReach(dir) {
		t.Error("an open folder is out of reach")
	}
	if err := (*User)(nil).Mkdir(dir); err != nil {
		t.Errorf("our own folder: %v", err)
	}
	link := dir + "/link"
	if err := os.Symlink("/", link); err != nil {
		t.Fatal(err)
	}
	if err := (*User)(nil).Mkdir(link); err == nil {
		t.Error("a link was taken for a folder")
	}
}
