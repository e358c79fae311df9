package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	monitoringRate   = 10_000                 // requests a second
	monitoringPassed = 5                      // one of so many is answered by no cache
	monitoringSlice  = 250 * time.Millisecond // of one side: what others do with the machine hardly changes from one to the next
	monitoringSettle = 50 * time.Millisecond  // after a change, before it is measured
	monitoringWarm   = 5 * time.Second
	monitoringLeast  = 0.5 // of the rate has to be reached in each slice of a round for it to count
	monitoringVoid   = 100 // rounds that did not count, after which the machine is too busy
	monitoringFor    = 200 * time.Second
	monitoringRounds = 40  // at least
	monitoringNarrow = 0.3 // per cent of the machine: an interval that is no wider is narrow enough

	// A dashboard looks once a second; whoever is looked at in a slice is looked at four times as often.
	lookedAtShare = float64(monitoringSlice) / float64(time.Second)
	// A process is profiled for five seconds each minute. Here a profile takes one second, and all that is done once in a profile (its
	// writing, the heap's) is done each time: what is counted is more than what a minute costs.
	profiledShare = 5.0 / 60
	profiledEvery = 4 // rounds
)

// The sides of a round. Twice off is the control: between the two there is nothing to be found.
const (
	sideOff = iota
	sideAgain
	sideOn       // records, and nobody looks
	sideLookedAt // by the dashboard
	sides
)

// monitored is an edge that is told to measure and to cease while it runs.
type monitored struct {
	addr, ops string
	client    *http.Client // for the operations endpoint
	pid       int
	load      *loading
	rate      int     // that is asked for, requests a second
	counts    float64 // the rate for which a result is given
	most      time.Duration
}

// slice is what was seen of one side in a round.
type slice struct {
	perRequest time.Duration // processor time of the edge
	all        time.Duration // likewise, of the whole slice
	requests   float64
	rate       float64
}

// benchMonitoring measures what monitoring costs: one edge gets 10,000 requests a second without a break, four of five answered from the
// cache, the rest by a trivial server behind. Four times a second monitoring is switched on or off, in an order that is drawn anew for each round.
// What is compared is processor time by the request, which depends less on what others do with the machine than any rate. The figure is
// that of 10,000 requests over the time that the machine's processors have in a second.
func benchMonitoring(ctx context.Context) (_ result, err error) {
	dir, err := os.MkdirTemp("", "bench-monitoring-")
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	origin, stop, err := monitoringOrigin()
	if err != nil {
		return result{}, err
	}
	defer stop()
	ports, err := freePorts(2)
	if err != nil {
		return result{}, err
	}
	m := &monitored{addr: ports[0], ops: "http://" + ports[1], client: http.DefaultClient, rate: monitoringRate, counts: monitoringRate, most: monitoringFor}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wait, err := m.start(ctx, origin, dir)
	if err != nil {
		return result{}, err
	}
	defer wait()
	defer cancel() // before waiting for it
	if err := fill(ctx, "http://"+m.addr+"/kept"); err != nil {
		return result{}, err
	}
	asks := slices.Repeat([][]byte{asked("/kept")}, monitoringPassed-1)
	asks = append(asks, asked("/passed"))
	m.load = steady{rate: m.rate, conns: 50, asks: func(int) [][]byte { return asks }}.begin(ctx, m.addr)
	rounds, err := m.rounds(ctx)
	if err = errors.Join(err, m.load.end()); err != nil {
		return result{}, err
	}
	return m.result(rounds), nil
}

// start runs the edge on the first core. Its own profiles come by the minute, which no slice is long enough for: they are a side.
func (m *monitored) start(ctx context.Context, origin, dir string) (wait func(), err error) {
	cmd := exec.CommandContext(ctx, "taskset", "-c", "0", "bin/stampede", "edge", "--origin", "http://"+origin, "--listen", m.addr,
		"--ops", strings.TrimPrefix(m.ops, "http://"), "--limits", "off")
	cmd.Env = append(os.Environ(), "STAMPEDE_TELEMETRY_DIR="+filepath.Join(dir, "edge"), "STAMPEDE_TELEMETRY_PROFILE=false")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 15 * time.Second
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	m.pid = cmd.Process.Pid // taskset becomes the server
	return func() { _ = cmd.Wait() }, nil
}

// observed is what was seen: rounds of all sides, and what a profile of a second took beyond the requests of its time.
type observed struct {
	rounds   [][sides]slice
	profiles []time.Duration
	void     int // rounds in which the rate was not reached
}

// rounds measures every side once a round, until what was seen is narrow enough or the time is over.
func (m *monitored) rounds(ctx context.Context) (seen observed, err error) {
	for _, side := range []int{sideLookedAt, sideOff} { // warms up
		if _, err := m.slice(ctx, side, monitoringWarm/2, nil); err != nil {
			return seen, err
		}
	}
	looked := []string{"/internal/stats", "/internal/figures"}
	profiled := []string{"/debug/pprof/profile?seconds=1", "/debug/pprof/heap"}
	for begun := time.Now(); time.Since(begun) < m.most; {
		var round [sides]slice
		for _, side := range rand.Perm(sides) {
			var ask []string
			if side == sideLookedAt {
				ask = looked
			}
			if round[side], err = m.slice(ctx, side, monitoringSlice, ask); err != nil {
				return seen, err
			}
		}
		if slices.ContainsFunc(round[:], func(s slice) bool { return s.rate < monitoringLeast*float64(m.rate) }) {
			if seen.void++; seen.void > monitoringVoid {
				return seen, errors.New("hardly any requests were made: the machine is too busy")
			}
			continue
		}
		seen.rounds = append(seen.rounds, round)
		if len(seen.rounds)%profiledEvery == 0 {
			p, err := m.slice(ctx, sideOn, monitoringSlice, profiled)
			if err != nil {
				return seen, err
			}
			seen.profiles = append(seen.profiles, p.all-time.Duration(float64(round[sideOn].perRequest)*p.requests))
		}
		if len(seen.rounds) >= monitoringRounds && len(seen.rounds)%10 == 0 {
			if total := m.cost(seen).total; total.high-total.low < monitoringNarrow {
				break
			}
		}
	}
	if len(seen.rounds) < monitoringRounds {
		return seen, fmt.Errorf("%d rounds in %v: the machine is too busy", len(seen.rounds), m.most)
	}
	return seen, nil
}

// slice switches to a side and measures it for a while, and for as long as it takes to answer what is asked of it.
func (m *monitored) slice(ctx context.Context, side int, d time.Duration, asked []string) (s slice, err error) {
	if err := m.ask(ctx, http.MethodPut, "/internal/measuring", fmt.Sprintf(`{"enabled":%t}`, side >= sideOn)); err != nil {
		return s, err
	}
	time.Sleep(monitoringSettle)
	before, answered, begun := threadTime(m.pid), m.load.n.Load(), time.Now()
	for _, path := range asked {
		err = errors.Join(err, m.ask(ctx, http.MethodGet, path, ""))
	}
	time.Sleep(d - time.Since(begun))
	s.all, s.requests = threadTime(m.pid)-before, float64(m.load.n.Load()-answered)
	s.rate = s.requests / time.Since(begun).Seconds()
	s.perRequest = time.Duration(float64(s.all) / max(1, s.requests))
	return s, errors.Join(err, ctx.Err(), m.load.failed())
}

// ask asks the edge's operations endpoint, and reads the answer.
func (m *monitored) ask(ctx context.Context, method, path, body string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, m.ops+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	return skipAll(m.client, req)
}

// costs are in per cent of the machine's processor time at the rate.
type costs struct{ control, recording, looking, profiling, total estimate }

// cost compares what was seen in each round.
func (m *monitored) cost(seen observed) (c costs) {
	machine := float64(runtime.NumCPU()) * float64(time.Second) / 100
	var control, recording, looking, both, profiling []float64
	for _, r := range seen.rounds {
		percent := func(d time.Duration) float64 { return float64(d) * m.counts / machine }
		off := (r[sideOff].perRequest + r[sideAgain].perRequest) / 2
		on := percent(r[sideOn].perRequest - off)
		// Who looks does so so often a second, however many requests there are: what it costs is shared by those of here.
		look := float64(r[sideLookedAt].perRequest-r[sideOn].perRequest) * float64(m.rate) / machine * lookedAtShare
		control = append(control, percent(r[sideAgain].perRequest-r[sideOff].perRequest))
		recording, looking, both = append(recording, on), append(looking, look), append(both, on+look)
	}
	for _, p := range seen.profiles {
		profiling = append(profiling, float64(p)*profiledShare/machine)
	}
	c = costs{bootstrapped(control), bootstrapped(recording), bootstrapped(looking), bootstrapped(profiling), bootstrapped(both)}
	c.total = c.total.plus(c.profiling)
	return c
}

func (m *monitored) result(seen observed) result {
	c := m.cost(seen)
	column := func(side int, figure func(slice) float64) (out []float64) {
		for _, r := range seen.rounds {
			out = append(out, figure(r[side]))
		}
		return out
	}
	micros := func(s slice) float64 { return float64(s.perRequest) / 1e3 }
	rate := func(s slice) float64 { return s.rate }
	list := func(e estimate) []float64 { return []float64{e.mean, e.low, e.high} }
	return result{Unit: "% of the machine's processor time", Ours: c.total.mean, Spread: c.total.high - c.total.low, Runs: len(seen.rounds), Details: map[string]any{
		"total": list(c.total), "recording": list(c.recording), "looking": list(c.looking), "profiling": list(c.profiling), "control": list(c.control),
		"off_us": median(column(sideOff, micros)), "on_us": median(column(sideOn, micros)),
		"rate_off": median(column(sideOff, rate)), "rate_on": median(column(sideOn, rate)), "rounds_void": seen.void, "processors": runtime.NumCPU(),
	}}
}

// threadTime is the processor time of all threads of a process, to the nanosecond; of threads that have ended it knows nothing.
func threadTime(pid int) (sum time.Duration) {
	threads, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*")
	for _, t := range threads {
		took, _ := scheduled(t)
		sum += took
	}
	return sum
}
