package prove

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/stampede-shop/stampede/internal/procstat"
)

// UsageOf adds up what processes and their descendants have used, as the kernel has counted it. Who is gone counts with
// its parent. O(processes of the machine).
func UsageOf(list []Process) (Usage, error) {
	all := procstat.All()
	children := map[int][]procstat.Process{}
	for _, p := range all {
		children[p.Parent] = append(children[p.Parent], p)
	}
	u := Usage{At: time.Now(), Roles: map[string]Resources{}}
	for _, p := range list {
		root, ok := all[p.PID]
		if !ok {
			return u, fmt.Errorf("%w: there is no process %d (%s) here", ErrCannot, p.PID, p.Name)
		}
		r := u.Roles[p.Role]
		r.Processes++
		for tree := []procstat.Process{root}; len(tree) > 0; {
			p := tree[0]
			tree = append(tree[1:], children[p.PID]...)
			r.CPU += p.Seconds()
			r.add(p.PID)
		}
		u.Roles[p.Role] = r
	}
	return u, nil
}

// processorTime is what one process has used, in seconds, without its children; 0 when it is gone. It comes from the process's own
// clock, clock_getcpuclockid(3), to the nanosecond: what /proc tells in hundredths of a second is too coarse for a second of a small share.
func processorTime(pid int) float64 {
	const scheduled = 2 // CPUCLOCK_SCHED of the kernel
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduled), &t); err != nil { //nolint:gosec // process ids have 22 bits
		return 0
	}
	return float64(t.Nano()) / 1e9
}

// add adds memory, storage and waiting of one process; of one that may not be looked at, or has just ended, nothing.
func (r *Resources) add(pid int) {
	dir := fmt.Sprintf("/proc/%d/", pid)
	io := numbers(dir + "io")
	r.Read += io["read_bytes"]
	r.Written += io["write_bytes"] - io["cancelled_write_bytes"]
	if raw, err := os.ReadFile(dir + "schedstat"); err == nil {
		if f := strings.Fields(string(raw)); len(f) > 1 {
			ns, _ := strconv.ParseFloat(f[1], 64)
			r.Wait += ns / 1e9
		}
	}
	memory := numbers(dir + "smaps_rollup")
	r.Memory += memory["Pss"] << 10
}

// numbers reads lines of "name: number".
func numbers(file string) map[string]int64 {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	out := map[string]int64{}
	for line := range strings.Lines(string(raw)) {
		name, rest, ok := strings.Cut(line, ":")
		if f := strings.Fields(rest); ok && len(f) > 0 {
			if n, err := strconv.ParseInt(f[0], 10, 64); err == nil {
				out[name] = n
			}
		}
	}
	return out
}

// machineTime is how long the machine's processors have worked and idled so far, in seconds; stolen time counts as work.
func machineTime() (busy, idle float64) {
	raw, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0
	}
	first, _, _ := strings.Cut(string(raw), "\n")
	for i, f := range strings.Fields(first) {
		n, _ := strconv.ParseFloat(f, 64)
		switch i {
		case 0, 9, 10: // the name; guests, who are in user time already
		case 4, 5:
			idle += n / procstat.TicksPerSecond
		default:
			busy += n / procstat.TicksPerSecond
		}
	}
	return busy, idle
}
