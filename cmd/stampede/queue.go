package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/stampede-shop/stampede/internal/app"
	"github.com/stampede-shop/stampede/queue"
)

type queueCmd struct {
	List   queueListCmd   `cmd:"" help:"What waits in outboxes, streams and consumers."`
	Dead   queueDeadCmd   `cmd:"" help:"List dead letters: messages that no attempt could handle."`
	Replay queueReplayCmd `cmd:"" help:"Give dead letters back to their consumers."`
}

type queueListCmd struct {
	platformFlags
	JSON bool `name:"json" help:"Print JSON."`
}

func (queueListCmd) Help() string { return "Example:\n  stampede queue list" }

func (c queueListCmd) Run(ctx context.Context, s streams) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	report, err := app.Queues(ctx, cfg)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(s.Out, report)
	}
	w := tabwriter.NewWriter(s.Out, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "OUTBOX\tROWS\tOLDEST")
	for _, b := range report.Outboxes {
		_, _ = fmt.Fprintf(w, "%s\t%d\t%v\n", b.Source, b.Rows, b.Oldest.Round(time.Millisecond))
	}
	_, _ = fmt.Fprintln(w, "\nSTREAM\tMESSAGES\tBYTES\tEVER")
	for _, st := range report.Streams {
		_, _ = fmt.Fprintf(w, "%s\t%d\t%d\t%d\n", st.Name, st.Messages, st.Bytes, st.LastSeq)
	}
	_, _ = fmt.Fprintln(w, "\nCONSUMER\tPENDING\tIN FLIGHT\tREDELIVERED\tDEAD\tTOPICS")
	for _, q := range report.Consumers {
		_, _ = fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%s\n", q.Name, q.Pending, q.InFlight, q.Redelivered, q.Dead, strings.Join(q.Topics, " "))
	}
	return w.Flush()
}

// deadFlags select dead letters.
type deadFlags struct {
	platformFlags
	Consumer string   `help:"Only those of this consumer."`
	Topic    string   `help:"Only those of this topic."`
	ID       []uint64 `help:"Only these."`
}

func (f deadFlags) filter() queue.DeadFilter {
	return queue.DeadFilter{IDs: f.ID, Consumer: f.Consumer, Topic: f.Topic}
}

type queueDeadCmd struct {
	deadFlags
	Limit int  `default:"100" help:"How many at most."`
	JSON  bool `name:"json" help:"Print JSON."`
}

func (queueDeadCmd) Help() string { return "Example:\n  stampede queue dead --consumer mail" }

func (c queueDeadCmd) Run(ctx context.Context, s streams) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	f := c.filter()
	f.Limit = c.Limit
	return app.WithQueue(ctx, cfg, func(ctx context.Context, js jetstream.JetStream) error {
		letters, err := queue.NewDeadLetters(js).List(ctx, f)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(s.Out, letters)
		}
		w := tabwriter.NewWriter(s.Out, 0, 8, 2, ' ', 0)
		_, _ = fmt.Fprintln(w, "ID\tDIED\tCONSUMER\tTOPIC\tKEY\tDELIVERIES\tERROR")
		for _, l := range letters {
			_, _ = fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%d\t%s\n", l.ID, l.DiedAt.Format(time.RFC3339), l.Consumer, l.Topic, l.Key, l.Deliveries, l.Error)
		}
		return w.Flush()
	})
}

type queueReplayCmd struct {
	deadFlags
	All bool `help:"All of them."`
}

func (queueReplayCmd) Help() string {
	return "Example:\n  stampede queue replay --consumer mail\n  stampede queue replay --id 17"
}

func (c queueReplayCmd) Run(ctx context.Context, s streams) error {
	if !c.All && c.Consumer == "" && c.Topic == "" && len(c.ID) == 0 {
		return usageError{errors.New("say which: --id, --consumer, --topic or --all")}
	}
	cfg, err := c.config()
	if err != nil {
		return err
	}
	return app.WithQueue(ctx, cfg, func(ctx context.Context, js jetstream.JetStream) error {
		n, err := queue.NewDeadLetters(js).Replay(ctx, c.filter())
		_, _ = fmt.Fprintf(s.Err, "%d given back\n", n)
		return err
	})
}
