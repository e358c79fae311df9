//go:build !linux

package prove

import "fmt"

// UsageOf needs Linux.
func UsageOf([]Process) (Usage, error) {
	return Usage{}, fmt.Errorf("%w: what processes use is read from /proc, which only Linux has", ErrCannot)
}

func processorTime(int) float64 { return 0 }

func machineTime() (busy, idle float64) { return 0, 0 }
