package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/stampede-shop/stampede/chaos"
	"github.com/stampede-shop/stampede/chaos/experiment"
	"github.com/stampede-shop/stampede/chaos/pressure"
	"github.com/stampede-shop/stampede/experiments"
	"github.com/stampede-shop/stampede/internal/app/chaoslab"
)

type chaosCmd struct {
	List     chaosListCmd     `cmd:"" help:"Faults and experiments, and what each needs."`
	Run      chaosRunCmd      `cmd:"" help:"Run experiments: the same load without and with faults, and a verdict."`
	Campaign chaosCampaignCmd `cmd:"" help:"An experiment with random faults, which its seed repeats."`
	Inject   chaosInjectCmd   `cmd:"" help:"Inject one fault, for a time or until Ctrl-C."`
	Stop     chaosStopCmd     `cmd:"" help:"The kill switch: undo everything, whoever injected it."`
	Press    chaosPressCmd    `cmd:"" hidden:"" help:"Take processor time or memory until the standard input ends (used by faults)."`
}

func (chaosCmd) Help() string {
	return "Examples:\n  stampede chaos run api-death replica-lag\n  stampede chaos campaign --seed 7 --for 1m\n  stampede chaos stop"
}

// chaosFlags find the platform.
type chaosFlags struct {
	Data string `type:"path" default:".stampede" help:"Data folder of the platform; .stampede when not given." placeholder:"DIR"`
	Ops  string `help:"Operations address of the platform, instead of --data." placeholder:"URL"`
}

func (f chaosFlags) open(ctx context.Context, s streams) (*chaoslab.Chaos, error) {
	return chaoslab.Open(ctx, f.Data, f.Ops, slog.New(slog.NewTextHandler(s.Err, &slog.HandlerOptions{Level: slog.LevelError})))
}

const chaosEnds = 30 * time.Second

// closeChaos undoes what is in force, whatever has ended the command.
func closeChaos(ctx context.Context, c *chaoslab.Chaos) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), chaosEnds)
	defer cancel()
	return c.Close(ctx)
}

type chaosListCmd struct {
	chaosFlags
	JSON bool `name:"json" help:"Print JSON."`
}

func (chaosListCmd) Help() string { return "Example:\n  stampede chaos list --json" }

func (c chaosListCmd) Run(ctx context.Context, s streams) error {
	ch, err := c.open(ctx, s)
	if err != nil {
		return err
	}
	list, err := experiments.All()
	if err != nil {
		return err
	}
	if c.JSON {
		return chaosJSON(ctx, s, ch, list)
	}
	w := tabwriter.NewWriter(s.Out, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "EXPERIMENT\tNEEDS\t")
	for _, e := range list {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\n", e.Name, needsText(e.Needs), e.About)
	}
	printFaults(ctx, w, ch)
	return w.Flush()
}

func chaosJSON(ctx context.Context, s streams, ch *chaoslab.Chaos, list []*experiment.Experiment) error {
	type one struct {
		Name  string            `json:"name"`
		About string            `json:"about"`
		Needs map[string]string `json:"needs,omitempty"`
	}
	out := struct {
		Experiments []one             `json:"experiments"`
		Faults      []chaos.Info      `json:"faults"`
		Links       []string          `json:"links"`
		Active      []chaos.Injection `json:"active"`
	}{Faults: ch.List(ctx), Links: ch.Links(), Active: ch.Active()}
	for _, e := range list {
		out.Experiments = append(out.Experiments, one{e.Name, e.About, e.Needs})
	}
	return printJSON(s.Out, out)
}

func printFaults(ctx context.Context, w io.Writer, ch *chaoslab.Chaos) {
	_, _ = fmt.Fprintln(w, "\nFAULT\tPARAMETERS\t")
	for _, f := range ch.List(ctx) {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\n", f.Name, paramsText(f.Params), f.About)
		if !f.Available {
			_, _ = fmt.Fprintf(w, "\t\t  not here: %s\n", f.Reason)
		}
	}
	for _, i := range ch.Active() {
		_, _ = fmt.Fprintf(w, "\nIN FORCE\t%s\t%s until %s\n", i.Fault, i.Target, i.Until.Local().Format(time.TimeOnly))
	}
	if links := ch.Links(); len(links) > 0 {
		_, _ = fmt.Fprintf(w, "\nLINKS\t%s\n", strings.Join(links, " "))
	}
}

func needsText(needs map[string]string) string {
	var parts []string
	for _, name := range []string{"chaos", "apis", "clusters", "redis", "replicas"} {
		switch v := needs[name]; v {
		case "":
		case "true":
			parts = append(parts, "--"+name)
		default:
			parts = append(parts, name+" "+v)
		}
	}
	return strings.Join(parts, ", ")
}

func paramsText(params []chaos.Param) string {
	var parts []string
	for _, p := range params {
		switch {
		case p.Required:
			parts = append(parts, p.Name+"=…")
		case p.Default != "":
			parts = append(parts, "["+p.Name+"="+p.Default+"]")
		default:
			parts = append(parts, "["+p.Name+"]")
		}
	}
	return strings.Join(parts, " ")
}

type chaosInjectCmd struct {
	chaosFlags
	Fault  string        `arg:"" help:"One of stampede chaos list."`
	Params []string      `arg:"" optional:"" help:"Its parameters." placeholder:"NAME=VALUE"`
	For    time.Duration `type:"span" help:"How long; until Ctrl-C, but no longer than the fault allows, when not given." placeholder:"D"`
}

func (chaosInjectCmd) Help() string {
	return "Examples:\n  stampede chaos inject process-pause target=redis --for 10s\n  stampede chaos inject link-slow link='api:*' latency=100ms"
}

func (c chaosInjectCmd) Run(ctx context.Context, s streams) (err error) {
	params := map[string]string{}
	for _, p := range c.Params {
		name, value, ok := strings.Cut(p, "=")
		if !ok {
			return usageError{fmt.Errorf("%q is not NAME=VALUE", p)}
		}
		params[name] = value
	}
	ch, err := c.open(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeChaos(ctx, ch)) }()
	undo, err := ch.Inject(ctx, chaos.Request{Fault: c.Fault, Params: params, For: c.For})
	if err != nil {
		return chaosUsage(err)
	}
	_, _ = fmt.Fprintf(s.Err, "%s is in force; Ctrl-C undoes it\n", c.Fault)
	if c.For > 0 {
		timer := time.NewTimer(c.For)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	} else {
		<-ctx.Done()
	}
	undoing, cancel := context.WithTimeout(context.WithoutCancel(ctx), chaosEnds)
	defer cancel()
	if err := undo(undoing); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(s.Err, "%s is undone\n", c.Fault)
	return nil
}

// chaosUsage marks what the user typed wrongly.
func chaosUsage(err error) error {
	if errors.Is(err, chaos.ErrUnknown) || errors.Is(err, chaos.ErrParams) {
		return usageError{err}
	}
	return err
}

type chaosStopCmd struct {
	chaosFlags
}

func (chaosStopCmd) Help() string {
	return "Example:\n  stampede chaos stop\nAlso undoes what was left by a chaos process that was killed."
}

func (c chaosStopCmd) Run(ctx context.Context, s streams) error {
	ch, err := c.open(ctx, s)
	if err != nil {
		return err
	}
	done, err := ch.Stop(ctx)
	for _, d := range done {
		if d.Error == "" {
			_, _ = fmt.Fprintln(s.Out, "undone:", d.Fault)
		}
	}
	if err == nil && len(done) == 0 {
		_, _ = fmt.Fprintln(s.Out, "nothing is in force")
	}
	return err
}

type chaosPressCmd struct {
	Args []string `arg:"" passthrough:""`
}

func (c chaosPressCmd) Run(ctx context.Context) error {
	return pressure.Serve(ctx, os.Stdin, os.Stdout, c.Args...)
}
