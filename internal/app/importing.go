package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/app/edgerole"
	"github.com/stampede-shop/stampede/internal/catalog"
	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/internal/shop"
)

// Step is how far a load of products has come. Share is the part of the work that is done, 0 to 1; negative when how much
// there is to do is not known.
type Step struct {
	Products int64
	Share    float64
	Elapsed  time.Duration
}

// EachSecond passes on a step at most once a second.
func EachSecond(show func(Step)) func(Step) {
	last := time.Now()
	return func(s Step) {
		if time.Since(last) >= time.Second {
			last = time.Now()
			show(s)
		}
	}
}

// ImportOptions are the flags of `stampede catalog import`.
type ImportOptions struct {
	File  string                           // "-" is standard input
	Stock int64                            // of records that name none
	Note  func(format string, args ...any) // hears of bad records and warnings; nil discards
	Step  func(Step)                       // may be nil
}

// GenerateOptions are the flags of `stampede catalog generate`. Stock -1 is the generator's choice.
type GenerateOptions struct {
	Products int
	Seed     uint64
	Stock    int64
	Step     func(Step) // may be nil
}

// BadRecord is a record that was left out. Field is "" when it cannot be read at all.
type BadRecord struct {
	Line   int    `json:"line"`
	SKU    string `json:"sku,omitempty"`
	Field  string `json:"field,omitempty"`
	Reason string `json:"reason"`
}

// LoadReport is what became of the records of a file, or of generated ones. BadRecords are the first maxBadRecords.
type LoadReport struct {
	Products   int64       `json:"products"`
	New        int64       `json:"new"`
	Changed    int64       `json:"changed"`
	Unchanged  int64       `json:"unchanged"`
	Bad        int64       `json:"bad"`
	BadRecords []BadRecord `json:"bad_records"`
	Elapsed    float64     `json:"elapsed_s"`
}

// maxBadRecords bounds the list in a LoadReport; all of them are noted.
const maxBadRecords = 1000

func (r LoadReport) String() string {
	rate := 0.0
	if r.Elapsed > 0 {
		rate = float64(r.Products) / r.Elapsed
	}
	return fmt.Sprintf("%s: %d new, %d changed, %d as they were; %s left out; %.1f s (%.0f/s)", count(r.Products, "product"),
		r.New, r.Changed, r.Unchanged, count(r.Bad, "bad record"), r.Elapsed, rate)
}

func count(n int64, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// badRecords collects from the goroutine that reads a file and from the one that loads.
type badRecords struct {
	mu   sync.Mutex
	all  int64
	list []BadRecord
}

func (b *badRecords) add(r BadRecord) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all++
	if len(b.list) < maxBadRecords {
		b.list = append(b.list, r)
	}
}

// reportOn joins what was loaded and what was not. Both goroutines have ended.
func (b *badRecords) reportOn(done postgres.ImportReport) LoadReport {
	return LoadReport{Products: done.Done(), New: done.Inserted, Changed: done.Updated, Unchanged: done.Unchanged,
		Bad: b.all, BadRecords: append([]BadRecord{}, b.list...), Elapsed: done.Elapsed.Seconds()}
}

// ImportCatalog loads a file into the configured catalogue and drops what caches hold of it.
func ImportCatalog(ctx context.Context, cfg config.Config, o ImportOptions) (report LoadReport, err error) {
	err = withStack(ctx, cfg, func(s *stack) error {
		report, err = s.importFile(ctx, o)
		return err
	})
	return report, err
}

// GenerateCatalog adds synthetic products to the configured catalogue.
func GenerateCatalog(ctx context.Context, cfg config.Config, o GenerateOptions) (report LoadReport, err error) {
	err = withStack(ctx, cfg, func(s *stack) error {
		report, err = s.generate(ctx, o)
		return err
	})
	return report, err
}

func withStack(ctx context.Context, cfg config.Config, f func(*stack) error) error {
	s, err := openStack(ctx, cfg, "cli", slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return err
	}
	defer s.close()
	return errors.Join(f(s), s.purgeAll(ctx))
}

// purgeAll empties every tier and process; later reads are at least as new as the catalogue is now.
func (s *stack) purgeAll(ctx context.Context) error {
	if err := s.purgeEverywhere(ctx, edgerole.PurgeRequest{All: true}); err != nil {
		return fmt.Errorf("caches: %w", err)
	}
	return nil
}

// meter counts what was read of a file of a known size, 0 when it is not known.
type meter struct {
	io.Reader
	size int64
	read atomic.Int64
}

func (m *meter) Read(b []byte) (int, error) {
	n, err := m.Reader.Read(b)
	m.read.Add(int64(n))
	return n, err
}

// share is negative when the size is not known. What was read is a little ahead of what is done.
func (m *meter) share(int64) float64 {
	if m.size <= 0 {
		return -1
	}
	return min(1, float64(m.read.Load())/float64(m.size))
}

func (s *stack) importFile(ctx context.Context, o ImportOptions) (LoadReport, error) {
	in := &meter{Reader: os.Stdin}
	if o.File != "-" {
		f, err := os.Open(o.File)
		if err != nil {
			return LoadReport{}, err
		}
		defer func() { _ = f.Close() }()
		in.Reader = f
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			in.size = info.Size()
		}
	}
	note := o.Note
	if note == nil {
		note = func(string, ...any) {}
	}
	var bad badRecords
	r := catalog.NewReader(in, catalog.ReaderOptions{Stock: &o.Stock,
		OnBad: func(b catalog.Bad) {
			note("%s: %v", o.File, b)
			bad.add(BadRecord{b.Line, b.SKU, b.Field, b.Reason})
		},
		OnWarning: func(line int, msg string) { note("%s: line %d: %s", o.File, line, msg) }})
	done, err := s.load(ctx, r.Items(), o.Step, in.share, func(it shop.CatalogItem, err error) {
		note("%s: line %d: %s: %v", o.File, it.Line, it.Product.SKU, err)
		bad.add(BadRecord{Line: it.Line, SKU: it.Product.SKU, Reason: err.Error()})
	})
	if err == nil && r.Err() != nil {
		err = fmt.Errorf("%s: %w", o.File, r.Err())
	}
	return bad.reportOn(done), err
}

func (s *stack) generate(ctx context.Context, o GenerateOptions) (LoadReport, error) {
	gen := catalog.Generator{Seed: o.Seed}
	items := func(yield func(shop.CatalogItem) bool) {
		for it := range gen.Items(o.Products) {
			if o.Stock >= 0 {
				it.Stock = o.Stock
			}
			if !yield(it) {
				return
			}
		}
	}
	var bad badRecords
	share := func(done int64) float64 { return float64(done) / float64(o.Products) }
	done, err := s.load(ctx, items, o.Step, share, func(it shop.CatalogItem, err error) {
		bad.add(BadRecord{SKU: it.Product.SKU, Reason: err.Error()})
	})
	return bad.reportOn(done), err
}

// load imports items and says after each batch how far it is.
func (s *stack) load(ctx context.Context, items iter.Seq[shop.CatalogItem], step func(Step), share func(done int64) float64,
	onBad func(shop.CatalogItem, error)) (postgres.ImportReport, error) {
	start := time.Now()
	return s.catalog.Import(ctx, items, postgres.ImportOptions{Seed: s.shards.SeedStock, OnBad: onBad,
		Progress: func(r postgres.ImportReport) {
			if step != nil {
				step(Step{Products: r.Done(), Share: share(r.Done()), Elapsed: time.Since(start)})
			}
		}})
}
