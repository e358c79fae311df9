package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/stampede-shop/stampede/internal/app/running"
	"github.com/stampede-shop/stampede/internal/app/warming"
)

type cacheWarmCmd struct {
	platformFlags
	Top  int     `help:"Items, the most wanted first; as many as were found to pay when not given." placeholder:"N"`
	Rate float64 `help:"Loads a second at most; as fast as was found to do no harm when not given." placeholder:"R"`
	JSON bool    `name:"json" help:"Print JSON."`
}

func (cacheWarmCmd) Help() string {
	return "Example:\n  stampede cache warm --top 5000 --rate 200\n" +
		"Brings what will be asked for into the memory of every API process, Redis and the edge. Ctrl-C cancels;\n" +
		"the same command goes on where it stopped. Exit code 1 when not everything could be warmed."
}

const (
	warmPath = "/admin/cache/warm"
	warmPoll = 200 * time.Millisecond
)

type warmStates map[string]warming.Status

func (c cacheWarmCmd) Run(ctx context.Context, s streams) error {
	if c.Top < 0 || c.Rate < 0 {
		return usageError{errors.New("--top and --rate must not be negative")}
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	var states warmStates
	if err := client.Do(ctx, "POST", warmPath, warming.Request{Top: c.Top, Rate: c.Rate}, &states); err != nil {
		return err
	}
	begun := states
	states, err = c.follow(ctx, s.Err, client, begun)
	if err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(s.Out, states)
	} else {
		err = printWarm(s.Out, states)
	}
	if err == nil && (ctx.Err() != nil || !states.done()) {
		err = errFails
	}
	return err
}

// follow shows how far the runs are until all are over; when ctx ends, it cancels them.
func (c cacheWarmCmd) follow(ctx context.Context, w io.Writer, client *running.Client, begun warmStates) (warmStates, error) {
	bar := newWarmBar(w)
	defer bar.end()
	tick := time.NewTicker(warmPoll)
	defer tick.Stop()
	for states := begun; ; {
		bar.show(states)
		if states.over() {
			return states.with(begun), nil
		}
		select {
		case <-ctx.Done():
			bar.end()
			_, _ = fmt.Fprintln(w, "cancelled; the same command goes on from here")
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			err := client.Do(ctx, "DELETE", warmPath, nil, &states)
			return states.with(begun), err
		case <-tick.C:
		}
		states = nil
		if err := client.Do(ctx, "GET", warmPath, nil, &states); err != nil && ctx.Err() == nil {
			return nil, err
		}
	}
}

// over tells whether no process is at work; one that has died is not.
func (s warmStates) over() bool {
	for _, st := range s {
		if !st.State.Over() {
			return false
		}
	}
	return len(s) > 0
}

// with keeps in mind which processes did not begin.
func (s warmStates) with(begun warmStates) warmStates {
	for name, st := range begun {
		if now, ok := s[name]; ok && st.Refused != "" {
			now.Refused = st.Refused
			s[name] = now
		}
	}
	return s
}

func (s warmStates) done() bool {
	for _, st := range s {
		if st.State != "done" || st.Failed > 0 || st.Refused != "" {
			return false
		}
	}
	return true
}

func printWarm(w io.Writer, states warmStates) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "PROCESS\tSTATE\tITEMS\tLOADED\tTHERE\tSKIPPED\tGONE\tFAILED\tSECONDS\tPAUSED\tUSED BEFORE\tLOADS SAVED")
	for _, name := range slices.Sorted(maps.Keys(states)) {
		st := states[name]
		used, saved := "-", "-"
		if e := st.Effect; e.Warmed > 0 {
			used, saved = fmt.Sprintf("%.0f %%", 100*e.UseShare()), fmt.Sprintf("%d of %d", e.Avoided, e.Loads)
		}
		state := string(st.State)
		if st.Refused != "" {
			state = "refused"
		}
		_, _ = fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%.1f\t%.1f\t%s\t%s\n", name, state, st.Total, st.Loaded, st.Present, st.Skipped,
			st.Gone, st.Failed, st.Elapsed, st.Paused, used, saved)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(states)) {
		for _, why := range []string{states[name].Error, states[name].Refused} {
			if why != "" {
				_, _ = fmt.Fprintf(w, "%s: %s\n", name, why)
			}
		}
	}
	return nil
}

// warmBar is one line on a terminal, and elsewhere a line every few seconds.
type warmBar struct {
	p    *progress
	last time.Time
}

const warmLineEvery = 2 * time.Second

func newWarmBar(w io.Writer) *warmBar { return &warmBar{newProgress(w), time.Now()} }

func (b *warmBar) show(states warmStates) {
	share, text := warmText(states)
	if b.p.bar {
		b.p.line(barOf(share) + text)
	} else if time.Since(b.last) >= warmLineEvery {
		b.last = time.Now()
		b.p.note("%s", text)
	}
}

func (b *warmBar) end() { b.p.end() }

// warmText sums up all processes; the share is negative while they rank.
func warmText(states warmStates) (share float64, text string) {
	var total, through, loaded int
	var rate, left float64
	paused := false
	for _, st := range states {
		total, through, loaded = total+st.Total, through+st.Through, loaded+st.Loaded
		left, paused = max(left, st.Left), paused || st.State == "paused"
		if !st.State.Over() {
			rate += st.Rate
		}
	}
	if total == 0 {
		return -1, "ranking"
	}
	text = fmt.Sprintf("%3.0f %%  %d of %d, %d loaded", 100*float64(through)/float64(total), through, total, loaded)
	switch {
	case paused:
		text += ", paused: shoppers need the room"
	case rate > 0:
		text += fmt.Sprintf(", %.0f/s allowed", rate)
		if left >= 1 {
			text += fmt.Sprintf(", %.0f s to go", left)
		}
	}
	return float64(through) / float64(total), text
}
