package dashboard

import (
	"bytes"
	"os"
	"strconv"

	"github.com/stampede-shop/stampede/internal/procstat"
)

// usage reads CPU seconds and resident bytes of each process with all its descendants. What a descendant shares with others is
// not counted again: PostgreSQL's servers are many processes around one shared memory.
func usage(pids map[string]int) (cpu, rss map[string]float64) {
	cpu, rss = map[string]float64{}, map[string]float64{}
	name := make(map[int]string, len(pids))
	for n, pid := range pids {
		name[pid] = n
	}
	all := procstat.All()
	owner := func(pid int) string {
		for range 8 { // deep enough for everything we start
			if n, ok := name[pid]; ok {
				return n
			}
			p, ok := all[pid]
			if !ok || p.Parent <= 1 {
				return ""
			}
			pid = p.Parent
		}
		return ""
	}
	for pid, p := range all {
		if n := owner(pid); n != "" {
			cpu[n] += p.Seconds()
			resident := float64(p.Resident)
			if rss[n] += resident; name[pid] != n {
				rss[n] -= min(shared(pid), resident)
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
