package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/app/edgerole"
	"github.com/stampede-shop/stampede/internal/app/opshttp"
	"github.com/stampede-shop/stampede/internal/app/roleops"
)

// RoleOptions are what a role gets beside the configuration.
type RoleOptions struct {
	Name string    // of this process in logs, metrics and traces, such as "api-1"; the role's name when empty
	Log  io.Writer // where JSON log lines go
}

// role is one row of the table of roles: start opens what the role needs and returns what to serve until ctx ends.
type role struct {
	name  string
	about string
	start func(ctx context.Context, cfg config.Config, name string, log *slog.Logger, ops *roleops.Ops) (run func(context.Context) error, err error)
}

// roles is the table. Each may run alone, in production; `up` runs all as child processes.
var roles = []role{
	{"api", "the JSON API and the storefront", startAPI},
	{"worker", "relays the outboxes and does the jobs", startWorker},
	{"analytics", "stores events, answers SQL about them, keeps live figures", startAnalytics},
	{"edge", "balances shoppers over the API processes", edgerole.Start},
}

// RunRole runs one role until ctx ends, then drains it. The operations endpoint lives a little longer than the role.
func RunRole(ctx context.Context, roleName string, cfg config.Config, o RoleOptions) error {
	i := slices.IndexFunc(roles, func(r role) bool { return r.name == roleName })
	if i < 0 {
		return fmt.Errorf("there is no role %q", roleName)
	}
	if o.Name == "" {
		o.Name = roleName
	}
	log := newLogger(o.Log, cfg.Log, o.Name)
	for _, warning := range config.UnknownEnv(os.Environ()) {
		log.Warn("environment", "variable", warning)
	}
	stopTracing, err := startTracing(ctx, cfg.OTel, o.Name)
	if err != nil {
		return fmt.Errorf("otel.endpoint: %w", err)
	}
	defer func() {
		flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		_ = stopTracing(flush) // spans are expendable
	}()
	ops := roleops.New()
	run, err := roles[i].start(ctx, cfg, o.Name, log, ops)
	if err != nil {
		return fmt.Errorf("%s: %w", roleName, err)
	}
	if roleName == "edge" {
		// An edge serves most requests in a few microseconds; that the recorder notes each switch of goroutines would cost as much as
		// all other monitoring together.
		cfg.Telemetry.Flight = false
	}
	if err := ops.Measured.Open(cfg.Telemetry, o.Name, log); err != nil {
		return fmt.Errorf("%s: %w", roleName, err)
	}
	ops.Measured.Mount(ops.Mux)
	return runWithOps(ctx, cfg, log, ops, run)
}

func runWithOps(ctx context.Context, cfg config.Config, log *slog.Logger, ops *roleops.Ops, run func(context.Context) error) error {
	opsCtx, stopOps := context.WithCancel(context.WithoutCancel(ctx))
	defer stopOps()
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer stopOps()
		return run(gctx)
	})
	g.Go(func() error {
		ops.Measured.Run(opsCtx)
		return nil
	})
	g.Go(func() error {
		if cfg.Ops.Listen == "" {
			return nil
		}
		return opshttp.ServeHTTP(opsCtx, log, cfg.Ops.Listen, ops.Mux, time.Second, nil)
	})
	return g.Wait()
}
