package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/stampede-shop/stampede/internal/app/running"
)

type statusCmd struct {
	Data string `type:"path" default:".stampede" help:"Data folder; .stampede when not given." placeholder:"DIR"`
	Ops  string `help:"Operations address of the platform, instead of --data." placeholder:"URL"`
	JSON bool   `name:"json" help:"Print JSON."`
}

func (statusCmd) Help() string {
	return "Example:\n  stampede status --json\nExit code 1 when nothing runs or something is not healthy."
}

func (c statusCmd) Run(ctx context.Context, s streams) error {
	client, err := running.NewClient(c.Data, c.Ops)
	if err != nil {
		return err
	}
	var st running.Status
	if err := client.Do(ctx, "GET", "/admin/status", nil, &st); err != nil {
		return err
	}
	if c.JSON {
		if err := printJSON(s.Out, st); err != nil {
			return err
		}
	} else if err := printStatus(s, st); err != nil {
		return err
	}
	if !st.Healthy {
		return errFails
	}
	return nil
}

func printStatus(s streams, st running.Status) error {
	w := tabwriter.NewWriter(s.Out, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintf(w, "shop\t%s\noperations\t%s\n\nPROCESS\tSTATE\tPID\tRESTARTS\tADDRESS\n", st.URL, st.Ops)
	for _, p := range st.Processes {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\n", p.Name, p.State, p.PID, p.Restarts, p.Address)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return printClusters(s, st)
}

// printClusters tells who is the primary of each cluster, and what would be lost with it.
func printClusters(s streams, st running.Status) error {
	w := tabwriter.NewWriter(s.Out, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprint(w, "\nCLUSTER\tPRIMARY\tSTANDBYS\tFAILOVERS\tCOMMITS\n")
	for _, c := range st.Clusters {
		commits := "on the primary alone"
		switch {
		case c.Sync:
			commits = "on a standby too"
		case !c.Alone.IsZero():
			commits = "ALERT: on the primary alone since " + c.Alone.Local().Format("15:04:05")
		}
		_, _ = fmt.Fprintf(w, "%d\t%s\t%s\t%d\t%s\n", c.Cluster, c.Primary, strings.Join(c.Standbys, " "), c.Failovers, commits)
	}
	return w.Flush()
}
