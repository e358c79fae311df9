package app

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/app/opshttp"
	"github.com/stampede-shop/stampede/internal/app/roleops"
	"github.com/stampede-shop/stampede/internal/jobs"
	"github.com/stampede-shop/stampede/queue"
)

func startWorker(ctx context.Context, cfg config.Config, name string, log *slog.Logger, ops *roleops.Ops) (func(context.Context) error, error) {
	s, err := openStack(ctx, cfg, name, log, ops.Reg)
	if err != nil {
		return nil, err
	}
	ops.Check("queue", func(context.Context) error {
		if !s.nc.IsConnected() {
			return errors.New("not connected")
		}
		return nil
	})
	ops.Mux.HandleFunc("GET /internal/stats", func(w http.ResponseWriter, _ *http.Request) {
		opshttp.WriteJSON(w, http.StatusOK, map[string]any{"telemetry": ops.Measured.Stats()})
	})
	s.chaos.route(ops)
	s.measure(ops.Measured)
	return func(ctx context.Context) error {
		defer s.close()
		return s.work(ctx, ops.Measured)
	}, nil
}

// work runs relay and jobs until ctx ends.
func (s *stack) work(ctx context.Context, m *roleops.Measuring) error {
	if err := queue.EnsureStreams(ctx, s.js, queue.StreamOptions{}); err != nil {
		return err
	}
	outboxes := s.outboxes()
	relay := queue.NewRelay(s.js, outboxes, queue.RelayOptions{Log: s.log, Registerer: s.reg})
	relay.Start()
	defer relay.Stop()
	s.late.begin(s, outboxes)
	defer s.late.stop()
	s.openEvents()
	deps := jobs.Deps{JetStream: s.js, Checkouts: s.checkouts, Stock: s.stores, Orders: s.stores, Users: s.shards, Carts: s.stores,
		Sweeps: s.shards, Catalog: s.catalog, Purge: s.purgeSeen, Mail: jobs.MailOptions{Dir: s.cfg.Mail.Dir, From: s.cfg.Mail.From,
			SMTPAddr: s.cfg.Mail.SMTP.Addr, SMTPUsername: s.cfg.Mail.SMTP.Username, SMTPPassword: s.cfg.Mail.SMTP.Password},
		Log: s.log, Registerer: s.reg, Now: s.chaos.now, Observe: m.Worked}
	if s.events != nil {
		deps.Events = s.events
	}
	j, err := jobs.New(deps)
	if err != nil {
		return err
	}
	if err := j.Start(ctx); err != nil {
		return err
	}
	defer j.Stop()
	gauges, err := newQueueGauges(s.reg)
	if err != nil {
		return err
	}
	gauges.watch(ctx, s)
	return nil
}
