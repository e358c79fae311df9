// Package procstat reads from /proc what each process has used. Elsewhere than on Linux it finds none.
package procstat

import (
	"bytes"
	"os"
	"strconv"
)

// TicksPerSecond is the unit of processor times in /proc (USER_HZ), the same on every Linux that Go runs on.
const TicksPerSecond = 100

// Process is what the kernel has counted of one.
type Process struct {
	PID, Parent int
	// Ticks are of its own and of those of its children that have ended and that it has waited for.
	Ticks int64
	// Resident bytes hold what it shares with others, too.
	Resident int64
}

// Seconds of processor time.
func (p Process) Seconds() float64 { return float64(p.Ticks) / TicksPerSecond }

// All are the processes of the machine, by id. O(processes).
func All() map[int]Process {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer func() { _ = dir.Close() }()
	names, _ := dir.Readdirnames(-1) // what was read is what there is
	all := make(map[int]Process, len(names))
	for _, n := range names {
		if pid, err := strconv.Atoi(n); err == nil {
			if p, ok := Read(pid); ok {
				all[pid] = p
			}
		}
	}
	return all
}

// Read is one process; false when it is gone.
func Read(pid int) (Process, bool) {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return Process{}, false
	}
	p, ok := parse(raw)
	p.PID = pid
	return p, ok
}

// parse reads a line of /proc/PID/stat, proc(5); the name in parentheses may hold anything.
func parse(raw []byte) (p Process, ok bool) {
	f := bytes.Fields(raw[bytes.LastIndexByte(raw, ')')+1:])
	const parent, utime, cstime, rss = 1, 11, 14, 21
	if len(f) <= rss || bytes.IndexByte(raw, ')') < 0 {
		return p, false
	}
	number := func(i int) int64 { v, _ := strconv.ParseInt(string(f[i]), 10, 64); return v }
	p.Parent, p.Resident = int(number(parent)), number(rss)*int64(os.Getpagesize())
	for i := utime; i <= cstime; i++ {
		p.Ticks += number(i)
	}
	return p, true
}
