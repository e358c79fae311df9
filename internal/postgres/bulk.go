package postgres

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/internal/shop"
)

// StockSeed is the initial stock of a product, in units.
type StockSeed struct {
	ProductID int64
	Units     int64
}

// ImportOptions tune an import; the zero value works.
type ImportOptions struct {
	// Actor goes into the audit columns. Default "import".
	Actor string
	// BatchSize is the number of products a transaction loads. Default 5000, at most 50,000.
	BatchSize int
	// Seed is called after each batch is committed and before it counts as done, with the initial stock of all products of
	// the batch, new and known ones: it must add stock only where there is none, so that stock is left alone when a file is
	// imported again, and made up for when a crash came between catalogue and stock. nil means no stock.
	Seed func(ctx context.Context, seeds []StockSeed) error
	// Progress is called after each batch with what was done so far. May be nil.
	Progress func(ImportReport)
	// OnBad is called for each item that breaks a rule; it is skipped. May be nil.
	OnBad func(item shop.CatalogItem, err error)
}

// ImportReport counts products. Unchanged ones stood in the catalogue exactly so; Rejected ones broke a rule.
type ImportReport struct {
	Inserted, Updated, Unchanged, Rejected int64
	Elapsed                                time.Duration
}

// Done is the number of products that were loaded or found to be there already.
func (r ImportReport) Done() int64 { return r.Inserted + r.Updated + r.Unchanged }

const (
	defaultBatch = 5000
	maxBatch     = 50_000
	// tidyFrom is the size of an import after which the planner's statistics and the visibility map are brought up to date.
	tidyFrom = 500
	// retries of a batch that lost a race against another writer.
	retries = 2
)

// Import loads items by SKU: unknown ones are inserted, known ones updated where they differ, with their availability and
// stock left alone. Each batch is a transaction; what was done before an error stays, and the import can be repeated.
// Of items with the same SKU the later one counts. Items are pulled in a goroutine of its own, which has ended on return.
func (c *Catalog) Import(ctx context.Context, items iter.Seq[shop.CatalogItem], o ImportOptions) (ImportReport, error) {
	if o.Actor == "" {
		o.Actor = "import"
	}
	if o.BatchSize <= 0 {
		o.BatchSize = defaultBatch
	}
	o.BatchSize = min(o.BatchSize, maxBatch)
	imp := &importer{c: c, o: o, start: time.Now(), counts: newWordCounts()}
	err := imp.run(ctx, items)
	if imp.report.Inserted+imp.report.Updated > 0 {
		if tidyErr := imp.finish(ctx); err == nil {
			err = tidyErr
		}
	}
	imp.report.Elapsed = time.Since(imp.start)
	return imp.report, err
}

// importer is one run of Import.
type importer struct {
	c      *Catalog
	o      ImportOptions
	start  time.Time
	report ImportReport
	counts *wordCounts
}

// run loads batches while the next one is being made.
func (i *importer) run(ctx context.Context, items iter.Seq[shop.CatalogItem]) error {
	ctx, cancel := context.WithCancel(ctx)
	batches := make(chan *importBatch, 1)
	go func() {
		defer close(batches)
		makeBatches(items, i.o.BatchSize, func(b *importBatch) bool {
			select {
			case batches <- b:
				return true
			case <-ctx.Done():
				return false
			}
		})
	}()
	defer func() {
		cancel()
		for range batches { // until the goroutine has ended
		}
	}()
	for b := range batches {
		if err := i.load(ctx, b); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (i *importer) load(ctx context.Context, b *importBatch) error {
	ctx, cancel := context.WithTimeout(ctx, i.c.o.BatchTimeout)
	defer cancel()
	for _, bad := range b.rejected {
		i.report.Rejected++
		if i.o.OnBad != nil {
			i.o.OnBad(bad.item, bad.err)
		}
	}
	var done batchResult
	err := i.attempt(ctx, b, &done)
	for range retries {
		if code := shop.CodeOf(err); code != shop.CodeSKUTaken && code != shop.CodeUnavailable || ctx.Err() != nil {
			break
		}
		err = i.attempt(ctx, b, &done)
	}
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	i.counts.saved()
	if i.o.Seed != nil {
		if err := i.o.Seed(ctx, done.seeds); err != nil {
			return fmt.Errorf("import: initial stock: %w", err)
		}
	}
	i.report.Inserted += done.inserted
	i.report.Updated += done.updated
	i.report.Unchanged += int64(len(b.rows)) - done.inserted - done.updated
	i.report.Elapsed = time.Since(i.start)
	if i.o.Progress != nil {
		i.o.Progress(i.report)
	}
	return nil
}

func (i *importer) attempt(ctx context.Context, b *importBatch, done *batchResult) error {
	return catError(i.c.set.Write(ctx, func(ctx context.Context, tx pgx.Tx) (err error) {
		*done, err = b.store(ctx, tx, i.o.Actor, i.counts)
		return err
	}))
}

// finish saves the word counts that are left, lets reads of this process wait for the import, and tidies up after a
// large one: index-only walks need a visibility map, searches a merged index, the planner statistics.
func (i *importer) finish(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), i.c.o.BatchTimeout)
	defer cancel()
	defer i.c.committed(ctx)
	err := i.c.set.Write(ctx, func(ctx context.Context, tx pgx.Tx) error { return i.counts.save(ctx, tx, true) })
	if err != nil {
		return fmt.Errorf("import: %w", catError(err))
	}
	if i.report.Inserted+i.report.Updated < tidyFrom {
		return nil
	}
	for _, sql := range []string{"VACUUM (ANALYZE, TRUNCATE FALSE) products", "VACUUM (ANALYZE, TRUNCATE FALSE) search_words"} {
		if _, err := i.c.set.Primary().Exec(ctx, sql); err != nil {
			return fmt.Errorf("import: %w", catError(err))
		}
	}
	return nil
}
