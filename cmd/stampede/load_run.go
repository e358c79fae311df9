package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/stampede-shop/stampede/internal/app/running"
	"github.com/stampede-shop/stampede/loadsim"
	"github.com/stampede-shop/stampede/loadsim/report"
	"github.com/stampede-shop/stampede/loadsim/scenario"
	"github.com/stampede-shop/stampede/loadsim/threshold"
	"github.com/stampede-shop/stampede/loadsim/tui"
)

type loadPlayCmd struct {
	Target         string         `help:"URL of the shop; the platform in the data folder when empty." placeholder:"URL"`
	Data           string         `type:"path" default:".stampede" help:"Data folder of the platform; .stampede when not given." placeholder:"DIR"`
	Scenario       string         `default:"journey" help:"What shoppers do: browse, journey, blackfriday, flashsale, crawl, or a YAML file (see load scenarios)." placeholder:"NAME|FILE"`
	Users          *int           `help:"Closed model: so many shoppers at once, each waiting for its answer." placeholder:"N"`
	Rate           *float64       `help:"Open model: so many arrivals a second, however the shop does." placeholder:"R"`
	Profile        string         `help:"Course of the load: steady, ramp, spike (100 times as much within ten seconds), steps, soak." placeholder:"NAME"`
	Duration       *time.Duration `help:"How long; the scenario's stages are stretched to it." placeholder:"D"`
	Think          *time.Duration `help:"Mean pause of a shopper before each request; 0s is none." placeholder:"D"`
	Seed           uint64         `default:"1" help:"Seed of the shoppers' choices and arrivals."`
	OwnConnections bool           `help:"A new connection for each session, as browsers make; else connections are shared."`
	MaxUsers       *int           `help:"Open model: the most shoppers at once." placeholder:"N"`
	Out            string         `type:"path" help:"Folder for report.json, report.html and pictures." placeholder:"DIR"`
	JSON           bool           `name:"json" help:"Print the report as JSON."`
	FailIf         []string       `sep:"none" help:"Exit 1 when this holds, like p95(browse)>100ms or error_rate>0.1%; may be repeated. Without one: when any request was answered badly." placeholder:"CONDITION"`
	Agents         int            `help:"Have so many agents play the load together; needs --nats." placeholder:"N"`
	natsFlags
}

func (loadPlayCmd) Help() string {
	return "Examples:\n  stampede load run --users 100 --duration 30s --out report\n  stampede load --rate 500 --scenario browse --fail-if 'p95(browse)>100ms'\n" +
		"See also load compare, load scenarios, load agent.\n" +
		"Exit code 1 when a request was not answered well or, with --fail-if, when a condition holds or the generator could not keep up."
}

func (c loadPlayCmd) Run(ctx context.Context, s streams) error {
	conditions, err := c.conditions()
	if err != nil {
		return err
	}
	o, err := c.options()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var stop func()
	o.Progress, stop = watchLoad(s, cancel)
	rec, err := c.play(ctx, o)
	stop()
	if rec == nil {
		return usageOf(err)
	}
	r := rec.Report()
	return errors.Join(c.tell(s, r), err, verdictOn(s, r, conditions))
}

func (c loadPlayCmd) conditions() (list []threshold.Condition, err error) {
	for _, text := range c.FailIf {
		cond, err := threshold.Parse(text)
		if err != nil {
			return nil, usageError{fmt.Errorf("--fail-if: %w", err)}
		}
		list = append(list, cond)
	}
	return list, nil
}

func (c loadPlayCmd) options() (loadsim.Options, error) {
	if err := c.zeros(); err != nil {
		return loadsim.Options{}, usageError{err}
	}
	sc, err := scenario.Find(c.Scenario)
	if err != nil {
		return loadsim.Options{}, usageError{fmt.Errorf("--scenario: %w", err)}
	}
	target := c.Target
	if target == "" {
		st, err := running.ReadState(c.Data)
		if err != nil {
			return loadsim.Options{}, fmt.Errorf("%w, or name a shop with --target", err)
		}
		target = st.URL
	}
	if c.Think != nil && *c.Think == 0 {
		sc.Think = scenario.Span{}
	}
	return loadsim.Options{
		Target: target, Scenario: &sc, Users: value(c.Users), Rate: value(c.Rate), Profile: c.Profile, Duration: value(c.Duration), Think: value(c.Think),
		Seed: c.Seed, OwnConnections: c.OwnConnections, MaxUsers: value(c.MaxUsers),
	}, nil
}

// zeros refuses those that were typed: to the simulator zero is what the scenario says.
func (c loadPlayCmd) zeros() error {
	const otherwise = "; leave it out for what the scenario says"
	switch {
	case c.Duration != nil && *c.Duration == 0:
		return fmt.Errorf("--duration 0s: above 0s, at most %v, such as 30s%s", scenario.MaxDuration, otherwise)
	case c.Users != nil && *c.Users == 0:
		return fmt.Errorf("--users 0: from 1 to %d%s", scenario.MaxUsers, otherwise)
	case c.Rate != nil && *c.Rate == 0:
		return fmt.Errorf("--rate 0: above 0, at most %d a second%s", scenario.MaxRate, otherwise)
	case c.MaxUsers != nil && *c.MaxUsers == 0:
		return fmt.Errorf("--max-users 0: from 1 to %d", scenario.MaxUsers)
	}
	return nil
}

// value is what a flag was given, or zero.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func (c loadPlayCmd) play(ctx context.Context, o loadsim.Options) (*loadsim.Recording, error) {
	if c.Agents > 0 {
		return c.playTogether(ctx, o)
	}
	r, err := loadsim.Prepare(ctx, o)
	if err != nil {
		return nil, err
	}
	return r.Run(ctx)
}

// tell writes files and prints the report.
func (c loadPlayCmd) tell(s streams, r *loadsim.Report) error {
	var wrote error
	if c.Out != "" {
		if wrote = report.Write(c.Out, r); wrote == nil {
			_, _ = fmt.Fprintf(s.Err, "the report is in %s\n", c.Out)
		}
	}
	if c.JSON {
		return errors.Join(wrote, printJSON(s.Out, r))
	}
	return errors.Join(wrote, r.WriteText(s.Out))
}

// verdictOn is errFails when the report is not what was hoped for. What a generator measured that could not keep up
// proves no condition.
func verdictOn(s streams, r *loadsim.Report, conditions []threshold.Condition) error {
	for _, why := range r.Summary.Invalid {
		_, _ = fmt.Fprintln(s.Err, "NOT VALID:", why)
	}
	if len(conditions) == 0 {
		if r.Summary.Failed > 0 {
			return errFails
		}
		return nil
	}
	fails := !r.Summary.Valid
	for _, c := range conditions {
		if why := c.Broken(r); why != "" {
			_, _ = fmt.Fprintln(s.Err, "FAILED:", why)
			fails = true
		}
	}
	if fails {
		return errFails
	}
	return nil
}

// watchLoad shows the run on a terminal, or in a line every few seconds.
func watchLoad(s streams, end func()) (show func(loadsim.Snapshot), stop func()) {
	if !isTerminal(s.Err) {
		return tui.Lines(s.Err, 5*time.Second), func() {}
	}
	var keys *os.File
	if isTerminal(os.Stdin) {
		keys = os.Stdin
	}
	d := tui.Start(s.Err, keys, end)
	return d.Show, d.Stop
}

// usageOf marks what the user typed wrongly.
func usageOf(err error) error {
	if errors.Is(err, loadsim.ErrOptions) || errors.Is(err, scenario.ErrScenario) {
		return usageError{err}
	}
	return err
}
