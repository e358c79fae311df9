package app

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/app/running"
	"github.com/stampede-shop/stampede/internal/catalog"
	"github.com/stampede-shop/stampede/internal/postgres"
)

// Migrate brings the schema of the catalogue and of every shard up to date, all at the same time.
func Migrate(ctx context.Context, cfg config.Config) error {
	g, ctx := errgroup.WithContext(ctx)
	if cfg.Catalog.Primary == "" {
		return fmt.Errorf("catalog.primary: %w: give the DSN of the catalogue database", config.ErrNotConfigured)
	}
	g.Go(func() error {
		if err := postgres.MigrateCatalog(ctx, cfg.Catalog.Primary); err != nil {
			return fmt.Errorf("catalogue: %w", err)
		}
		return nil
	})
	for _, s := range cfg.Shards {
		g.Go(func() error {
			if err := postgres.MigrateShard(ctx, s.DSN); err != nil {
				return fmt.Errorf("%s: %w", s.ID, err)
			}
			return nil
		})
	}
	return g.Wait()
}

// openBooks opens the databases alone: no queue, no cache.
func openBooks(ctx context.Context, cfg config.Config, log *slog.Logger) (*stack, error) {
	s := &stack{cfg: cfg, log: log}
	for _, step := range []func(context.Context) error{s.openDatabases, s.openCatalog, s.openShards, s.unwatchFirst} {
		if err := step(ctx); err != nil {
			s.close()
			return nil, err
		}
	}
	s.catalog = postgres.NewCatalog(s.set, postgres.CatalogOptions{})
	s.topology = s.followTopology("cli", &s.late)
	ready, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := s.topology.Ready(ready); err != nil {
		s.close()
		return nil, fmt.Errorf("map of shards: %w", err)
	}
	return s, nil
}

// Audit reconciles the books of the configured databases.
func Audit(ctx context.Context, cfg config.Config) (postgres.AuditReport, error) {
	cfg.Catalog.PoolSize = 4
	s, err := openBooks(ctx, cfg.OnPrimaries(), slog.New(slog.DiscardHandler))
	if err != nil {
		return postgres.AuditReport{}, err
	}
	defer s.close()
	events, err := eventBooks(ctx, cfg)
	if err != nil {
		return postgres.AuditReport{}, err
	}
	return postgres.Audit(ctx, s.catalog, s.shards, postgres.AuditOptions{Events: events})
}

// prepare migrates and fills an empty catalogue, before the first role starts.
func (p *platform) prepare(ctx context.Context) error {
	if err := Migrate(ctx, p.cfg); err != nil {
		return err
	}
	if err := p.fill(ctx); err != nil {
		return err
	}
	p.progress("starting %d API processes, the worker and the edge", p.o.APIs)
	return nil
}

// fillingFile stands while synthetic products are made: when a start finds it, the one before was killed meanwhile.
const fillingFile = "catalog.filling"

// fillSynthetic makes --products products when there are none, or not all of them yet. Making one again changes nothing.
func (p *platform) fillSynthetic(ctx context.Context, s *stack) error {
	marker := p.layout.Data.Path(fillingFile)
	n, err := s.catalog.Count(ctx)
	if err != nil || p.o.Products == 0 {
		return err
	}
	if _, err := os.Stat(marker); n > 0 && err != nil {
		return nil
	}
	if err := running.WriteFileAtomic(marker, nil, 0o644); err != nil {
		return err
	}
	report, err := s.generate(ctx, GenerateOptions{Products: p.o.Products, Seed: 1, Stock: -1, Step: p.loaded()})
	p.progress("%s", report)
	if err != nil {
		return err
	}
	return os.Remove(marker)
}

// filled is remembered in the data folder: the file a catalogue came from, as it was then.
type filled struct {
	Path     string    `json:"path"`
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
}

const filledFile = "catalog.json"

// fill imports --catalog unless that very file was imported before, or makes synthetic products when there are none.
func (p *platform) fill(ctx context.Context) error {
	s, err := openBooks(ctx, p.cfg, p.log)
	if err != nil {
		return err
	}
	defer s.close()
	if p.o.Catalog == "" {
		return p.fillSynthetic(ctx, s)
	}
	info, err := os.Stat(p.o.Catalog)
	if err != nil {
		return err
	}
	path, err := filepath.Abs(p.o.Catalog)
	if err != nil {
		return err
	}
	now := filled{path, info.Size(), info.ModTime().UTC()}
	marker := p.layout.Data.Path(filledFile)
	var before filled
	if raw, err := os.ReadFile(marker); err == nil && json.Unmarshal(raw, &before) == nil && before == now {
		return nil
	}
	report, err := s.importFile(ctx, ImportOptions{File: p.o.Catalog, Stock: catalog.DefaultStock, Note: p.progress, Step: p.loaded()})
	p.progress("%s", report)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(now)
	if err != nil {
		return err
	}
	return running.WriteFileAtomic(marker, raw, 0o644)
}

// loaded shows how a catalogue fills, in plain lines.
func (p *platform) loaded() func(Step) {
	return EachSecond(func(s Step) { p.progress("%d products loaded", s.Products) })
}
