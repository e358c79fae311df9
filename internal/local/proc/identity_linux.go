package proc

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
)

// bootID makes start times, which count from the start of the machine, differ after a restart of it.
var bootID = sync.OnceValue(func() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b))
})

// startedAt reads the start time from /proc. A zombie counts as ended.
func startedAt(pid int) (string, bool) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", false
	}
	// the second field, the name in parentheses, may hold anything, so count from its end
	end := bytes.LastIndexByte(b, ')')
	if end < 0 {
		return "", false
	}
	fields := strings.Fields(string(b[end+1:]))
	const state, start = 0, 19 // fields 3 and 22 of the whole line
	if len(fields) <= start || fields[state] == "Z" || fields[state] == "X" {
		return "", false
	}
	return bootID() + "/" + fields[start], true
}

// CommandLine is the command line of a running process, its words separated by blanks; "" when unknown.
func CommandLine(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(bytes.ReplaceAll(b, []byte{0}, []byte{' '})))
}
