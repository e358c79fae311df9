package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// spent is processor time: of this process, and of those it started, which here are PostgreSQL's.
type spent struct{ here, servers time.Duration }

func (s spent) plus(o spent) spent { return spent{s.here + o.here, s.servers + o.servers} }

func (s spent) minus(o spent) spent { return spent{s.here - o.here, s.servers - o.servers} }

func (s spent) all() time.Duration { return s.here + s.servers }

// spentNow is the time spent so far, as exact as the scheduler counts; of the servers only where there is /proc. One that has ended is
// not in it.
func spentNow() spent {
	s := spent{here: cpuHere()}
	for _, pid := range descendants(os.Getpid()) {
		took, _ := scheduled(filepath.Join("/proc", strconv.Itoa(pid)))
		s.servers += took
	}
	return s
}

// scheduled is the processor time of a process or thread, to the nanosecond, by its folder below /proc.
func scheduled(folder string) (time.Duration, error) {
	raw, err := os.ReadFile(filepath.Join(folder, "schedstat"))
	if err != nil {
		return 0, err
	}
	on, _, _ := strings.Cut(string(raw), " ")
	ns, err := strconv.ParseInt(on, 10, 64)
	return time.Duration(ns), err
}

// descendants are the processes that a process has started, and those that they have.
func descendants(of int) (all []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	children := map[int][]int{}
	for _, path := range stats {
		raw, _ := os.ReadFile(path)
		_, rest, _ := strings.Cut(string(raw), ") ") // behind the name: state, parent
		if f := strings.Fields(rest); len(f) > 1 {
			parent, _ := strconv.Atoi(f[1])
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			children[parent] = append(children[parent], pid)
		}
	}
	for next := children[of]; len(next) > 0; {
		all = append(all, next...)
		var below []int
		for _, pid := range next {
			below = append(below, children[pid]...)
		}
		next = below
	}
	return all
}

// cpuHere is the processor time of this process.
func cpuHere() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
