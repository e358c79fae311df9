package prove

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// machine is what we run on, in a few words.
func machine() string {
	name := runtime.GOOS + "/" + runtime.GOARCH
	if raw, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(raw)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
				name = strings.TrimSpace(value) + ", " + name
				break
			}
		}
	}
	return fmt.Sprintf("%d cores, %s", runtime.NumCPU(), name)
}
