package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	crowdSessions    = 100_000
	crowdConnections = 20_000
	crowdSpan        = "45s"
	crowdOwnFiles    = 1500 // that an edge or a generator needs besides clients' connections
)

// benchCrowd lets 100,000 shoppers with a minute between their requests into a platform, and then as many as the limit of open
// files allows, at most 20,000, with a connection each, and tells what memory the platform took at most.
func benchCrowd(ctx context.Context) (_ result, err error) {
	dir, err := os.MkdirTemp("", "stampede-bench-")
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o755); err != nil { // PostgreSQL's user passes through
		return result{}, err
	}
	data := filepath.Join(dir, "data")
	if _, err := stampede(ctx, "up", "--detach", "--data", data, "--port", "0", "--ops-port", "0", "--shards", "2", "--replicas", "1", "--products", "2000"); err != nil {
		return result{}, err
	}
	defer func() {
		_, derr := stampede(context.WithoutCancel(ctx), "down", "--data", data)
		err = errors.Join(err, derr)
	}()
	root, edge, err := platformPIDs(ctx, data)
	if err != nil {
		return result{}, err
	}
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return result{}, err
	}
	connections := min(crowdConnections, int(files.Max)-crowdOwnFiles)
	res := result{Unit: "MiB of the whole platform at most", Runs: 1, Details: map[string]any{"idle_mib": memoryOf(root), "files_allowed": files.Max}}
	for name, args := range map[string][]string{
		"sessions":    {"--users", strconv.Itoa(crowdSessions), "--think", "60s"},
		"connections": {"--users", strconv.Itoa(connections), "--think", "12s", "--own-connections"},
	} {
		row, err := crowdRun(ctx, data, root, edge, args)
		if err != nil {
			return res, fmt.Errorf("%s: %w", name, err)
		}
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, row)
		res.Details[name] = row
		res.Ours = max(res.Ours, row["platform_mib"].(float64)) //nolint:forcetypeassert // put there by crowdRun
	}
	_, err = stampede(ctx, "audit", "--data", data)
	return res, err
}

// crowdRun loads the platform and watches its memory meanwhile.
func crowdRun(ctx context.Context, data string, root, edge int, args []string) (map[string]any, error) {
	watched, stop := context.WithCancel(ctx)
	defer stop()
	var platform, edgeAlone float64
	open := 0
	var watch sync.WaitGroup
	watch.Go(func() {
		for watched.Err() == nil {
			platform, edgeAlone, open = max(platform, memoryOf(root)), max(edgeAlone, pss(edge)), max(open, openFiles(edge))
			select {
			case <-watched.Done():
			case <-time.After(time.Second):
			}
		}
	})
	out, err := stampede(ctx, append([]string{"load", "--data", data, "--profile", "ramp", "--duration", crowdSpan, "--json"}, args...)...)
	stop()
	watch.Wait()
	var r loadReport
	if jsonErr := json.Unmarshal(out, &r); jsonErr != nil {
		return nil, errors.Join(err, jsonErr)
	}
	return map[string]any{"shoppers": args[1], "platform_mib": platform, "edge_mib": edgeAlone, "edge_files": open, "requests": r.Summary.Total, "bad": r.Errors,
		"orders": r.Summary.Orders, "browse_p95_s": r.Times["browse"].P95, "checkout_p99_s": r.Times["checkout"].P99, "generator": r.Summary.Invalid}, nil
}

// platformPIDs are the processes of `up` and of its edge.
func platformPIDs(ctx context.Context, data string) (root, edge int, err error) {
	out, err := stampede(ctx, "status", "--data", data, "--json")
	if err != nil {
		return 0, 0, err
	}
	var st struct {
		PID       int `json:"pid"`
		Processes []struct {
			Name string `json:"name"`
			PID  int    `json:"pid"`
		} `json:"processes"`
	}
	if err := json.Unmarshal(out, &st); err != nil {
		return 0, 0, err
	}
	for _, p := range st.Processes {
		if p.Name == "edge" {
			edge = p.PID
		}
	}
	return st.PID, edge, nil
}

// memoryOf is the proportional share of memory of a process and all below it, in MiB.
func memoryOf(root int) (mib float64) {
	for _, pid := range append(descendants(root), root) {
		mib += pss(pid)
	}
	return mib
}

func pss(pid int) float64 {
	raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid)) // one that has gone has none
	for line := range bytes.Lines(raw) {
		if f := strings.Fields(string(line)); len(f) > 1 && f[0] == "Pss:" {
			kib, _ := strconv.ParseFloat(f[1], 64)
			return kib / 1024
		}
	}
	return 0
}

func openFiles(pid int) int {
	entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return len(entries)
}
