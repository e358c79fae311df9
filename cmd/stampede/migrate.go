package main

import (
	"context"
	"fmt"

	"github.com/stampede-shop/stampede/internal/app"
)

type migrateCmd struct{ platformFlags }

func (migrateCmd) Help() string {
	return "Example:\n  stampede migrate --config /etc/stampede.yaml\nSafe to run again, and by several at once."
}

func (c migrateCmd) Run(ctx context.Context, s streams) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	if err := app.Migrate(ctx, cfg); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.Err, "the catalogue and %d shards are up to date\n", len(cfg.Shards))
	return err
}
