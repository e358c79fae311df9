package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/stampede-shop/stampede/chaos/experiment"
	"github.com/stampede-shop/stampede/internal/app/chaoslab"
	"github.com/stampede-shop/stampede/predict/diagnosis"
)

type predictDiagnoseCmd struct {
	platformFlags
	Runs    string        `type:"input dir" help:"Folder of recordings, as stampede chaos run --record writes them, to judge." placeholder:"DIR"`
	Record  string        `type:"path" help:"Record a running platform into this file (.json.gz); what it was told to break meanwhile (up --chaos) is the label." placeholder:"FILE"`
	For     time.Duration `type:"span" default:"3m" help:"For how long to record."`
	Details bool          `help:"List what was missed, and what was told wrongly."`
	JSON    bool          `name:"json" help:"Print JSON."`
}

func (predictDiagnoseCmd) Help() string {
	return "Examples:\n  stampede chaos run redis-slow --record runs\n  stampede predict diagnose --record runs/quiet.json.gz --for 5m\n  stampede predict diagnose --runs runs --details\n" +
		"Judges on recorded metrics how often the diagnosis names what was injected (precision, recall), how soon, and how often it tells of\n" +
		"something when nothing is wrong; and the same for static thresholds. What the chaos engine did is the label, and nothing else."
}

func (c predictDiagnoseCmd) Run(ctx context.Context, s streams) error {
	if (c.Runs == "") == (c.Record == "") {
		return usageError{errors.New("give either --runs DIR or --record FILE")}
	}
	if c.Record != "" {
		return c.record(ctx, s)
	}
	runs, err := diagnosis.Read(c.Runs)
	if err != nil {
		return err
	}
	verdicts := diagnosis.Evaluate(runs, diagnosis.Options{})
	if c.JSON {
		return printJSON(s.Out, verdicts)
	}
	return c.print(s.Out, verdicts)
}

func (c predictDiagnoseCmd) print(out io.Writer, verdicts []diagnosis.Verdict) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "NAMED BY\tRUNS\tCAUSES\tNAMED\tFIRST OF THE LIST\tNEAR\tWRONG\tPRECISION\tRECALL\tDELAY (MEDIAN)\tDELAY (P90)\tFALSE ALARMS\tIN QUIET MINUTES")
	for _, v := range verdicts {
		_, _ = fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%.3f\t%.3f\t%.1f s\t%.1f s\t%d\t%.1f\n", v.Name, v.Runs, v.Causes, v.Named, v.First, v.Near, v.Wrong,
			v.Precision, v.Recall, v.Delay, v.DelayHigh, v.False, v.Minutes)
	}
	err := w.Flush()
	for _, v := range verdicts {
		if c.Details {
			_, _ = fmt.Fprintf(out, "\n%s\n  missed:\n    %s\n  near or wrong:\n    %s\n", v.Name, strings.Join(v.Missed, "\n    "), strings.Join(v.Told, "\n    "))
		}
	}
	return err
}

func (c predictDiagnoseCmd) record(ctx context.Context, s streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.For)
	defer cancel()
	samples, seen, err := chaoslab.RecordSignals(ctx, client)
	if err != nil {
		return err
	}
	name := strings.TrimSuffix(filepath.Base(c.Record), ".json.gz")
	if err := chaoslab.LabelSignals(name, samples, seen).Write(c.Record); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.Out, "%d samples and %d faults written to %s\n", len(samples), len(seen), c.Record)
	return err
}

// runRecorded runs an experiment, and writes what was measured meanwhile, with its label, into a folder when one is given.
func runRecorded(ctx context.Context, dir string, lab *chaoslab.Lab, e *experiment.Experiment, o experiment.Options) (*experiment.Report, error) {
	run := func() (*experiment.Report, error) { return experiment.Run(ctx, lab, e, o) }
	if dir == "" {
		return run()
	}
	rec, report, err := lab.Record(ctx, run)
	if len(rec.Times) == 0 {
		return report, errors.Join(err, errors.New("nothing was recorded: is advice.enabled off?"))
	}
	if mkErr := os.MkdirAll(dir, 0o755); mkErr != nil {
		return report, errors.Join(err, mkErr)
	}
	return report, errors.Join(err, rec.Write(filepath.Join(dir, e.Name+".json.gz")))
}
