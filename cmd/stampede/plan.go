package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/stampede-shop/stampede/internal/prove"
)

type planCmd struct {
	Data        string  `type:"path" default:".stampede" help:"Data folder of the platform whose costs were measured." placeholder:"DIR"`
	Ops         string  `help:"Operations address of the platform, instead of --data; with --measure." placeholder:"URL"`
	From        string  `type:"input|dir" help:"Report of stampede prove: report.json or its folder; else the one in the data folder." placeholder:"PATH"`
	Measure     bool    `help:"Measure the running platform now; takes a minute or two."`
	Orders      float64 `default:"60" help:"Orders a minute, on average." placeholder:"N"`
	Views       float64 `default:"0" help:"Requests a minute that reach an edge, on average; else 25 for each order." placeholder:"N"`
	Peak        float64 `default:"5" help:"How many times the average the peak is." placeholder:"X"`
	Regions     int     `default:"1" help:"Regions over which shoppers are spread evenly." placeholder:"N"`
	Hot         float64 `default:"0.2" help:"Share of the peak's orders that are for one and the same product." placeholder:"SHARE"`
	Cores       int     `default:"8" help:"Cores of a server." placeholder:"N"`
	Utilisation float64 `default:"0.6" help:"Share of a server's cores that may be busy at the peak." placeholder:"SHARE"`
	Prices      string  `type:"input" help:"Prices to reckon with; else prices.yaml in the data folder, which is made to be edited." placeholder:"FILE"`
	Shops       bool    `help:"Plan the three shops of docs/scale.md instead, and print its tables."`
	JSON        bool    `name:"json" help:"Print the plan as JSON."`
}

func (planCmd) Help() string {
	return "Example:\n  stampede prove && stampede plan --orders 1000 --views 60000 --peak 10 --regions 2\n" +
		"Reckons with what stampede prove measured on this machine: processor time by kind of server of a view and of an order, and the\n" +
		"scalability law of the API servers. docs/scale.md works through three shops."
}

func (c planCmd) Run(ctx context.Context, s streams) error {
	r, err := c.report(ctx, s)
	if err != nil {
		return err
	}
	if r.Costs == nil {
		return fmt.Errorf("%w: the report has no costs; they need a platform on this machine, and all criteria", prove.ErrTarget)
	}
	prices, err := findPrices(c.Prices, c.Data)
	if err != nil {
		return usageError{err}
	}
	if c.Shops {
		return r.WriteShops(s.Out, prices)
	}
	target := prove.Target{Orders: c.Orders, Views: c.Views, Peak: c.Peak, Regions: c.Regions, Hot: c.Hot, Cores: c.Cores, Utilisation: c.Utilisation}
	if target.Views == 0 {
		target.Views = prove.ViewsPerOrder * target.Orders
	}
	p, err := prove.Plan(*r.Costs, target, prices)
	if err != nil {
		return usageError{err}
	}
	if c.JSON {
		return printJSON(s.Out, p)
	}
	return p.WriteText(s.Out, terminalWidth)
}

// report is the one to reckon with: made now, the one named, or the last one.
func (c planCmd) report(ctx context.Context, s streams) (*prove.Report, error) {
	if c.Measure {
		r, _, err := proveCmd{Data: c.Data, Ops: c.Ops, Quick: true, Only: []string{"2", "3", "7"}, Prices: c.Prices, Seed: 1}.measure(ctx, s, true)
		return r, err
	}
	path := c.From
	if path == "" {
		path = filepath.Join(c.Data, "prove")
	}
	r, err := prove.ReadReport(path)
	if errors.Is(err, os.ErrNotExist) {
		err = fmt.Errorf("%w: run stampede prove first, or plan with --measure", err)
	}
	return r, err
}
