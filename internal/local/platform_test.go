package local

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

const patience = 3 * time.Minute // nothing is waited for in vain, so it costs nothing but a failure its time

// tempData is a folder that is reachable for an unprivileged account, which t.TempDir is not always.
func tempData(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "stampede-local-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return filepath.Join(dir, "data")
}

// platform is a layout with its supervisor.
type platform struct {
	*Layout
	*Supervisor
}

func up(t *testing.T, o Options) *platform {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	began := time.Now()
	if o.Memory == 0 {
		o.Memory = 1 << 30 // small, because tests run several at a time
	}
	l, err := Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSupervisor(l.Processes, SupervisorOptions{PidFile: l.Data.PidFile()})
	if err != nil {
		t.Fatal(err)
	}
	p := &platform{l, s}
	t.Cleanup(func() { p.down(t) })
	if err := s.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Logf("up in %v", time.Since(began).Round(time.Millisecond))
	return p
}

func (p *platform) down(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	began := time.Now()
	if err := p.Stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
	if err := p.Layout.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	t.Logf("down in %v", time.Since(began).Round(time.Millisecond))
}

func (p *platform) pid(t *testing.T, name string) int {
	t.Helper()
	for _, s := range p.Status() {
		if s.Name == name {
			return s.Pid
		}
	}
	t.Fatalf("no process %q", name)
	return 0
}

// kill kills a process and waits until another runs in its place.
func (p *platform) kill(t *testing.T, name string) {
	t.Helper()
	old := p.pid(t, name)
	if err := syscall.Kill(old, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, name+" runs again", func() bool {
		for _, s := range p.Status() {
			if s.Name == name {
				return s.State == StateRunning && s.Pid != old && s.Restarts > 0
			}
		}
		return false
	})
}

func eventually(t *testing.T, what string, check func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !check() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

func execSQL(t *testing.T, dsn, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// count runs a query for one number; -1 when it cannot.
func count(t *testing.T, dsn, sql string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		return -1
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		return -1
	}
	return n
}

func gone(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there", path)
	}
}
