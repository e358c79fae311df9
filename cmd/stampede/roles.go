package main

import (
	"context"
	"os"
	"strings"

	"github.com/stampede-shop/stampede/internal/app"
	"github.com/stampede-shop/stampede/internal/app/config"
)

// roleFlags are common to the roles.
type roleFlags struct {
	Config string `type:"input" help:"YAML configuration file." placeholder:"FILE"`
	Name   string `help:"Name of this process in logs, metrics and traces."`
	Listen string `help:"Address to serve on: host:port, :port or unix:PATH." placeholder:"ADDR"`
	Ops    string `help:"Address of metrics, health and profiles." placeholder:"ADDR"`
}

func (f roleFlags) run(ctx context.Context, role, listenKey string, more map[string]any) error {
	over := map[string]any{}
	for k, v := range more {
		over[k] = v
	}
	if f.Listen != "" && listenKey != "" {
		over[listenKey] = f.Listen
	}
	if f.Ops != "" {
		over["ops.listen"] = f.Ops
	}
	cfg, err := config.Load(f.Config, over)
	if err != nil {
		return usageError{err}
	}
	return app.RunRole(ctx, role, cfg, app.RoleOptions{Name: f.Name, Log: os.Stderr})
}

type edgeCmd struct {
	roleFlags
	Origin []string `help:"Origins to balance over: URLs or unix:PATH, comma-separated." placeholder:"URL"`
	WAF    string   `enum:",off,detect,block" default:"" help:"Web application firewall: off, detect (log only) or block. Default: as configured, or block."`
	Limits string   `enum:",off,on,strict" default:"" help:"Request limits by client and session: off, on (clients on this machine by session only) or strict. Default: as configured, or on."`
}

func (edgeCmd) Help() string {
	return "Example, in front of any HTTP server:\n  stampede edge --listen :8000 --origin http://10.0.0.5:8080,http://10.0.0.6:8080"
}

func (e edgeCmd) Run(ctx context.Context) error {
	more := map[string]any{}
	if len(e.Origin) > 0 {
		more["edge.origins"] = strings.Join(e.Origin, ",")
	}
	if e.WAF != "" {
		more["edge.waf.mode"] = e.WAF
	}
	if e.Limits != "" {
		more["edge.limits"] = e.Limits
	}
	return e.run(ctx, "edge", "edge.listen", more)
}

type apiCmd struct{ roleFlags }

func (apiCmd) Help() string {
	return "Example:\n  stampede api --config /etc/stampede.yaml --listen :8080"
}

func (a apiCmd) Run(ctx context.Context) error { return a.run(ctx, "api", "api.listen", nil) }

type workerCmd struct{ roleFlags }

func (workerCmd) Help() string { return "Example:\n  stampede worker --config /etc/stampede.yaml" }

func (w workerCmd) Run(ctx context.Context) error { return w.run(ctx, "worker", "", nil) }
