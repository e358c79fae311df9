//go:build !linux

package local

import (
	"context"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// machineMemory is the memory of the machine; 0 when unknown.
func machineMemory() int64 {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "sysctl", "-n", "hw.memsize").Output()
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	return n
}
