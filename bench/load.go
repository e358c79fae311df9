package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

const (
	loadRounds  = 5 // each of all
	loadSeconds = 3
	loadConns   = 64
)

// generated is what a load generator did: requests a second, and requests a second of CPU that it used.
type generated struct{ rate, perCPU float64 }

// benchLoad measures load generators on the second core against a trivial shop on the first one, over 64 kept connections,
// answers of one KiB, in turns: ours, which checks every answer, against wrk, which checks none, and hey. What counts is
// requests a second of CPU: it does not depend on what others do with the machine.
func benchLoad(ctx context.Context) (_ result, err error) {
	addr, stop, err := startTrivialShop(ctx, 1)
	if err != nil {
		return result{}, err
	}
	defer stop()
	url := "http://" + addr
	tools := []func(context.Context, string) (generated, error){genOurs, genWrk, genHey}
	rates, perCPU := make([][]float64, len(tools)), make([][]float64, len(tools))
	var ratios []float64
	for i := range loadRounds + 1 { // the first warms up
		for j, tool := range tools {
			g, err := tool(ctx, url)
			if err != nil {
				return result{}, err
			}
			if i > 0 {
				rates[j], perCPU[j] = append(rates[j], g.rate), append(perCPU[j], g.perCPU)
			}
		}
		if i > 0 {
			ratios = append(ratios, perCPU[0][i-1]/perCPU[1][i-1])
		}
	}
	r := result{Unit: "requests/s of CPU", Ours: median(perCPU[0]), Anchor: median(perCPU[1]), Ratio: median(ratios), Spread: spread(perCPU[0]), Runs: loadRounds}
	r.Details = map[string]any{
		"anchor": "wrk", "hey": median(perCPU[2]),
		"rate_ours": median(rates[0]), "rate_wrk": median(rates[1]), "rate_hey": median(rates[2]),
	}
	return r, loadMore(ctx, r.Details)
}

// loadMore measures lists of twenty products, and how punctual an open model is.
func loadMore(ctx context.Context, details map[string]any) error {
	addr, stop, err := startTrivialShop(ctx, 20)
	if err != nil {
		return err
	}
	defer stop()
	g, err := genOurs(ctx, "http://"+addr)
	if err != nil {
		return err
	}
	details["ours_lists_of_20"] = g.perCPU
	for _, rate := range []int{1000, 10_000, 30_000} {
		g, r, err := ours(ctx, "http://"+addr, "--rate", strconv.Itoa(rate))
		if err != nil {
			return err
		}
		details[fmt.Sprintf("open_%d", rate)] = map[string]any{
			"rate": r.Summary.Rate, "late_p50_ms": 1e3 * r.Generator.Lag.P50, "late_p99_ms": 1e3 * r.Generator.Lag.P99, "valid": r.Summary.Valid, "per_cpu_s": g.perCPU,
		}
	}
	return nil
}

// onSecondCore runs a program and says how much CPU it used, in seconds.
func onSecondCore(ctx context.Context, args ...string) (out []byte, cpu float64, err error) {
	cmd := exec.CommandContext(ctx, "taskset", append([]string{"-c", "1"}, args...)...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	cmd.Stderr = new(strings.Builder)
	out, err = cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", args[0], err, cmd.Stderr)
	}
	if cmd.ProcessState == nil {
		return out, 0, err
	}
	return out, (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds(), err
}

func genOurs(ctx context.Context, url string) (generated, error) {
	g, r, err := ours(ctx, url, "--users", strconv.Itoa(loadConns))
	if err == nil && r.Summary.Failed > 0 {
		err = fmt.Errorf("ours: %d bad answers", r.Summary.Failed)
	}
	return g, err
}

// oursReport is what is read of a report.
type oursReport struct {
	Summary struct {
		Rate     float64 `json:"avg_throughput"`
		Requests float64 `json:"total_requests"`
		Failed   int64   `json:"failed_requests"`
		Valid    bool    `json:"valid"`
	} `json:"summary"`
	Generator struct {
		Lag struct{ P50, P99 float64 } `json:"lag"`
	} `json:"generator"`
}

func ours(ctx context.Context, url string, load ...string) (g generated, r oursReport, err error) {
	args := append([]string{"bin/stampede", "load", "--json", "--target", url, "--scenario", "browse", "--duration", strconv.Itoa(loadSeconds) + "s"}, load...)
	out, cpu, err := onSecondCore(ctx, args...)
	if jsonErr := json.Unmarshal(out, &r); jsonErr != nil {
		return g, r, errors.Join(err, jsonErr)
	}
	return generated{r.Summary.Rate, r.Summary.Requests / cpu}, r, nil // with bad answers it exits with 1; who calls looks at them
}

var (
	wrkTotal  = regexp.MustCompile(`(\d+) requests in`)
	heyTotal  = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)
	heyStatus = regexp.MustCompile(`\[(\d+)\]\s+(\d+) responses`)
)

func genWrk(ctx context.Context, url string) (generated, error) {
	out, cpu, err := onSecondCore(ctx, "wrk", "-t1", "-c"+strconv.Itoa(loadConns), "-d"+strconv.Itoa(loadSeconds)+"s", url+"/products/7")
	if err != nil {
		return generated{}, err
	}
	total, rate := wrkTotal.FindSubmatch(out), wrkRate.FindSubmatch(out)
	if total == nil || rate == nil || strings.Contains(string(out), "Non-2xx") || strings.Contains(string(out), "Socket errors") {
		return generated{}, fmt.Errorf("wrk: no clean run: %s", out)
	}
	return generated{parsed(rate[1]), parsed(total[1]) / cpu}, nil
}

func genHey(ctx context.Context, url string) (generated, error) {
	out, cpu, err := onSecondCore(ctx, "hey", "-cpus", "1", "-c", strconv.Itoa(loadConns), "-z", strconv.Itoa(loadSeconds)+"s", url+"/products/7")
	if err != nil {
		return generated{}, err
	}
	rate, status := heyTotal.FindSubmatch(out), heyStatus.FindAllSubmatch(out, -1)
	if rate == nil || len(status) != 1 || string(status[0][1]) != "200" {
		return generated{}, fmt.Errorf("hey: no clean run: %s", out)
	}
	return generated{parsed(rate[1]), parsed(status[0][2]) / cpu}, nil
}

// parsed reads what a regular expression let through.
func parsed(text []byte) float64 {
	v, _ := strconv.ParseFloat(string(text), 64)
	return v
}
