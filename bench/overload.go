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
	"runtime"
	"strconv"
	"time"
)

const (
	overloadUsers = "64"
	overloadSpan  = "10s"
	comeInTries   = 10 // for the generator to learn the catalogue
)

// offer is a rate, in saturating rates, and for how long it is offered.
type offer struct {
	factor float64
	span   string
}

// overloadOffers and waitroomOffers are what is offered. The room opens after some seconds of need, and its rate takes longer to find;
// it stays open from one offer to the next. Each run lasts up to ten seconds longer than offered while shoppers wait in it.
var (
	overloadOffers = []offer{{0.8, overloadSpan}, {1, overloadSpan}, {2, overloadSpan}, {3, overloadSpan}}
	waitroomOffers = []offer{{1, "20s"}, {2, "30s"}, {3, "50s"}}
)

// overloadScenario is a crowd most of whose requests the API has to answer: hits of the edge's cache would hide what happens
// behind it.
const overloadScenario = `name: rush
about: Shoppers in a hurry, most of whose requests need the API.
popularity: {zipf: 1.0}
shoppers:
  - kind: buyer
    steps:
      - browse: 1
      - view: 1
      - add: 1-2
      - leave: 30%
      - checkout: 1
`

// loadReport is what is read of a report of `stampede load`.
type loadReport struct {
	Summary struct {
		Total    int64    `json:"total_requests"`
		Failed   int64    `json:"failed_requests"`
		Orders   int64    `json:"orders"`
		Duration float64  `json:"duration_s"`
		Invalid  []string `json:"invalid"`
	} `json:"summary"`
	Times     map[string]times                 `json:"response_times"`
	Errors    map[string]struct{ Count int64 } `json:"errors"`
	Generator struct {
		Lag times `json:"lag"`
	} `json:"generator"`
	WaitingRoom struct {
		Places   int64 `json:"places"`
		Admitted int64 `json:"admitted"`
		Waits    times `json:"waits"`
	} `json:"waiting_room"`
}

type times struct{ P50, P95, P99 float64 }

func (r loadReport) good() float64 {
	return float64(r.Summary.Total-r.Summary.Failed) / max(r.Summary.Duration, 0.001)
}
func (r loadReport) orders() float64 {
	return float64(r.Summary.Orders) / max(r.Summary.Duration, 0.001)
}

// benchOverload finds the rate that saturates a platform with one API process, offers up to three times as much, and
// compares what is answered well with the best of all rates. Where there are two cores or more the edge and the load
// generator have one of them to themselves and the rest of the platform the other, as if they were two machines: otherwise the
// generator takes from the shop what it asks of it. The waiting room is off: it would keep the overload away.
func benchOverload(ctx context.Context) (result, error) { return measureOverload(ctx, false) }

// benchOverloadWaitroom does the same with the waiting room on. Shoppers who have a place wait, and buy once they are let in.
func benchOverloadWaitroom(ctx context.Context) (result, error) { return measureOverload(ctx, true) }

func measureOverload(ctx context.Context, waitroom bool) (_ result, err error) {
	dir, err := os.MkdirTemp("", "stampede-bench-")
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o755); err != nil { // PostgreSQL's user passes through
		return result{}, err
	}
	scenario, data := filepath.Join(dir, "rush.yaml"), filepath.Join(dir, "data")
	if err := os.WriteFile(scenario, []byte(overloadScenario), 0o644); err != nil { //nolint:gosec // read by our own child
		return result{}, err
	}
	if err := os.Setenv("STAMPEDE_EDGE_WAITROOM_ENABLED", strconv.FormatBool(waitroom)); err != nil {
		return result{}, err
	}
	if _, err := stampede(ctx, "up", "--detach", "--data", data, "--port", "0", "--ops-port", "0", "--apis", "1", "--shards", "2", "--replicas", "1", "--products", "2000"); err != nil {
		return result{}, err
	}
	defer func() {
		_, derr := stampede(context.WithoutCancel(ctx), "down", "--data", data)
		err = errors.Join(err, derr)
	}()
	offers := overloadOffers
	if waitroom {
		offers = waitroomOffers
	}
	r, err := overload(ctx, data, scenario, offers)
	if err == nil {
		_, err = stampede(ctx, "audit", "--data", data)
	}
	return r, err
}

func overload(ctx context.Context, data, scenario string, offers []offer) (result, error) {
	if err := pinPlatform(ctx, data); err != nil {
		return result{}, err
	}
	st, err := statusOf(ctx, data)
	if err != nil {
		return result{}, err
	}
	load := func(args ...string) (r loadReport, err error) {
		for range comeInTries {
			// Who comes first learns the catalogue; right after an overload they may still be refused, also when one has just been served.
			if err := waitUntilServed(ctx, st.URL+"/products?limit=100"); err != nil {
				return r, err
			}
			out, loadErr := besideEdge(ctx, append([]string{"load", "--data", data, "--scenario", scenario, "--json"}, args...)...)
			jsonErr := json.Unmarshal(out, &r)
			if jsonErr == nil {
				return r, nil // that some were refused is what is measured
			}
			err = errors.Join(loadErr, jsonErr)
			select { // the edge needs a second or two until it refuses nobody any more
			case <-ctx.Done():
				return r, err
			case <-time.After(time.Second):
			}
		}
		return r, err
	}
	saturating, err := saturation(load)
	if err != nil {
		return result{}, err
	}
	res := result{Unit: "goodput at 3x the saturating rate, as a share of its peak", Runs: 1, Details: map[string]any{}}
	peak, best, last := saturating.good(), saturating.orders(), loadReport{}
	res.Details["saturating_rate"], res.Details["saturating_orders"] = int(peak), int(best)
	for _, f := range offers {
		rate := strconv.Itoa(int(f.factor * saturating.good()))
		if last, err = load("--rate", rate, "--duration", f.span); err != nil {
			return res, err
		}
		peak, best = max(peak, last.good()), max(best, last.orders())
		row := last.row()
		res.Details[fmt.Sprintf("at_%gx", f.factor)] = row
		fmt.Fprintf(os.Stderr, "%gx, %s/s: %v\n", f.factor, rate, row)
	}
	res.Ours, res.Anchor = last.good()/peak, 1
	res.Ratio = res.Ours
	res.Details["orders_share"], res.Details["peak"], res.Details["peak_orders"] = last.orders()/best, int(peak), int(best)
	return res, nil
}

const (
	warmRuns = 5    // at most
	warmed   = 0.05 // a run that answers so much more than the one before says that the platform still gets warmer
)

// saturation warms the platform up until it answers no more than before, and tells what that is: found too early it is too low, and three
// times as much no overload.
func saturation(load func(args ...string) (loadReport, error)) (best loadReport, err error) {
	for range warmRuns {
		r, err := load("--users", overloadUsers, "--duration", overloadSpan)
		if err != nil {
			return best, err
		}
		fmt.Fprintf(os.Stderr, "%s shoppers who wait: %.0f/s, %.0f orders/s\n", overloadUsers, r.good(), r.orders())
		if r.good() <= (1+warmed)*best.good() {
			break
		}
		best = r
	}
	return best, nil
}

// row is a run as it is shown.
func (r loadReport) row() map[string]any {
	row := map[string]any{"good": int(r.good()), "orders": int(r.orders()), "bad": r.Errors, "checkout_p50_s": r.Times["checkout"].P50, "checkout_p99_s": r.Times["checkout"].P99,
		"cart_p99_s": r.Times["cart"].P99, "browse_p95_s": r.Times["browse"].P95, "generator": r.Summary.Invalid, "lag_p99_s": r.Generator.Lag.P99}
	if w := r.WaitingRoom; w.Places > 0 {
		row["places"], row["admitted"], row["wait_p50_s"], row["wait_p99_s"] = w.Places, w.Admitted, w.Waits.P50, w.Waits.P99
	}
	return row
}

// pinPlatform gives the edge a core, and everything else of the platform another one.
func pinPlatform(ctx context.Context, data string) error {
	if runtime.NumCPU() < 2 {
		return nil
	}
	root, edge, err := platformPIDs(ctx, data)
	if err != nil {
		return err
	}
	for _, pid := range append(descendants(root), root) {
		core := "0"
		if pid == edge {
			core = "1"
		}
		if out, err := exec.CommandContext(ctx, "taskset", "-a", "-c", "-p", core, strconv.Itoa(pid)).CombinedOutput(); err != nil && alive(pid) { //nolint:gosec // pids
			return fmt.Errorf("taskset: %w: %s", err, out)
		}
	}
	return nil
}

func alive(pid int) bool {
	_, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	return err == nil
}

// besideEdge is stampede on the core of the edge.
func besideEdge(ctx context.Context, args ...string) ([]byte, error) {
	if runtime.NumCPU() < 2 {
		return stampede(ctx, args...)
	}
	cmd := exec.CommandContext(ctx, "taskset", append([]string{"-c", "1", "bin/stampede"}, args...)...) //nolint:gosec // ourselves
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return out.Bytes(), fmt.Errorf("stampede %s: %w\n%s", args[0], err, errOut.String())
	}
	return out.Bytes(), nil
}
