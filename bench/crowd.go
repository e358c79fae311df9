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
	crowdOwnFiles    = 1000 // that an edge or a generator needs besides clients' connections
	crowdBound       = 2048 // MiB that the whole platform may take
)

// crowdScenario is a shop full of people. One in ten has made up their mind when the run begins, so that orders are placed within
// minutes although everybody takes their time; the others look.
const crowdScenario = `name: crowd
about: Most look around, one in ten has come to buy.
popularity: {zipf: 1.0}
think: %s
load:
  model: closed
  users: %d
  stages:
    - {for: %s, from: 0, to: 1}
    - {for: %s, at: 1}
retry: {times: 3, longest: 15s}
shoppers:
  - kind: looker
    weight: 9
    steps:
      - browse: 3
      - view: 6
      - browse: 3
  - kind: buyer
    weight: 1
    steps:
      - view: 1
      - add: 1
      - checkout: 1
      - browse: 3
      - view: 3
`

// benchCrowdSessions lets 100,000 shoppers in, who think for 45 s before each request, and share connections.
func benchCrowdSessions(ctx context.Context) (result, error) {
	return benchCrowd(ctx, crowdSessions, "30s-60s", "60s", "140s")
}

// benchCrowdConnections lets in as many as the limit of open files allows, at most 20,000, with a connection each.
func benchCrowdConnections(ctx context.Context) (result, error) {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return result{}, err
	}
	return benchCrowd(ctx, min(crowdConnections, int(files.Max)-crowdOwnFiles), "6s-18s", "40s", "80s", "--own-connections")
}

// benchCrowd fills a platform with shoppers and tells what memory it took at most.
func benchCrowd(ctx context.Context, users int, think, ramp, full string, args ...string) (_ result, err error) {
	dir, err := os.MkdirTemp("", "stampede-bench-")
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o755); err != nil { // PostgreSQL's user passes through
		return result{}, err
	}
	scenario, data := filepath.Join(dir, "crowd.yaml"), filepath.Join(dir, "data")
	if err := os.WriteFile(scenario, fmt.Appendf(nil, crowdScenario, think, users, ramp, full), 0o644); err != nil { //nolint:gosec // read by our own child
		return result{}, err
	}
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
	res := result{Unit: "MiB of the whole platform at most", Runs: 1, Anchor: crowdBound}
	idle := memoryOf(root)
	if res.Details, err = crowdRun(ctx, data, root, edge, append([]string{"--scenario", scenario}, args...)); err != nil {
		return res, err
	}
	res.Details["shoppers"], res.Details["idle_mib"] = users, idle
	res.Ours = res.Details["platform_mib"].(float64) //nolint:forcetypeassert // put there by crowdRun
	res.Ratio = res.Ours / crowdBound
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
	out, err := stampede(ctx, append([]string{"load", "--data", data, "--json"}, args...)...)
	stop()
	watch.Wait()
	var r loadReport
	if jsonErr := json.Unmarshal(out, &r); jsonErr != nil {
		return nil, errors.Join(err, jsonErr)
	}
	return map[string]any{"platform_mib": platform, "edge_mib": edgeAlone, "edge_files": open, "requests": r.Summary.Total, "seconds": r.Summary.Duration, "bad": r.Errors,
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
