package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/stampede-shop/stampede/internal/app/running"
	"github.com/stampede-shop/stampede/predict/bottleneck"
)

type predictBottlenecksCmd struct {
	Runs     string `type:"input dir" help:"Folder of recordings, files *.ndjson as predict record writes them." placeholder:"DIR"`
	Simulate int    `help:"Judge so many simulated runs, whose causes are planted, instead of recordings." placeholder:"N"`
	Seed     uint64 `default:"2" help:"What chance in the simulation comes from."`
	JSON     bool   `name:"json" help:"Print JSON."`
}

func (predictBottlenecksCmd) Help() string {
	return "Example:\n  stampede predict bottlenecks --simulate 120\n" +
		"Prints how often the first alarm in a run names the resource that was full first (precision, recall), and how long before (lead), for\n" +
		"the prediction and for static thresholds."
}

func (c predictBottlenecksCmd) Run(_ context.Context, s streams) error {
	if (c.Runs == "") == (c.Simulate < 1) {
		return usageError{errors.New("give either --runs DIR or --simulate N, at least 1")}
	}
	runs := bottleneck.Simulate(c.Simulate, c.Seed)
	if c.Runs != "" {
		var err error
		if runs, err = readRuns(c.Runs); err != nil {
			return err
		}
	}
	verdicts := bottleneck.Evaluate(runs, bottleneck.Options{})
	if c.JSON {
		return printJSON(s.Out, verdicts)
	}
	return printVerdicts(s.Out, verdicts)
}

func readRuns(dir string) (runs []bottleneck.Run, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.ndjson"))
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s has no files *.ndjson", dir)
	}
	for _, path := range files {
		if err != nil {
			break
		}
		var f *os.File
		if f, err = os.Open(path); err != nil {
			break
		}
		var run bottleneck.Run
		run, err = bottleneck.ReadRun(f, path)
		_ = f.Close()
		runs = append(runs, run)
	}
	return runs, err
}

func printVerdicts(out io.Writer, verdicts []bottleneck.Verdict) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "ALARM BY\tRUNS\tCAUSES\tRIGHT\tWRONG\tMISSED\tPRECISION\tRECALL\tLEAD (MEDIAN)\tLEAD (P10)\tOFF BY\tIN INTERVAL")
	for _, v := range verdicts {
		off, in := "-", "-"
		if v.Error > 0 {
			off, in = fmt.Sprintf("%.0f s", v.Error), fmt.Sprintf("%.0f %%", 100*v.Covered)
		}
		_, _ = fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%.3f\t%.3f\t%.0f s\t%.0f s\t%s\t%s\n", v.Name, v.Runs, v.Causes, v.Right, v.Wrong, v.Missed,
			v.Precision, v.Recall, v.Lead, v.LeadLow, off, in)
	}
	return w.Flush()
}

type predictRecordCmd struct {
	platformFlags
	Out   string        `required:"" type:"path" help:"File for the recording." placeholder:"FILE"`
	For   time.Duration `type:"span" default:"10m" help:"For how long; Ctrl-C ends it earlier."`
	Cause string        `help:"Which resource was made to saturate, such as pool/api-1:shard2, or none; the one that stayed full first when not given." placeholder:"RESOURCE"`
}

func (predictRecordCmd) Help() string {
	return "Example:\n  stampede predict record --for 5m --cause lag/replica-1 --out runs/lag.ndjson\n" +
		"Writes what a running platform measures of its resources, once a second, with what came of it: for predict bottlenecks --runs."
}

func (c predictRecordCmd) Run(ctx context.Context, s streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.For)
	defer cancel()
	run := bottleneck.Run{}
	err = client.FollowAdvice(ctx, 500*time.Millisecond, func(st running.AdviceStatus, err error) error {
		if err != nil && ctx.Err() == nil {
			return err
		}
		if n := len(run.Samples); st.Sample != nil && (n == 0 || st.Sample.At.After(run.Samples[n-1].At)) {
			run.Samples = append(run.Samples, *st.Sample)
		}
		return nil
	})
	if err != nil {
		return err
	}
	run.Label = labelOf(run.Samples, c.Cause)
	return saveRun(s, c.Out, run)
}

// labelOf says when the cause was full; a cause that never was is none.
func labelOf(samples []bottleneck.Sample, cause string) bottleneck.Label {
	switch cause {
	case "":
		return bottleneck.FirstFull(samples)
	case "none":
		return bottleneck.Label{}
	}
	alone := make([]bottleneck.Sample, len(samples))
	for i, s := range samples {
		alone[i] = bottleneck.Sample{At: s.At, Use: map[string]float64{cause: s.Use[cause]}}
	}
	l := bottleneck.FirstFull(alone)
	l.Note = "given: " + cause
	return l
}

func saveRun(s streams, path string, run bottleneck.Run) error {
	if len(run.Samples) == 0 {
		return errors.New("nothing was recorded: the platform has not measured yet")
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	err = errors.Join(run.Write(f), f.Close())
	if err == nil {
		what := "nothing was full"
		if run.Label.Cause != "" {
			what = run.Label.Cause + " was full from " + run.Label.At.Format(time.TimeOnly)
		}
		_, err = fmt.Fprintf(s.Out, "%d samples written to %s: %s\n", len(run.Samples), path, what)
	}
	return err
}
