package main

import (
	"os"
	"strconv"
	"strings"
)

// cpuTimes are clock ticks since boot: all of the machine's, and those the hypervisor gave to somebody else.
type cpuTimes struct{ total, stolen float64 }

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
		if i == 7 {
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
