package chaoslab

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/chaos"
	"github.com/stampede-shop/stampede/chaos/link"
	"github.com/stampede-shop/stampede/chaos/pressure"
	"github.com/stampede-shop/stampede/chaos/process"
	"github.com/stampede-shop/stampede/internal/app/running"
	"github.com/stampede-shop/stampede/internal/local"
)

// Dir is the folder of the journals, of `up` and of `stampede chaos` alike.
func Dir(data string) string { return filepath.Join(data, "chaos") }

// PressArg is the hidden argument of `stampede chaos` under which this program presses on processor or memory.
const PressArg = "press"

func pressCommand(args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	return exec.Command(self, append([]string{"chaos", PressArg}, args...)...) //nolint:gosec // ourselves
}

// MachineFaults need nothing but a platform on this machine whose status is known.
func MachineFaults(data string, status func(context.Context) (running.Status, error)) []chaos.Fault {
	list := process.Faults(finder(status))
	for i := range list {
		list[i].Available = func(ctx context.Context) error { _, err := status(ctx); return err }
	}
	return append(append(list, pressure.Faults(pressCommand)...), pressure.Disk(data))
}

// finder finds processes by the names that status gives them.
func finder(status func(context.Context) (running.Status, error)) process.Finder {
	return func(ctx context.Context, name string) (process.Found, error) {
		st, err := status(ctx)
		if err != nil {
			return process.Found{}, err
		}
		names := make([]string, len(st.Processes))
		for i, p := range st.Processes {
			if p.Name == name {
				return process.Found{Pid: p.PID, Ready: p.State == string(local.StateRunning)}, nil
			}
			names[i] = p.Name
		}
		return process.Found{}, fmt.Errorf("%w: there is no process %q; there are %s", chaos.ErrParams, name, strings.Join(names, ", "))
	}
}

// Mender is what `up` breaks and mends. With --chaos it takes requests; without, it only mends what was left.
type Mender struct {
	Status   func() running.Status
	Dir      string
	Log      *slog.Logger
	Faults   chaos.Registry
	Injector *chaos.Injector // nil: off
	Links    link.Set
	Rules    *Rules
}

// Mend undoes what a process left that was killed. What cannot be mended yet is no reason not to start; in the end it is one
// to say so.
func (c *Mender) Mend(ctx context.Context, running bool) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	done, err := chaos.Recover(ctx, c.Dir, &c.Faults)
	for _, d := range done {
		if d.Error == "" {
			c.Log.Warn("undone what a killed process had injected", "fault", d.Fault)
		}
	}
	if err != nil && running {
		c.Log.Error("something that was injected earlier is still in force; `stampede chaos stop` tries again", "error", err)
	}
}

// Takes tells whether faults can be injected.
func (c *Mender) Takes() bool { return c != nil && c.Injector != nil }

const chaosEnds = 20 * time.Second

// Close undoes everything. Safe in any state.
func (c *Mender) Close() {
	if c == nil {
		return
	}
	if c.Injector != nil {
		ctx, cancel := context.WithTimeout(context.Background(), chaosEnds)
		defer cancel()
		if err := c.Injector.Close(ctx); err != nil {
			c.Log.Error("stopped before everything was undone; the next start does it", "error", err)
		}
	}
	c.Rules.Close()
}
