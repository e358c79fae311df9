package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/chaos/experiment"
	"github.com/stampede-shop/stampede/experiments"
	"github.com/stampede-shop/stampede/internal/app"
	"github.com/stampede-shop/stampede/internal/app/chaoslab"
	"github.com/stampede-shop/stampede/internal/local"
)

// chaosRunFlags say how experiments are run.
type chaosRunFlags struct {
	chaosFlags
	Record string `type:"path" help:"Folder for a recording of each experiment, labelled with what was injected: for predict diagnose." placeholder:"DIR"`
	Out    string `type:"path" help:"Folder for a report of each experiment, report.json and report.html; DATA/chaos/reports when not given." placeholder:"DIR"`
	JSON   bool   `name:"json" help:"Print the reports as JSON."`
}

type chaosRunCmd struct {
	chaosRunFlags
	Names    []string      `arg:"" name:"experiment" help:"Names of stampede chaos list, or YAML files." placeholder:"NAME|FILE"`
	Duration time.Duration `type:"span" help:"How long each load lasts, instead of what experiments say; faults keep their times." placeholder:"D"`
}

func (chaosRunCmd) Help() string {
	return "Examples:\n  stampede chaos run replica-lag\n  stampede chaos run ./mine.yaml --out reports\nExit code 1 when an expectation does not hold. stampede chaos list says what each needs."
}

func (c chaosRunCmd) Run(ctx context.Context, s streams) error {
	var list []*experiment.Experiment
	for _, name := range c.Names {
		e, err := experiments.Find(name)
		if err != nil {
			return usageError{err}
		}
		list = append(list, e)
	}
	return c.run(ctx, s, list, c.Duration)
}

// run runs experiments one after another. One that cannot be run does not keep the others from being run.
func (c chaosRunFlags) run(ctx context.Context, s streams, list []*experiment.Experiment, duration time.Duration) (err error) {
	ch, err := c.open(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeChaos(ctx, ch)) }()
	lab := &chaoslab.Lab{Chaos: ch, Books: app.Audit, Duration: duration}
	var reports []*experiment.Report
	var errs []error
	fails := false
	for _, e := range list {
		r, err := runRecorded(ctx, c.Record, lab, e, experiment.Options{Progress: func(format string, args ...any) {
			_, _ = fmt.Fprintf(s.Err, format+"\n", args...)
		}})
		errs = append(errs, err)
		if r != nil {
			fails = fails || r.Verdict != experiment.Passed
			reports = append(reports, r)
			errs = append(errs, c.tell(s, ch, r))
		}
		if ctx.Err() != nil {
			break
		}
	}
	if c.JSON {
		errs = append(errs, printJSON(s.Out, reports))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if fails {
		return errFails
	}
	return nil
}

func (c chaosRunFlags) tell(s streams, ch *chaoslab.Chaos, r *experiment.Report) error {
	out := c.Out
	if out == "" {
		out = filepath.Join(ch.Folder(), "reports")
	}
	dir := filepath.Join(out, r.Name)
	if err := r.Write(dir); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(s.Err, "%s: %s; the report is in %s\n", r.Name, r.Verdict, dir)
	if c.JSON {
		return nil
	}
	return r.WriteText(s.Out)
}

type chaosCampaignCmd struct {
	chaosRunFlags
	Seed    uint64        `help:"Seed of the faults; one of its own, which is printed, when not given." placeholder:"N"`
	For     time.Duration `type:"span" default:"1m" help:"How long the load lasts."`
	Users   int           `default:"20" help:"Shoppers at once."`
	Least   string        `default:"99%" help:"Share of the answers that have to be good." placeholder:"SHARE"`
	Without []string      `help:"Faults that are left out." placeholder:"FAULT"`
	Print   bool          `help:"Print the experiment as YAML instead of running it."`
}

func (chaosCampaignCmd) Help() string {
	return "Examples:\n  stampede chaos campaign --seed 7 --for 5m\n  stampede chaos campaign --seed 7 --print > found.yaml\nThe same seed, time and platform make the same faults. Exit code 1 when the books do not balance, the platform does not recover, or too much goes wrong."
}

func (c chaosCampaignCmd) Run(ctx context.Context, s streams) error {
	if c.Seed == 0 {
		c.Seed = uint64(time.Now().UnixNano() % 1_000_000)
	}
	ch, err := c.open(ctx, s)
	if err != nil {
		return err
	}
	e, err := ch.Campaign(ctx, chaoslab.CampaignOptions{Seed: c.Seed, Length: c.For, Users: c.Users, Least: c.Least, Without: c.Without})
	if errors.Is(err, experiment.ErrExperiment) {
		err = usageError{err}
	}
	if err != nil {
		return err
	}
	if c.Print {
		return e.Write(s.Out)
	}
	where := "--data " + local.ShellWord(c.Data)
	if c.Ops != "" {
		where = "--ops " + local.ShellWord(c.Ops)
	}
	_, _ = fmt.Fprintf(s.Err, "seed %d makes %d faults; repeat with: %s chaos campaign %s --seed %d --for %s\n", c.Seed, len(e.Faults),
		strings.TrimSuffix(filepath.Base(os.Args[0]), ".test"), where, c.Seed, c.For)
	return c.run(ctx, s, []*experiment.Experiment{e}, 0)
}
