package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/internal/app"
	"github.com/stampede-shop/stampede/internal/prove"
)

type proveCmd struct {
	Data      string   `type:"path" default:".stampede" help:"Data folder of the platform; .stampede when not given." placeholder:"DIR"`
	Ops       string   `help:"Operations address of the platform, instead of --data." placeholder:"URL"`
	Quick     bool     `help:"About a minute instead of five."`
	Only      []string `help:"Measure these criteria alone, by number." placeholder:"N"`
	AllowSkip bool     `help:"What cannot be measured here does not count as not held."`
	Yes       bool     `help:"Also a platform that 'stampede up' did not start on this machine."`
	Prices    string   `type:"input" help:"Prices to reckon with; else prices.yaml in the data folder, which is made to be edited." placeholder:"FILE"`
	Out       string   `type:"path" help:"Folder for report.html, report.json and report.txt; else prove in the data folder." placeholder:"DIR"`
	JSON      bool     `name:"json" help:"Print the report as JSON."`
	Seed      uint64   `default:"1" help:"Seed of the shoppers' choices."`
	Pace      float64  `hidden:"" help:"Stretch everything by this."`
}

func (proveCmd) Help() string {
	return "Example:\n  stampede up --detach && stampede prove --quick\n" +
		"Loads the platform, buys products made for it and puts everything back, kills processes and waits until they are back.\n" +
		"Exit code 1 when a criterion does not hold; one that cannot be measured here does not, unless --allow-skip."
}

func (c proveCmd) Run(ctx context.Context, s streams) error {
	r, dir, err := c.measure(ctx, s, false)
	if r == nil {
		return err
	}
	if wrote := r.Write(dir); wrote != nil {
		err = errors.Join(err, wrote)
	} else {
		_, _ = fmt.Fprintf(s.Err, "the report is in %s\n", filepath.Join(dir, "report.html"))
	}
	if c.JSON {
		err = errors.Join(err, printJSON(s.Out, r))
	} else {
		err = errors.Join(err, r.WriteText(s.Out, terminalWidth))
	}
	if err == nil && !r.Holds(c.AllowSkip) {
		err = errFails
	}
	return err
}

// terminalWidth is what tables are made for.
const terminalWidth = 120

// measure runs the proof; dir is where its report belongs.
func (c proveCmd) measure(ctx context.Context, s streams, costs bool) (r *prove.Report, dir string, err error) {
	p, err := app.NewProving(c.Data, c.Ops, version)
	if err != nil {
		return nil, "", err
	}
	about, err := p.About(ctx)
	if err != nil {
		return nil, "", err
	}
	home := about.Data
	if !about.Here {
		home = c.Data
	}
	prices, err := findPrices(c.Prices, home)
	if err != nil {
		return nil, "", usageError{err}
	}
	if dir = c.Out; dir == "" {
		dir = filepath.Join(home, "prove")
	}
	tell, stop := tellProof(s)
	defer stop()
	r, err = prove.Run(ctx, prove.Options{
		Platform: p, Quick: c.Quick, Pace: c.Pace, Only: c.Only, Stranger: c.Yes, Prices: &prices, Seed: c.Seed, Costs: costs, Progress: tell,
		Judged: func(v prove.Verdict) { tell(v.Line()) },
	})
	if errors.Is(err, prove.ErrStranger) || errors.Is(err, prove.ErrOnly) {
		err = usageError{err}
	}
	return r, dir, err
}

// findPrices reads the file given, or that of the data folder, which is made when there is none.
func findPrices(file, data string) (prove.Prices, error) {
	if file == "" {
		file = filepath.Join(data, prove.PricesFile)
		if err := prove.WritePrices(file); err != nil {
			return prove.Prices{}, err
		}
	}
	return prove.ReadPrices(file)
}

// tellProof shows what is being done: figures of a load stay on one line of a terminal, and are left out elsewhere but for one in
// five seconds.
func tellProof(s streams) (tell func(string), stop func()) {
	p := newProgress(s.Err)
	var last time.Time
	return func(line string) {
		passing := strings.HasPrefix(line, "  ") && strings.Contains(line, " requests, ")
		switch {
		case !passing:
			p.note("%s", line)
		case p.bar:
			p.line(line)
		case time.Since(last) > 5*time.Second:
			last = time.Now()
			p.note("%s", line)
		}
	}, p.end
}
