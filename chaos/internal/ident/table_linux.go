package ident

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"sync"
)

// bootID makes start times, which count from the start of the machine, differ after a restart of it.
var bootID = sync.OnceValue(func() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b))
})

// Fields of /proc/PID/stat after the name, which is in parentheses and may hold anything.
const (
	statState  = 0
	statParent = 1
	statStart  = 19
)

func stat(pid int) ([]string, bool) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return nil, false
	}
	end := bytes.LastIndexByte(b, ')')
	if end < 0 {
		return nil, false
	}
	fields := strings.Fields(string(b[end+1:]))
	if len(fields) <= statStart || fields[statState] == "Z" || fields[statState] == "X" {
		return nil, false // a zombie has ended
	}
	return fields, true
}

func startedAt(pid int) (string, bool) {
	fields, ok := stat(pid)
	if !ok {
		return "", false
	}
	return bootID() + "/" + fields[statStart], true
}

// Stopped tells whether a process is halted by a signal.
func Stopped(pid int) bool {
	fields, ok := stat(pid)
	return ok && (fields[statState] == "T" || fields[statState] == "t")
}

// parents maps every process to its parent.
func parents() (map[int]int, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	table := map[int]int{}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if fields, ok := stat(pid); ok {
			table[pid], _ = strconv.Atoi(fields[statParent])
		}
	}
	return table, nil
}
