package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	monitoringRate   = 10_000 // requests a second
	monitoringPassed = 0.2    // share of them that no cache answers
	monitoringRounds = 6
	monitoringSlice  = 8 * time.Second // of one side in a round
	monitoringLeast  = 0.5             // of the rate has to be reached; what it costs is scaled to all of it
)

// monitored is an edge with more or less monitoring.
type monitored struct {
	name  string
	env   []string
	addr  string
	ops   string
	pid   int
	polls bool // somebody reads its figures each second, as the dashboard does
	used  []float64
}

// benchMonitoring measures what monitoring costs: edges that are alike but for it get 10,000 requests a second in turns, four of five
// answered from the cache, the rest by a trivial server behind. The figure is processor time over the time that the machine's
// processors had; beside it how much more the same requests cost.
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
	ports, err := freePorts(6)
	if err != nil {
		return result{}, err
	}
	sides := []*monitored{
		{name: "off", env: []string{"STAMPEDE_TELEMETRY_ENABLED=false"}},
		{name: "on", polls: true, env: []string{"STAMPEDE_TELEMETRY_DIR=" + filepath.Join(dir, "on"), "STAMPEDE_TELEMETRY_FLIGHT=false"}},
		{name: "flight", polls: true, env: []string{"STAMPEDE_TELEMETRY_DIR=" + filepath.Join(dir, "flight"), "STAMPEDE_TELEMETRY_FLIGHT=true"}},
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for i, s := range sides {
		s.addr, s.ops = ports[2*i], ports[2*i+1]
		wait, err := s.start(ctx, origin)
		if err != nil {
			return result{}, err
		}
		defer wait()
	}
	defer cancel() // before waiting for them
	return monitoringCost(ctx, sides)
}

// start runs the edge on the first core.
func (s *monitored) start(ctx context.Context, origin string) (wait func(), err error) {
	cmd := exec.CommandContext(ctx, "taskset", "-c", "0", "bin/stampede", "edge", "--origin", "http://"+origin, "--listen", s.addr, "--ops", s.ops, "--limits", "off")
	cmd.Env = append(os.Environ(), s.env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 15 * time.Second
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s.pid = cmd.Process.Pid // taskset becomes the server
	return func() { _ = cmd.Wait() }, nil
}

func monitoringCost(ctx context.Context, sides []*monitored) (result, error) {
	load := steady{rate: monitoringRate, passed: monitoringPassed, conns: 50}
	for _, s := range sides {
		if err := fill(ctx, "http://"+s.addr+"/kept"); err != nil {
			return result{}, err
		}
		if _, err := load.run(ctx, s.addr, 2*time.Second); err != nil { // warms up
			return result{}, err
		}
	}
	var rates []float64
	for round := range monitoringRounds {
		for i := range sides {
			s := sides[(i+round)%len(sides)] // nobody always comes first
			rate, err := s.measure(ctx, load)
			if err != nil {
				return result{}, fmt.Errorf("%s: %w", s.name, err)
			}
			rates = append(rates, rate)
		}
	}
	on, onTimes := costOf(sides[1], sides[0])
	flight, flightTimes := costOf(sides[2], sides[0])
	low, high := interval(on)
	flightLow, flightHigh := interval(flight)
	return result{Unit: "% of the machine's processor time", Ours: median(on), Spread: (high - low), Runs: monitoringRounds, Details: map[string]any{
		"rate": median(rates), "processors": runtime.NumCPU(), "off_cores": median(sides[0].used), "on_cores": median(sides[1].used), "flight_cores": median(sides[2].used),
		"interval": []float64{low, high}, "times_off": median(onTimes),
		"with_flight": median(flight), "with_flight_interval": []float64{flightLow, flightHigh}, "with_flight_times_off": median(flightTimes),
	}}, nil
}

// measure loads one side and notes how many processors it used.
func (s *monitored) measure(ctx context.Context, load steady) (rate float64, err error) {
	if s.polls {
		polling, stop := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() { defer close(done); pollStats(polling, "http://"+s.ops+"/internal/stats") }()
		defer func() { stop(); <-done }()
	}
	before, begun := threadTime(s.pid), time.Now()
	n, err := load.run(ctx, s.addr, monitoringSlice)
	took := time.Since(begun).Seconds()
	if err != nil {
		return 0, err
	}
	rate = float64(n) / took
	if rate < monitoringLeast*monitoringRate {
		return rate, fmt.Errorf("only %.0f requests a second were made: the machine is too busy", rate)
	}
	s.used = append(s.used, (threadTime(s.pid)-before).Seconds()/took*monitoringRate/rate)
	return rate, nil
}

// costOf compares rounds: how much more of the machine one side used, in per cent, and how many times as much as the other.
func costOf(s, off *monitored) (percent, times []float64) {
	for i, used := range s.used {
		percent = append(percent, 100*(used-off.used[i])/float64(runtime.NumCPU()))
		times = append(times, used/off.used[i])
	}
	return percent, times
}

// threadTime is the processor time of all threads of a process, to the nanosecond; of threads that have ended it knows nothing.
func threadTime(pid int) (sum time.Duration) {
	files, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/schedstat")
	for _, path := range files {
		raw, _ := os.ReadFile(path)
		on, _, _ := strings.Cut(string(raw), " ")
		ns, _ := strconv.ParseInt(on, 10, 64)
		sum += time.Duration(ns)
	}
	return sum
}
