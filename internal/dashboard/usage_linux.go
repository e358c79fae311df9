package dashboard

import (
	"bytes"
	"os"
	"strconv"
)

const ticksPerSecond = 100 // USER_HZ, the same on every Linux

// usage reads CPU seconds and resident bytes of each process with all its descendants. What a descendant shares with others is
// not counted again: PostgreSQL's servers are many processes around one shared memory.
func usage(pids map[string]int) (cpu, rss map[string]float64) {
	cpu, rss = map[string]float64{}, map[string]float64{}
	name := make(map[int]string, len(pids))
	for n, pid := range pids {
		name[pid] = n
	}
	all := processes()
	owner := func(pid int) string {
		for range 8 { // deep enough for everything we start
			if n, ok := name[pid]; ok {
				return n
			}
			p, ok := all[pid]
			if !ok || p.parent <= 1 {
				return ""
			}
			pid = p.parent
		}
		return ""
	}
	for pid, p := range all {
		if n := owner(pid); n != "" {
			cpu[n] += p.cpu
			if rss[n] += p.rss; name[pid] != n {
				rss[n] -= min(shared(pid), p.rss)
			}
		}
	}
	return cpu, rss
}

// shared is how many resident bytes of a process are shared or of files, the third number of /proc/PID/statm.
func shared(pid int) float64 {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	f := bytes.Fields(raw)
	if err != nil || len(f) < 3 {
		return 0
	}
	pages, _ := strconv.ParseFloat(string(f[2]), 64)
	return pages * float64(os.Getpagesize())
}

type process struct {
	parent   int
	cpu, rss float64
}

func processes() map[int]process {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer func() { _ = dir.Close() }()
	names, _ := dir.Readdirnames(-1) // what was read is what there is
	all := make(map[int]process, len(names))
	for _, n := range names {
		pid, err := strconv.Atoi(n)
		if err != nil {
			continue
		}
		raw, err := os.ReadFile("/proc/" + n + "/stat")
		if err != nil {
			continue // it is gone
		}
		if p, ok := parseStat(raw); ok {
			all[pid] = p
		}
	}
	return all
}

// parseStat reads a line of /proc/PID/stat, proc(5); the name in parentheses may hold anything. Time of children that have
// ended is counted with their parent.
func parseStat(raw []byte) (process, bool) {
	i := bytes.LastIndexByte(raw, ')')
	if i < 0 {
		return process{}, false
	}
	f := bytes.Fields(raw[i+1:])
	if len(f) < 22 {
		return process{}, false
	}
	num := func(i int) float64 { v, _ := strconv.ParseFloat(string(f[i]), 64); return v }
	return process{parent: int(num(1)), cpu: (num(11) + num(12) + num(13) + num(14)) / ticksPerSecond, rss: num(21) * float64(os.Getpagesize())}, true
}
