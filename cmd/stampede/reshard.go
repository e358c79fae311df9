package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/stampede-shop/stampede/internal/app"
	"github.com/stampede-shop/stampede/shard"
	"github.com/stampede-shop/stampede/shard/move"
)

// moveFlags are common to commands that move keys.
type moveFlags struct {
	platformFlags
	Abort    bool `help:"Take the move under way back; possible until the new map is in force."`
	Continue bool `help:"Only finish the move under way."`
}

type shardAddCmd struct {
	moveFlags
	ID     string `help:"Id of the new shard; the next number when not given." placeholder:"ID"`
	DSN    string `name:"dsn" help:"Its database; a platform of 'stampede up' makes one itself." placeholder:"URL"`
	Weight int    `default:"1" help:"Its share of the keys, relative to the others, 1 to 1000."`
}

func (shardAddCmd) Help() string {
	return "Example:\n  stampede shard add\nThe shop stays open. Interrupted, it goes on where it was with the next call; --abort takes it back."
}

func (c shardAddCmd) Run(ctx context.Context, s streams) error {
	if c.Weight < 1 || c.Weight > 1000 {
		return usageError{fmt.Errorf("--weight %d: from 1 to 1000", c.Weight)}
	}
	o := app.ReshardOptions{}
	if !c.Abort && !c.Continue {
		o.Add = &app.AddShard{ID: c.ID, DSN: c.DSN, Weight: c.Weight}
	}
	return c.run(ctx, s, o)
}

type shardMoveCmd struct {
	moveFlags
	Key    []string `help:"Keys to pin to a shard." placeholder:"KEY"`
	From   *string  `help:"First key of a span to pin; with --until." placeholder:"KEY"`
	Until  string   `help:"Key that the span ends before; none: no end." placeholder:"KEY"`
	To     string   `help:"Shard that keys are pinned to; 'ring' undoes a pin." placeholder:"ID"`
	Shard  string   `help:"Shard whose weight changes." placeholder:"ID"`
	Weight int      `help:"Its new weight, 1 to 1000." placeholder:"N"`
}

func (shardMoveCmd) Help() string {
	return "Examples:\n  stampede shard move --key 42 --to shard3\n  stampede shard move --shard shard2 --weight 2\nThe shop stays open."
}

func (c shardMoveCmd) Run(ctx context.Context, s streams) error {
	o, err := c.options()
	if err != nil {
		return usageError{err}
	}
	return c.run(ctx, s, o)
}

func (c shardMoveCmd) options() (o app.ReshardOptions, err error) {
	to := strings.TrimPrefix(c.To, "ring")
	ways := 0
	for _, given := range []bool{len(c.Key) > 0, c.From != nil, c.Shard != "", c.Abort, c.Continue} {
		if given {
			ways++
		}
	}
	switch {
	case ways != 1:
		return o, errors.New("give one of --key, --from, --shard, --abort, --continue")
	case (len(c.Key) > 0 || c.From != nil) && c.To == "":
		return o, errors.New("--to: name the shard that the keys go to, or 'ring'")
	case c.Shard != "" && (c.Weight < 1 || c.Weight > 1000):
		return o, fmt.Errorf("--weight %d: from 1 to 1000", c.Weight)
	case len(c.Key) > 0:
		o.Pin = map[string]string{}
		for _, k := range c.Key {
			o.Pin[k] = to
		}
	case c.From != nil:
		o.Span = &shard.Span{From: *c.From, To: c.Until, Shard: to}
	case c.Shard != "":
		o.Weigh = &shard.Info{ID: c.Shard, Weight: c.Weight}
	}
	return o, nil
}

func (f moveFlags) run(ctx context.Context, s streams, o app.ReshardOptions) error {
	cfg, err := f.config()
	if err != nil {
		return err
	}
	o.Data, o.Abort = f.Data, f.Abort
	o.Progress = func(format string, args ...any) { _, _ = fmt.Fprintf(s.Err, format+"\n", args...) }
	mv, err := app.Reshard(ctx, cfg, o)
	switch {
	case errors.Is(err, move.ErrNoMove):
		return errors.New("no move is under way")
	case errors.Is(err, move.ErrTooLate):
		return errors.New("too late: the new map is in force; --continue finishes the move")
	case err != nil && ctx.Err() != nil:
		return errors.New("interrupted: --continue goes on, --abort takes it back")
	case err != nil:
		return err
	}
	p := mv.Progress
	_, err = fmt.Fprintf(s.Out, "move %d %s: %d rows copied, %d changes replayed, %d rows compared, %d repaired, writes held for %d ms, %d old rows deleted\n",
		mv.ID, mv.State, p.Copied, p.Replayed, p.Compared, p.Repaired, p.HeldMS, p.Deleted)
	return err
}
