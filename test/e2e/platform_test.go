package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// root holds the data folders of all platforms of this run.
var root string

// platform is a detached platform in its own data folder on free ports.
type platform struct {
	data  string
	URL   string
	Ops   string
	token string
	env   []string
}

// status is what `stampede status --json` prints.
type status struct {
	Healthy   bool   `json:"healthy"`
	URL       string `json:"url"`
	Ops       string `json:"ops_url"`
	PID       int    `json:"pid"`
	Processes []struct {
		Name     string `json:"name"`
		State    string `json:"state"`
		PID      int    `json:"pid"`
		Restarts int    `json:"restarts"`
		Address  string `json:"address"`
	} `json:"processes"`
	Clusters []clusterStatus `json:"clusters"`
}

type clusterStatus struct {
	Primary   string    `json:"primary"`
	Sync      bool      `json:"sync"`
	Standbys  []string  `json:"standbys"`
	Alone     time.Time `json:"alone"`
	Failovers int       `json:"failovers"`
}

func newPlatform(name string) *platform { return &platform{data: filepath.Join(root, name)} }

// run runs the binary with a limit and returns its outputs.
func run(ctx context.Context, env []string, args ...string) (stdout, stderr string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 6*time.Minute) // so that what hangs fails one test, not the run
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(os.Environ(), env...)
	var out, errOut strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err = cmd.Run()
	return out.String(), errOut.String(), err
}

// up starts the platform, or starts it again.
func (p *platform) up(flags ...string) error {
	args := append([]string{"up", "--detach", "--data", p.data, "--port", "0", "--ops-port", "0"}, flags...)
	_, stderr, err := run(context.Background(), p.env, args...)
	if err != nil {
		return fmt.Errorf("up: %w\n%s", err, stderr)
	}
	st, err := p.status()
	if err != nil {
		return err
	}
	p.URL, p.Ops = st.URL, st.Ops
	raw, err := os.ReadFile(filepath.Join(p.data, "admin-token"))
	p.token = strings.TrimSpace(string(raw))
	return err
}

func (p *platform) status() (status, error) {
	var st status
	out, stderr, err := run(context.Background(), nil, "status", "--json", "--data", p.data)
	if err != nil && out == "" {
		return st, fmt.Errorf("status: %w\n%s", err, stderr)
	}
	return st, json.Unmarshal([]byte(out), &st)
}

func (p *platform) down() error {
	_, stderr, err := run(context.Background(), nil, "down", "--data", p.data)
	if err != nil {
		return fmt.Errorf("down: %w\n%s", err, stderr)
	}
	return nil
}

// audit fails the test when the books do not balance.
func (p *platform) audit(t *testing.T) {
	t.Helper()
	out, stderr, err := run(t.Context(), nil, "audit", "--data", p.data)
	if err != nil {
		t.Errorf("audit: %v\n%s\n%s", err, out, stderr)
	}
}

// pid is the process id of a component that runs, or is just being started again.
func (p *platform) pid(t *testing.T, name string) (pid int) {
	t.Helper()
	eventually(t, time.Minute, name+" runs", func() error {
		st, err := p.status()
		if err != nil {
			return err
		}
		for _, proc := range st.Processes {
			if proc.Name == name && proc.PID > 0 {
				pid = proc.PID
				return nil
			}
		}
		return fmt.Errorf("%+v", st.Processes)
	})
	return pid
}

// runs tells whether a component runs, as another process than before.
func (p *platform) runs(name string, before int) error {
	st, err := p.status()
	if err != nil {
		return err
	}
	for _, proc := range st.Processes {
		if proc.Name == name && proc.PID > 0 && proc.PID != before && proc.State == "running" {
			return nil
		}
	}
	return fmt.Errorf("%s does not run again: %+v", name, st.Processes)
}

// healthy waits until all components are.
func (p *platform) healthy(t *testing.T) {
	t.Helper()
	eventually(t, time.Minute, "healthy", func() error {
		st, err := p.status()
		if err == nil && !st.Healthy {
			err = fmt.Errorf("%+v", st)
		}
		return err
	})
}

// eventually polls a condition until it holds or the limit has passed.
func eventually(t *testing.T, limit time.Duration, what string, cond func() error) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		err := cond()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v: %v", what, limit, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// sharedPlatform serves the tests that leave it standing.
type sharedPlatform struct {
	once sync.Once
	p    *platform
	err  error
}

var shared sharedPlatform

func (s *sharedPlatform) get(t *testing.T) *platform {
	t.Helper()
	s.once.Do(func() {
		s.p = newPlatform("shared")
		s.err = s.p.up("--products", "3000")
	})
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.p
}

func (s *sharedPlatform) stop() error {
	if s.p == nil {
		return nil
	}
	return s.p.down()
}

// own starts a platform for one test and stops it afterwards.
func own(t *testing.T, name string, flags ...string) *platform {
	t.Helper()
	p := newPlatform(name)
	p.own(t, flags...)
	return p
}

// own starts this platform for one test and stops it afterwards.
func (p *platform) own(t *testing.T, flags ...string) {
	t.Helper()
	t.Cleanup(func() {
		if err := p.down(); err != nil {
			t.Error(err)
		}
	})
	if err := p.up(flags...); err != nil {
		t.Fatal(err)
	}
}

// gone waits until a process has ended.
func gone(pid int) error {
	if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
		return nil
	}
	if raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil && strings.Contains(string(raw), ") Z ") {
		return nil // ended; whoever adopted it has not looked yet
	}
	return fmt.Errorf("process %d still runs", pid)
}
