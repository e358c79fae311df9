package main

import (
	"context"

	"github.com/stampede-shop/stampede/internal/app"
)

type auditCmd struct {
	platformFlags
	JSON bool `name:"json" help:"Print the report as JSON."`
}

func (auditCmd) Help() string {
	return "Example:\n  stampede audit\nExit code 1, and the offending rows, when the books do not balance."
}

func (c auditCmd) Run(ctx context.Context, s streams) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	report, err := app.Audit(ctx, cfg)
	if err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(s.Out, report)
	} else {
		err = report.WriteText(s.Out)
	}
	if err == nil && !report.OK {
		err = errFails
	}
	return err
}
