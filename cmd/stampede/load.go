package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/stampede-shop/stampede/internal/app"
	"github.com/stampede-shop/stampede/loadsim"
)

type loadCmd struct {
	Target   string        `help:"URL of the shop; the platform in the data folder when empty." placeholder:"URL"`
	Data     string        `type:"path" default:".stampede" help:"Data folder of the platform; .stampede when not given." placeholder:"DIR"`
	Scenario string        `default:"journey" enum:"journey,browse" help:"What shoppers do: journey (browse 20, view 3-8, add 1-5, check out) or browse."`
	Users    int           `default:"50" help:"Shoppers at once."`
	Duration time.Duration `default:"30s" help:"How long."`
	Think    time.Duration `help:"Pause between a shopper's requests."`
	Seed     uint64        `default:"1" help:"Seed of the shoppers' choices."`
	Out      string        `type:"path" help:"Folder for report.json." placeholder:"DIR"`
	JSON     bool          `name:"json" help:"Print the report as JSON."`
}

func (loadCmd) Help() string {
	return "Example:\n  stampede load --users 100 --duration 30s --out report\nExit code 1 when a request was not answered well."
}

func (c loadCmd) Run(ctx context.Context, s streams) error {
	target := c.Target
	if target == "" {
		st, err := app.ReadState(c.Data)
		if err != nil {
			return fmt.Errorf("%w, or name a shop with --target", err)
		}
		target = st.URL
	}
	report, err := loadsim.Run(ctx, loadsim.Options{Target: target, Users: c.Users, Duration: c.Duration,
		Scenario: c.Scenario, Seed: c.Seed, ThinkTime: c.Think, Progress: showLoad(s.Err)})
	if errors.Is(err, loadsim.ErrOptions) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	if c.Out != "" {
		if err := report.WriteFiles(c.Out); err != nil {
			return err
		}
	}
	if c.JSON {
		err = printJSON(s.Out, report)
	} else {
		err = report.WriteText(s.Out)
	}
	if err == nil && report.Summary.Failed > 0 {
		err = errFails
	}
	return err
}

// showLoad prints a line every few seconds of a run.
func showLoad(w io.Writer) func(loadsim.Snapshot) {
	return func(p loadsim.Snapshot) {
		if int(p.Elapsed.Seconds())%5 == 0 {
			_, _ = fmt.Fprintf(w, "%3.0f s  %d requests, %d bad, %d orders; last second %d, p95 %.1f ms\n",
				p.Elapsed.Seconds(), p.Requests, p.Errors, p.Orders, p.Last.Requests, 1000*p.Last.P95)
		}
	}
}
