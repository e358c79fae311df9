package main

import (
	"fmt"

	"github.com/stampede-shop/stampede/loadsim"
	"github.com/stampede-shop/stampede/loadsim/compare"
	"github.com/stampede-shop/stampede/loadsim/scenario"
)

type loadCmd struct {
	Play      loadPlayCmd      `cmd:"" name:"run" default:"withargs" help:"Simulate shoppers (the default)."`
	Compare   loadCompareCmd   `cmd:"" help:"Tell whether two reports differ by more than chance."`
	Scenarios loadScenariosCmd `cmd:"" help:"List the scenarios that ship, or print one as YAML."`
	Agent     loadAgentCmd     `cmd:"" help:"Wait for a coordinator and play its loads together with other agents."`
}

func (loadCmd) Help() string {
	return "Examples:\n  stampede load --users 100 --duration 30s --out report\n  stampede load --rate 500 --scenario browse --fail-if 'p95(browse)>100ms'\n  stampede load compare before after"
}

type loadCompareCmd struct {
	A           string  `arg:"" type:"input|dir" help:"Folder or report.json of the one run."`
	B           string  `arg:"" type:"input|dir" help:"Folder or report.json of the other run."`
	Confidence  float64 `default:"0.95" help:"Confidence of the intervals."`
	FailIfWorse bool    `help:"Exit 1 when B is worse than A in any respect."`
	JSON        bool    `name:"json" help:"Print the comparison as JSON."`
}

func (loadCompareCmd) Help() string {
	return "Example:\n  stampede load compare before after\nIntervals come from a moving-block bootstrap over slices of time."
}

func (c loadCompareCmd) Run(s streams) error {
	if !(c.Confidence > 0.5 && c.Confidence < 1) {
		return usageError{fmt.Errorf("--confidence %v: between 0.5 and 1", c.Confidence)}
	}
	a, err := loadsim.ReadReport(c.A)
	if err != nil {
		return err
	}
	b, err := loadsim.ReadReport(c.B)
	if err != nil {
		return err
	}
	r, err := compare.Reports(a, b, compare.Options{Confidence: c.Confidence})
	if err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(s.Out, r)
	} else {
		err = r.WriteText(s.Out)
	}
	if err == nil && c.FailIfWorse && r.Worse() {
		err = errFails
	}
	return err
}

type loadScenariosCmd struct {
	Name string `arg:"" optional:"" help:"Print this one as YAML, to begin one's own with."`
}

func (loadScenariosCmd) Help() string {
	return "Example:\n  stampede load scenarios journey > mine.yaml\n  stampede load --scenario ./mine.yaml"
}

func (c loadScenariosCmd) Run(s streams) error {
	if c.Name != "" {
		text, err := scenario.Source(c.Name)
		if err != nil {
			return usageError{err}
		}
		_, err = fmt.Fprint(s.Out, text)
		return err
	}
	for _, name := range scenario.Names() {
		sc, err := scenario.Ready(name)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(s.Out, "%-12s %s\n", name, sc.About); err != nil {
			return err
		}
	}
	return nil
}
