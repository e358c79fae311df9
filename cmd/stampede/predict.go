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

	"github.com/stampede-shop/stampede/internal/local"
	"github.com/stampede-shop/stampede/predict"
)

type predictCmd struct {
	Train       predictTrainCmd       `cmd:"" help:"Learn from sales which products will sell."`
	Evaluate    predictEvaluateCmd    `cmd:"" help:"Judge the predictions day by day against what was sold."`
	Top         predictTopCmd         `cmd:"" help:"The products that will sell most in the next day or hour."`
	Bottlenecks predictBottlenecksCmd `cmd:"" help:"Judge the prediction of bottlenecks on runs whose cause is known."`
	Diagnose    predictDiagnoseCmd    `cmd:"" help:"Judge on recordings how well faults are named from metrics alone, or record."`
	Record      predictRecordCmd      `cmd:"" help:"Record what a running platform measures of its resources."`
	Act         predictActCmd         `cmd:"" help:"What was done about advice; switch that on, or off, which takes it back."`
}

func (predictCmd) Help() string {
	return "Example:\n  stampede predict evaluate --history sales --from 2011-07-01 --to 2011-08-31"
}

// demandFile is where a model is kept in a data folder.
const demandFile = "demand.model"

// historyFlags are what is learnt from.
type historyFlags struct {
	History string `required:"" type:"input|dir" help:"Sales: a CSV file with InvoiceNo, StockCode, Quantity and InvoiceDate, or a folder of such (.csv, .csv.gz) in the order of their names." placeholder:"DIR"`
	Horizon string `enum:"day,hour" default:"day" help:"How far to look ahead: day or hour."`
	Seed    uint64 `default:"1" help:"What chance in training comes from."`
}

func (f historyFlags) read(ctx context.Context, s streams) (predict.History, error) {
	start := time.Now()
	h, err := predict.ReadHistory(ctx, predict.Dir(f.History), predict.Horizon(f.Horizon))
	if err == nil {
		_, _ = fmt.Fprintf(s.Err, "%d %ss with sales read in %.1f s\n", len(h.Periods), f.Horizon, time.Since(start).Seconds())
	}
	return h, err
}

type predictTrainCmd struct {
	historyFlags
	Out  string `type:"path" default:".stampede/demand.model" help:"File for the model." placeholder:"FILE"`
	JSON bool   `name:"json" help:"Print JSON."`
}

func (predictTrainCmd) Help() string {
	return "Example:\n  stampede predict train --history sales --out demand.model\n" +
		"When the model did no better than exponentially decayed frequency in the last weeks of the history, it says so, and the frequency ranks."
}

func (c predictTrainCmd) Run(ctx context.Context, s streams) error {
	h, err := c.read(ctx, s)
	if err != nil {
		return err
	}
	start := time.Now()
	m, err := predict.Train(ctx, h, predict.Options{Seed: c.Seed})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(c.Out), 0o755); err != nil {
		return err
	}
	if err := m.Save(c.Out); err != nil {
		return err
	}
	st := m.Standing()
	if c.JSON {
		return printJSON(s.Out, struct {
			File    string  `json:"file"`
			Seconds float64 `json:"seconds"`
			predict.Standing
		}{c.Out, time.Since(start).Seconds(), st})
	}
	_, err = fmt.Fprintf(s.Out, "trained in %.1f s, written to %s\n%s\n", time.Since(start).Seconds(), c.Out, standingText(st, c.Horizon))
	return err
}

func standingText(st predict.Standing, period string) string {
	who := "the model ranks"
	if !st.InUse {
		who = "the frequency ranks: the model did no better"
	}
	return fmt.Sprintf("last %d %ss: %.1f %% of the best sellers named by the model, %.1f %% by decayed frequency (half-life %g %ss): %s",
		st.Periods, period, 100*st.Model, 100*st.Frequency, st.HalfLife, period, who)
}

type predictTopCmd struct {
	Data string `type:"path" default:".stampede" help:"Data folder of the platform; .stampede when not given." placeholder:"DIR"`
	File string `type:"input" help:"The model's file; demand.model in the data folder when not given." placeholder:"FILE"`
	K    int    `short:"k" default:"20" help:"How many products." placeholder:"N"`
	At   string `help:"The period in which this moment lies, instead of the one after the history; such as 2011-09-01 or 2011-09-01T14:00:00Z." placeholder:"TIME"`
	JSON bool   `name:"json" help:"Print JSON."`
}

func (predictTopCmd) Help() string {
	return "Example:\n  stampede predict top --file demand.model --k 20"
}

func (c predictTopCmd) Run(s streams) error {
	if c.K < 1 {
		return usageError{fmt.Errorf("--k %d: at least 1", c.K)}
	}
	at, err := parseDay("--at", c.At)
	if err != nil {
		return err
	}
	file := c.File
	if file == "" {
		file = filepath.Join(c.Data, demandFile)
	}
	m, err := predict.Load(file)
	if err != nil {
		return fmt.Errorf("%w\nMake one with: stampede predict train --history DIR --out %s", err, local.ShellWord(file))
	}
	top := m.Top(at, c.K)
	if c.JSON {
		return printJSON(s.Out, struct {
			Standing predict.Standing   `json:"standing"`
			Top      []predict.Forecast `json:"top"`
		}{m.Standing(), top})
	}
	w := tabwriter.NewWriter(s.Out, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "RANK\tCODE\tSCORE\tUNITS OF LATE\tNAME")
	for i, f := range top {
		_, _ = fmt.Fprintf(w, "%d\t%s\t%.3f\t%.1f\t%s\n", i+1, f.Code, f.Score, f.Units, f.Name)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.Err, standingText(m.Standing(), string(m.Horizon())))
	return err
}

// parseDay reads a day or a moment; "" is none.
func parseDay(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, form := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(form, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usageError{fmt.Errorf("%s %s: a day such as 2011-08-01", flag, text)}
}

type predictEvaluateCmd struct {
	historyFlags
	From string `help:"First day to judge; such that 20 are, when not given." placeholder:"DATE"`
	To   string `help:"Last day to judge; that of the history when not given." placeholder:"DATE"`
	K    []int  `short:"k" default:"20,50,100" help:"How many best sellers are to be named." placeholder:"N,…"`
	JSON bool   `name:"json" help:"Print JSON."`
}

func (predictEvaluateCmd) Help() string {
	return "Example:\n  stampede predict evaluate --history sales --from 2011-07-01 --to 2011-08-31 --k 20,50,100\n" +
		"Before each day a model is trained on nothing but what came before it; then its ranking, and those of three baselines, are compared with\n" +
		"the units sold on invoices that are not cancellations. Days without sales are skipped; equal products are ranked by code."
}

func (c predictEvaluateCmd) Run(ctx context.Context, s streams) error {
	from, err := parseDay("--from", c.From)
	if err != nil {
		return err
	}
	to, err := parseDay("--to", c.To)
	if err != nil {
		return err
	}
	for _, k := range c.K {
		if k < 1 {
			return usageError{fmt.Errorf("--k %d: at least 1", k)}
		}
	}
	h, err := c.read(ctx, s)
	if err != nil {
		return err
	}
	start := time.Now()
	r, err := predict.Evaluate(ctx, h, predict.EvaluateOptions{From: from, To: to, K: c.K, Options: predict.Options{Seed: c.Seed}})
	if errors.Is(err, predict.ErrOptions) {
		err = usageError{err}
	}
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(s.Err, "evaluated in %.1f s\n", time.Since(start).Seconds())
	if c.JSON {
		return printJSON(s.Out, r)
	}
	return printEvaluation(s.Out, r, c.K)
}

func printEvaluation(out io.Writer, r predict.Report, ks []int) error {
	_, _ = fmt.Fprintf(out, "%d %ss from %s to %s; the model ranked in %d, otherwise the frequency did (half-life at the end: %g %ss)\n\n",
		r.Periods, r.Horizon, r.From, r.To, r.InUse, r.HalfLife, r.Horizon)
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprint(w, "RANKED BY")
	for _, k := range ks {
		_, _ = fmt.Fprintf(w, "\tPRECISION@%d\tRECALL@%d", k, k)
	}
	last := ""
	for _, sc := range r.Scores { // those of one name stand together, in the order of K
		if sc.Name != last {
			_, _ = fmt.Fprintf(w, "\n%s", sc.Name)
			last = sc.Name
		}
		_, _ = fmt.Fprintf(w, "\t%.4f\t%.4f", sc.Precision, sc.Recall)
	}
	_, _ = fmt.Fprintln(w)
	if err := w.Flush(); err != nil {
		return err
	}
	for _, m := range append(r.Best, r.Hindsight...) {
		_, _ = fmt.Fprintf(out, "\nmargin of the model's precision@%d over %s: %+.4f (95 %%: %+.4f to %+.4f)", m.K, m.Baseline, m.Margin, m.Low, m.High)
	}
	_, err := fmt.Fprintln(out)
	return err
}
