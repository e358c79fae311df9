package prove

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// userHz is the unit of processor times in /proc, on every Linux that Go runs on.
const userHz = 100

// stat is what /proc says of a process.
type stat struct {
	pid, parent int
	ticks       int64 // its own, and of those of its children that it has waited for
}

// UsageOf adds up what processes and their descendants have used, as the kernel has counted it. Who is gone counts with
// its parent. O(processes of the machine).
func UsageOf(list []Process) (Usage, error) {
	children := map[int][]stat{}
	all := map[int]stat{}
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return Usage{}, err
	}
	for _, dir := range dirs {
		if s, ok := readStat(dir); ok {
			all[s.pid] = s
			children[s.parent] = append(children[s.parent], s)
		}
	}
	u := Usage{At: time.Now(), Roles: map[string]Resources{}}
	for _, p := range list {
		root, ok := all[p.PID]
		if !ok {
			return u, fmt.Errorf("%w: there is no process %d (%s) here", ErrCannot, p.PID, p.Name)
		}
		r := u.Roles[p.Role]
		r.Processes++
		for tree := []stat{root}; len(tree) > 0; {
			s := tree[0]
			tree = append(tree[1:], children[s.pid]...)
			r.CPU += float64(s.ticks) / userHz
			r.add(s.pid)
		}
		u.Roles[p.Role] = r
	}
	return u, nil
}

func readStat(dir string) (s stat, ok bool) {
	raw, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return s, false // it has ended meanwhile
	}
	end := bytes.LastIndexByte(raw, ')') // the name before may hold anything
	if end < 0 {
		return s, false
	}
	fields := strings.Fields(string(raw[end+1:]))
	const parent, utime, cstime = 1, 11, 14
	if len(fields) <= cstime {
		return s, false
	}
	s.pid, _ = strconv.Atoi(filepath.Base(dir))
	s.parent, _ = strconv.Atoi(fields[parent])
	for _, f := range fields[utime : cstime+1] {
		n, _ := strconv.ParseInt(f, 10, 64)
		s.ticks += n
	}
	return s, true
}

// processorTime is what one process has used, in seconds; 0 when it is gone.
func processorTime(pid int) float64 {
	s, _ := readStat(fmt.Sprintf("/proc/%d", pid))
	return float64(s.ticks) / userHz
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
			idle += n / userHz
		default:
			busy += n / userHz
		}
	}
	return busy, idle
}
