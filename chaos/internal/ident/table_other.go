//go:build !linux

package ident

import (
	"context"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

func startedAt(pid int) (string, bool) {
	out, err := ps("-o", "stat=,lstart=", "-p", strconv.Itoa(pid))
	if err != nil || out == "" || strings.HasPrefix(out, "Z") {
		return "", false
	}
	_, started, ok := strings.Cut(out, " ")
	return strings.TrimSpace(started), ok
}

// Stopped tells whether a process is halted by a signal.
func Stopped(pid int) bool {
	out, err := ps("-o", "stat=", "-p", strconv.Itoa(pid))
	return err == nil && strings.HasPrefix(out, "T")
}

// parents maps every process to its parent.
func parents() (map[int]int, error) {
	out, err := ps("-axo", "pid=,ppid=")
	if err != nil {
		return nil, err
	}
	table := map[int]int{}
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) != 2 {
			continue
		}
		pid, errPid := strconv.Atoi(f[0])
		parent, errParent := strconv.Atoi(f[1])
		if errPid == nil && errParent == nil {
			table[pid] = parent
		}
	}
	return table, nil
}

func ps(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "ps", args...)
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin"}
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err
}
