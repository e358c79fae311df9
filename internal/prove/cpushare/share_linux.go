package cpushare

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Group is a control group with a quota, which is in force while it is held.
type Group struct {
	dir    string
	second bool // version 2
	quota  time.Duration
}

const prefix = "stampede-share-"

var made atomic.Int64

// New makes a group that gets share cores, and holds it. Close it when its processes have ended.
func New(share float64) (*Group, error) {
	q, err := quota(share)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, p := range places() {
		p.sweep()
		g := &Group{filepath.Join(p.dir, fmt.Sprintf("%s%d-%d", prefix, os.Getpid(), made.Add(1))), p.second, q}
		if err = p.make(g.dir); err == nil {
			err = g.Hold(true)
		}
		if err == nil {
			return g, nil
		}
		_ = os.Remove(g.dir)
		errs = append(errs, err)
	}
	if len(errs) == 0 {
		return nil, fmt.Errorf("%w: no control groups are mounted", ErrUnavailable)
	}
	return nil, fmt.Errorf("%w: %w", ErrUnavailable, errors.Join(errs...))
}

// Add moves a process into the group.
func (g *Group) Add(pid int) error {
	return write(g.dir, "cgroup.procs", strconv.Itoa(pid))
}

// Hold puts the quota in force, or lets the group have all that is there. Who is held goes before others, since what it gets is small;
// who is not held does not, or it would keep from others, such as the servers that it asks, all that there is.
func (g *Group) Hold(on bool) error {
	before, file, limit := 1, "cpu.cfs_quota_us", "-1"
	if on {
		before, limit = weight, strconv.FormatInt(g.quota.Microseconds(), 10)
	}
	if !g.second {
		return errors.Join(write(g.dir, "cpu.shares", strconv.Itoa(1024*before)), write(g.dir, file, limit))
	}
	if file = "cpu.max"; !on {
		limit = "max"
	}
	return errors.Join(write(g.dir, "cpu.weight", strconv.Itoa(100*before)), write(g.dir, file, fmt.Sprintf("%s %d", limit, period.Microseconds())))
}

// Throttled is what the quota has done so far; nothing for a group that is gone.
func (g *Group) Throttled() (t Throttled) {
	raw, _ := os.ReadFile(filepath.Join(g.dir, "cpu.stat"))
	for line := range strings.Lines(string(raw)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, _ := strconv.ParseInt(value, 10, 64)
		switch name {
		case "nr_periods":
			t.Periods = n
		case "nr_throttled":
			t.Stopped = n
		case "throttled_time":
			t.For = time.Duration(n)
		case "throttled_usec":
			t.For = time.Duration(n) * time.Microsecond
		}
	}
	return t
}

// Close removes the group; its processes must have ended. Closing twice is fine.
func (g *Group) Close() error {
	deadline := time.Now().Add(2 * time.Second)
	for {
		err := syscall.Rmdir(g.dir) // a group's files are not removed
		switch {
		case err == nil, errors.Is(err, fs.ErrNotExist):
			return nil
		case !errors.Is(err, syscall.EBUSY) || time.Now().After(deadline):
			return fmt.Errorf("remove control group %s: %w", g.dir, err)
		}
		time.Sleep(10 * time.Millisecond) // the kernel has not taken the last process out yet, and tells nobody when it has
	}
}

// place is where a group can be made.
type place struct {
	dir    string
	second bool // version 2
}

func (p place) make(dir string) error {
	if p.second {
		// A group has the controllers that its parent hands down.
		if on, _ := os.ReadFile(filepath.Join(p.dir, "cgroup.subtree_control")); !bytes.Contains(append(on, ' '), []byte("cpu ")) {
			if err := write(p.dir, "cgroup.subtree_control", "+cpu"); err != nil {
				return err
			}
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if p.second {
		return nil
	}
	return write(dir, "cpu.cfs_period_us", strconv.FormatInt(period.Microseconds(), 10))
}

// sweep removes what a process that was killed has left.
func (p place) sweep() {
	left, _ := filepath.Glob(filepath.Join(p.dir, prefix+"*"))
	for _, dir := range left {
		owner, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), prefix), "-")
		if pid, err := strconv.Atoi(owner); err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			_ = syscall.Rmdir(dir)
		}
	}
}

func write(dir, file, text string) error {
	return os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644)
}

// places are the groups that may be made here: below our own group, or at the top of what is mounted. Version 1 first: where both
// are mounted it has the controller.
func places() (list []place) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	own, _ := os.ReadFile("/proc/self/cgroup")
	var second []place
	for lines := bufio.NewScanner(bytes.NewReader(mounts)); lines.Scan(); {
		before, after, ok := strings.Cut(lines.Text(), " - ")
		at, kind := strings.Fields(before), strings.Fields(after)
		if !ok || len(at) < 5 || len(kind) < 3 {
			continue
		}
		switch {
		case kind[0] == "cgroup" && has(kind[2], "cpu"):
			list = append(list, place{dir: filepath.Join(at[4], group(own, "cpu"))}, place{dir: at[4]})
		case kind[0] == "cgroup2":
			for dir := filepath.Join(at[4], group(own, "")); ; dir = filepath.Dir(dir) {
				second = append(second, place{dir, true})
				if dir == at[4] || len(dir) <= len(at[4]) {
					break
				}
			}
		}
	}
	return append(list, second...)
}

func has(list, name string) bool {
	for item := range strings.SplitSeq(list, ",") {
		if item == name {
			return true
		}
	}
	return false
}

// group is our own in /proc/self/cgroup: of a controller, or of version 2 when that is "".
func group(own []byte, controller string) string {
	for line := range strings.Lines(string(own)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) == 3 && (parts[1] == controller || controller != "" && has(parts[1], controller)) {
			return parts[2]
		}
	}
	return "/"
}
