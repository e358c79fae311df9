//go:build !linux

package proc

import (
	"context"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

func startedAt(pid int) (string, bool) {
	out := ps(pid, "stat=,lstart=")
	if out == "" || strings.HasPrefix(out, "Z") {
		return "", false
	}
	_, started, ok := strings.Cut(out, " ")
	return strings.TrimSpace(started), ok
}

// CommandLine is the command line of a running process, its words separated by blanks; "" when unknown.
func CommandLine(pid int) string { return ps(pid, "command=") }

func ps(pid int, columns string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "ps", "-o", columns, "-p", strconv.Itoa(pid))
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin"}
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
