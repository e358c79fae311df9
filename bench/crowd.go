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
	"syscall"
)

const (
	crowdSessions    = 100_000
	crowdConnections = 20_000
	crowdOwnFiles    = 1000 // that an edge or a generator needs besides clients' connections
	crowdMostDoors   = 4    // edges and generators that share them
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

// crowd is how many come, by how many doors, and how long they take.
type crowd struct {
	users, doors      int
	think, ramp, full string
	args              []string // of each generator
}

// benchCrowdSessions lets 100,000 shoppers in, who think for 45 s before each request, and share connections.
func benchCrowdSessions(ctx context.Context) (result, error) {
	return benchCrowd(ctx, crowd{crowdSessions, 1, "30s-60s", "60s", "140s", nil})
}

// benchCrowdConnections lets in 20,000 with a connection each. A process may open so many files: where those are too few for all, further
// edges stand beside the platform's own, with a generator each. None but the superuser's system may raise the limit itself.
func benchCrowdConnections(ctx context.Context) (result, error) {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return result{}, err
	}
	each := int(min(files.Max, 2*crowdConnections)) - crowdOwnFiles
	if each < crowdConnections/crowdMostDoors {
		return result{}, fmt.Errorf("%d open files are allowed to a process: too few, raise the limit (ulimit -n) to %d", files.Max, crowdConnections/crowdMostDoors+crowdOwnFiles)
	}
	return benchCrowd(ctx, crowd{crowdConnections, (crowdConnections + each - 1) / each, "6s-18s", "40s", "80s", []string{"--own-connections"}})
}

// benchCrowd fills a platform with shoppers and tells what memory it took at most.
func benchCrowd(ctx context.Context, c crowd) (_ result, err error) {
	dir, err := os.MkdirTemp("", "stampede-bench-")
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o755); err != nil { // PostgreSQL's user passes through
		return result{}, err
	}
	scenario, data := filepath.Join(dir, "crowd.yaml"), filepath.Join(dir, "data")
	if err := os.WriteFile(scenario, fmt.Appendf(nil, crowdScenario, c.think, c.users/c.doors, c.ramp, c.full), 0o644); err != nil { //nolint:gosec // read by our own child
		return result{}, err
	}
	if _, err := stampede(ctx, "up", "--detach", "--data", data, "--port", "0", "--ops-port", "0", "--shards", "2", "--replicas", "1", "--products", "2000"); err != nil {
		return result{}, err
	}
	defer func() {
		_, derr := stampede(context.WithoutCancel(ctx), "down", "--data", data)
		err = errors.Join(err, derr)
	}()
	doors, err := openDoors(ctx, data, c.doors)
	defer func() { err = errors.Join(err, doors.close()) }()
	if err != nil {
		return result{}, err
	}
	res := result{Unit: "MiB of the whole platform at most", Runs: 1, Anchor: crowdBound}
	idle := doors.look()
	if res.Details, err = doors.crowd(ctx, append([]string{"--scenario", scenario}, c.args...)); err != nil {
		return res, err
	}
	res.Details["shoppers"], res.Details["idle_mib"], res.Details["idle_edges_mib"], res.Details["edges"] = c.users, idle.platform, idle.edges, c.doors
	res.Ours = res.Details["platform_mib"].(float64) //nolint:forcetypeassert // put there by crowd
	res.Ratio = res.Ours / crowdBound
	_, err = stampede(ctx, "audit", "--data", data)
	return res, err
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
