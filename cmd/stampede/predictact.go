package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/stampede-shop/stampede/internal/app/running"
	"github.com/stampede-shop/stampede/predict/act"
)

type predictActCmd struct {
	platformFlags
	Switch string `arg:"" optional:"" enum:"on,off,show" default:"show" help:"on, off, or show what was done."`
	JSON   bool   `name:"json" help:"Print JSON."`
}

func (predictActCmd) Help() string {
	return "Example:\n  stampede predict act off\n" +
		"Only what advice.act allows is ever done, within its bounds; off takes back at once what was done. A start of the platform goes by the configuration again."
}

func (c predictActCmd) Run(ctx context.Context, s streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	var st *act.Status
	if c.Switch == "show" {
		var advice running.AdviceStatus
		err = client.Do(ctx, "GET", "/admin/advice", nil, &advice)
		st = advice.Acting
	} else {
		err = client.Do(ctx, "POST", "/admin/advice/act", running.ActRequest{On: c.Switch == "on"}, &st)
	}
	if err == nil && st == nil {
		err = errors.New("nothing acts on advice here: set advice.act.enabled and a bound (for up: STAMPEDE_ADVICE_ACT_ENABLED=true and STAMPEDE_ADVICE_ACT_SLOTS_MAX or another)")
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(s.Out, st)
	}
	return printActing(s.Out, *st)
}

func printActing(out io.Writer, st act.Status) error {
	state := map[bool]string{true: "on", false: "off"}[st.On]
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintf(w, "acting on advice is %s\nSETTING\tNOW\tUSUALLY\tBOUND\n", state)
	for _, x := range st.Settings {
		_, _ = fmt.Fprintf(w, "%s\t%g\t%g\t%g\n", x.Name, x.Now, x.Base, x.Bound)
	}
	for _, t := range st.Turns {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%g to %g\t%s\n", t.At.Local().Format(time.DateTime), t.Setting, t.From, t.To, t.Reason)
		if t.Error != "" {
			_, _ = fmt.Fprintf(w, "\t\tnot done\t%s\n", t.Error)
		}
	}
	return w.Flush()
}
