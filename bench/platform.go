package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

const platformRuns = 3

// benchPlatform starts a platform of its own and lets 100 shoppers walk the journey three times; the books have to
// balance afterwards.
func benchPlatform(ctx context.Context) (result, error) {
	var flags []string
	if c := os.Getenv("STAMPEDE_CATALOG"); c != "" {
		flags = []string{"--catalog", c}
	}
	data, stop, err := startPlatform(ctx, flags...)
	if err != nil {
		return result{}, err
	}
	defer stop()
	r, err := measureJourney(ctx, data)
	if err != nil {
		return r, err
	}
	_, err = stampede(ctx, "audit", "--data", data)
	return r, err
}

// startPlatform starts a platform in a folder of its own; stop ends it and removes the folder.
func startPlatform(ctx context.Context, flags ...string) (data string, stop func(), err error) {
	dir, err := os.MkdirTemp("", "stampede-bench-")
	if err != nil {
		return "", nil, err
	}
	data = filepath.Join(dir, "data")
	stop = func() {
		_, _ = stampede(context.WithoutCancel(ctx), "down", "--data", data)
		_ = os.RemoveAll(dir)
	}
	if err = os.Chmod(dir, 0o755); err == nil { // PostgreSQL's user passes through
		_, err = stampede(ctx, append([]string{"up", "--detach", "--data", data, "--port", "0", "--ops-port", "0"}, flags...)...)
	}
	if err != nil {
		stop()
	}
	return data, stop, err
}

func measureJourney(ctx context.Context, data string) (result, error) {
	r := result{Unit: "requests/s", Runs: platformRuns, Details: map[string]any{}}
	var rates []float64
	for range platformRuns {
		out, err := stampede(ctx, "load", "--data", data, "--users", "100", "--duration", "30s", "--json")
		var report struct {
			Summary struct {
				Rate   float64 `json:"avg_throughput"`
				Failed int64   `json:"failed_requests"`
				Orders int64   `json:"orders"`
			} `json:"summary"`
			Times map[string]map[string]float64 `json:"response_times"`
		}
		if jsonErr := json.Unmarshal(out, &report); jsonErr != nil {
			return r, errors.Join(err, jsonErr)
		}
		if report.Summary.Failed > 0 {
			return r, fmt.Errorf("%d requests were answered badly", report.Summary.Failed)
		}
		rates = append(rates, report.Summary.Rate)
		r.Details["last_run_response_times"], r.Details["last_run_orders"] = report.Times, report.Summary.Orders
	}
	r.Ours, r.Spread = median(rates), spread(rates)
	return r, nil
}

// stampede runs the binary that `make bench` has built and returns its standard output.
func stampede(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "bin/stampede", args...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		if args[0] == "audit" { // what does not hold is its result
			errOut.Write(out.Bytes())
		}
		return out.Bytes(), fmt.Errorf("stampede %s: %w\n%s", args[0], err, errOut.String())
	}
	return out.Bytes(), nil
}
