package main

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// cpuTimes are clock ticks since boot: all of the machine's, those the hypervisor gave to somebody else, and those nobody used.
type cpuTimes struct{ total, stolen, idle float64 }

// readCPU reads /proc/stat; zero where there is none.
func readCPU() cpuTimes {
	raw, err := os.ReadFile("/proc/stat")
	if err != nil {
		return cpuTimes{}
	}
	line, _, _ := strings.Cut(string(raw), "\n")
	var t cpuTimes
	for i, f := range strings.Fields(line)[1:] {
		v, _ := strconv.ParseFloat(f, 64)
		if i < 8 { // guest times are counted in user already
			t.total += v
		}
		switch i {
		case 3, 4: // with waiting for disks
			t.idle += v
		case 7:
			t.stolen = v
		}
	}
	return t
}

// othersSince is the share of the machine's time that was stolen by other guests since before.
func othersSince(before cpuTimes) float64 {
	now := readCPU()
	if now.total <= before.total {
		return 0
	}
	return (now.stolen - before.stolen) / (now.total - before.total)
}

// besides is the share of the machine's time since before that was used by anybody but us, who spent ours.
func besides(before cpuTimes, ours time.Duration) float64 {
	now := readCPU()
	const ticks = 100 // a second, on Linux
	total := now.total - before.total
	if total <= 0 {
		return 0
	}
	return max(0, 1-(now.idle-before.idle+ours.Seconds()*ticks)/total)
}
