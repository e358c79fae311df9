package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stampede-shop/stampede/internal/catalog"
	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/internal/shop"
)

// Migrate brings the schema of the catalogue and of every shard up to date, all at the same time.
func Migrate(ctx context.Context, cfg Config) error {
	g, ctx := errgroup.WithContext(ctx)
	if cfg.Catalog.Primary == "" {
		return errors.New("catalog.primary: not configured: give the DSN of the catalogue database")
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
func openBooks(ctx context.Context, cfg Config, log *slog.Logger) (*stack, error) {
	s := &stack{cfg: cfg, log: log}
	for _, step := range []func(context.Context) error{s.openShards, s.openCatalog} {
		if err := step(ctx); err != nil {
			s.close()
			return nil, err
		}
	}
	s.catalog = postgres.NewCatalog(s.set, postgres.CatalogOptions{})
	return s, nil
}

// Audit reconciles the books of the configured databases.
func Audit(ctx context.Context, cfg Config) (postgres.AuditReport, error) {
	cfg.Catalog.PoolSize = 4
	cfg.Catalog.Replicas = nil // the books are on the primary
	s, err := openBooks(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return postgres.AuditReport{}, err
	}
	defer s.close()
	return postgres.Audit(ctx, s.catalog, s.shards, postgres.AuditOptions{})
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
		n, err := s.catalog.Count(ctx)
		if err != nil || n > 0 || p.o.Products == 0 {
			return err
		}
		return s.generate(ctx, GenerateOptions{Products: p.o.Products, Seed: 1, Stock: -1, Progress: p.progress})
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
	if err := s.importFile(ctx, ImportOptions{File: p.o.Catalog, Stock: catalog.DefaultStock, Progress: p.progress}); err != nil {
		return err
	}
	raw, err := json.Marshal(now)
	if err != nil {
		return err
	}
	return writeFileAtomic(marker, raw, 0o644)
}

// ImportOptions are the flags of `stampede catalog import`.
type ImportOptions struct {
	File     string // "-" is standard input
	Stock    int64  // of records that name none
	Progress func(format string, args ...any)
}

// GenerateOptions are the flags of `stampede catalog generate`. Stock -1 is the generator's choice.
type GenerateOptions struct {
	Products int
	Seed     uint64
	Stock    int64
	Progress func(format string, args ...any)
}

// ImportCatalog loads a file into the configured catalogue and drops what caches hold of it.
func ImportCatalog(ctx context.Context, cfg Config, o ImportOptions) error {
	return withStack(ctx, cfg, func(s *stack) error { return s.importFile(ctx, o) })
}

// GenerateCatalog adds synthetic products to the configured catalogue.
func GenerateCatalog(ctx context.Context, cfg Config, o GenerateOptions) error {
	return withStack(ctx, cfg, func(s *stack) error { return s.generate(ctx, o) })
}

func withStack(ctx context.Context, cfg Config, f func(*stack) error) error {
	s, err := openStack(ctx, cfg, "cli", slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return err
	}
	defer s.close()
	return errors.Join(f(s), s.purgeAll(ctx))
}

// purgeAll empties every tier and process; later reads are at least as new as the catalogue is now.
func (s *stack) purgeAll(ctx context.Context) error {
	if err := s.purge(ctx, nil); err != nil {
		return fmt.Errorf("caches: %w", err)
	}
	return s.store.Clear(ctx)
}

func (s *stack) importFile(ctx context.Context, o ImportOptions) error {
	in := io.Reader(os.Stdin)
	if o.File != "-" {
		f, err := os.Open(o.File)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	r := catalog.NewReader(in, catalog.ReaderOptions{Stock: &o.Stock,
		OnBad:     func(b catalog.Bad) { o.Progress("%s: %v", o.File, b) },
		OnWarning: func(line int, msg string) { o.Progress("%s: line %d: %s", o.File, line, msg) }})
	report, err := s.catalog.Import(ctx, r.Items(), s.importOptions(o.Progress))
	if err == nil {
		err = r.Err()
	}
	o.Progress("%d products: %d new, %d changed, %d as they were; %d bad records left out; %.1f s", report.Done(),
		report.Inserted, report.Updated, report.Unchanged, int64(r.Bad())+report.Rejected, report.Elapsed.Seconds())
	return err
}

func (s *stack) generate(ctx context.Context, o GenerateOptions) error {
	gen := catalog.Generator{Seed: o.Seed}
	items := gen.Items(o.Products)
	if o.Stock >= 0 {
		all := items
		items = func(yield func(shop.CatalogItem) bool) {
			for it := range all {
				it.Stock = o.Stock
				if !yield(it) {
					return
				}
			}
		}
	}
	report, err := s.catalog.Import(ctx, items, s.importOptions(o.Progress))
	o.Progress("%d synthetic products in %.1f s (%.0f/s)", report.Done(), report.Elapsed.Seconds(), float64(report.Done())/report.Elapsed.Seconds())
	return err
}

func (s *stack) importOptions(progress func(string, ...any)) postgres.ImportOptions {
	last := time.Now()
	return postgres.ImportOptions{
		Seed:  s.shards.SeedStock,
		OnBad: func(it shop.CatalogItem, err error) { progress("line %d: %s: %v", it.Line, it.Product.SKU, err) },
		Progress: func(r postgres.ImportReport) {
			if time.Since(last) > time.Second {
				last = time.Now()
				progress("%d products loaded", r.Done())
			}
		},
	}
}
