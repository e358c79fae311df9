package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/stampede-shop/stampede/analytics"
	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/app/roleops"
	"github.com/stampede-shop/stampede/queue"
)

// analyst is the role that stores events, answers SQL about them and keeps the windows.
type analyst struct {
	cfg   config.Config
	log   *slog.Logger
	store analytics.Store
	live  *analytics.Live
	books *stack // where stock and categories are read; nil: neither is known
	names *categories
	in    *analytics.Ingester

	mu    sync.Mutex
	stats analytics.StoreStats
}

const (
	analyticsStart   = 30 * time.Second // to open a store and bring back what is remembered
	maintainEvery    = 5 * time.Minute
	stockEvery       = 5 * time.Second
	statsEvery       = 5 * time.Second
	forecastProducts = 100
)

func startAnalytics(ctx context.Context, cfg config.Config, name string, log *slog.Logger, ops *roleops.Ops) (func(context.Context) error, error) {
	if cfg.NATS.URL == "" {
		return nil, fmt.Errorf("nats.url: %w: give the queue's address, such as nats://127.0.0.1:4222", config.ErrNotConfigured)
	}
	if cfg.Analytics.Dir == "" {
		return nil, fmt.Errorf("analytics.dir: %w: give the folder in which events are kept, and what cannot be read is put aside", config.ErrNotConfigured)
	}
	open := config.AnalyticsStores[cfg.Analytics.Store]
	if open == nil {
		return nil, fmt.Errorf("analytics.store: %w: this program was built without %q", config.ErrNotConfigured, cfg.Analytics.Store)
	}
	a := &analyst{cfg: cfg, log: log, live: analytics.NewLive()}
	opening, cancel := context.WithTimeout(ctx, analyticsStart)
	defer cancel()
	var err error
	if a.store, err = open(opening, cfg.Analytics, log); err != nil {
		return nil, fmt.Errorf("analytics.store: %w", err)
	}
	nc, err := queue.Connect(cfg.NATS.URL, queue.ConnectOptions{Name: name, Log: log})
	if err != nil {
		return nil, errors.Join(err, a.store.Close())
	}
	js, err := jetstream.New(nc)
	if err != nil {
		nc.Close()
		return nil, errors.Join(err, a.store.Close())
	}
	a.openBooks(opening)
	sample, err := analytics.ParseSample(cfg.Analytics.Sample)
	if err != nil {
		nc.Close()
		return nil, errors.Join(fmt.Errorf("analytics.sample: %w", err), a.store.Close())
	}
	a.in = analytics.NewIngester(js, a.store, analytics.IngestOptions{Live: a.live, Sample: sample, Enrich: a.names.enrich, SetAside: a.setAside,
		Stream: analytics.StreamOptions{MaxBytes: int64(cfg.Analytics.QueueMiB) << 20}, Registerer: ops.Reg, Log: log})
	a.routes(ops)
	ops.Check("queue", func(context.Context) error {
		if !nc.IsConnected() {
			return errors.New("not connected")
		}
		return nil
	})
	return func(ctx context.Context) error {
		defer nc.Close()
		defer a.close()
		return a.run(ctx)
	}, nil
}

// openBooks connects to the databases, where they are configured: without them there are no categories and no forecast.
func (a *analyst) openBooks(ctx context.Context) {
	if a.cfg.Catalog.Primary == "" || len(a.cfg.Shards) == 0 {
		return
	}
	cfg := a.cfg.OnPrimaries()
	cfg.Catalog.PoolSize = 2
	s, err := openBooks(ctx, cfg, a.log)
	if err != nil {
		a.log.Warn("the databases are not there: events get no categories, and stock is not forecast", "error", err)
		return
	}
	a.books, a.names = s, newCategories(s.catalog, a.log)
}

func (a *analyst) close() {
	if a.books != nil {
		a.books.close()
	}
	if err := a.store.Close(); err != nil {
		a.log.Error("the store of events did not close cleanly", "error", err)
	}
}

// run works until ctx ends.
func (a *analyst) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.in.Run(ctx) })
	g.Go(func() error {
		every(ctx, maintainEvery, func(ctx context.Context) error { return a.store.Maintain(ctx, time.Now()) }, a.log, "upkeep of the store of events")
		return nil
	})
	g.Go(func() error { every(ctx, statsEvery, a.readStats, a.log, "sizes of the store of events"); return nil })
	if a.books != nil {
		g.Go(func() error { every(ctx, stockEvery, a.readStock, a.log, "stock for the forecast"); return nil })
		g.Go(func() error { a.names.run(ctx); return nil })
	}
	return g.Wait()
}

// every calls f now and again until ctx ends; failures are logged.
func every(ctx context.Context, period time.Duration, f func(context.Context) error, log *slog.Logger, what string) {
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		if err := f(ctx); err != nil && ctx.Err() == nil {
			log.Warn(what+" failed; trying again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (a *analyst) readStats(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	st, err := a.store.Stats(ctx)
	if err == nil {
		a.mu.Lock()
		a.stats = st
		a.mu.Unlock()
	}
	return err
}

// readStock tells the windows what is left of what sells.
func (a *analyst) readStock(ctx context.Context) error {
	ids := a.live.Selling(forecastProducts, time.Now())
	if len(ids) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	left, err := a.books.shards.Available(ctx, ids)
	if err == nil {
		a.live.SetStock(left)
	}
	return err
}

// setAside keeps a batch that cannot be read, for whoever looks into it.
func (a *analyst) setAside(sequence uint64, raw []byte) error {
	dir := filepath.Join(a.cfg.Analytics.Dir, "unreadable")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, fmt.Sprint(sequence)), raw, 0o600)
}
