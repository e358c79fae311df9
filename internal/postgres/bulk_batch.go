package postgres

import (
	"context"
	_ "embed" // the statements
	"encoding/json"
	"iter"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/internal/postgres/catalogdb"
	"github.com/stampede-shop/stampede/internal/shop"
)

// The statements for known products work on a temporary table, which sqlc cannot see.
var (
	//go:embed queries/bulk/stage.sql
	stageSQL string
	//go:embed queries/bulk/update.sql
	updateSQL string
	//go:embed queries/bulk/outbox.sql
	importOutboxSQL string
)

type importRow struct {
	product shop.NewProduct
	stock   int64
	words   wordList
	id      int64 // set by store
	known   bool  // it was in the catalogue before
}

// importBatch is what one transaction loads; bySKU finds a row's place.
type importBatch struct {
	rows     []importRow
	bySKU    map[string]int
	rejected []rejectedItem
}

type rejectedItem struct {
	item shop.CatalogItem
	err  error
}

type batchResult struct {
	inserted, updated int64
	seeds             []StockSeed
}

func newImportBatch(size int) *importBatch {
	return &importBatch{rows: make([]importRow, 0, size), bySKU: make(map[string]int, size)}
}

// makeBatches checks items, finds their words and hands them on in batches until yield returns false.
func makeBatches(items iter.Seq[shop.CatalogItem], size int, yield func(*importBatch) bool) {
	b := newImportBatch(size)
	for item := range items {
		b.add(item)
		if len(b.rows)+len(b.rejected) >= size {
			if !yield(b) {
				return
			}
			b = newImportBatch(size)
		}
	}
	if len(b.rows)+len(b.rejected) > 0 {
		yield(b)
	}
}

func (b *importBatch) add(item shop.CatalogItem) {
	p, err := item.Product.Checked()
	if err == nil && item.Stock < 0 {
		err = shop.Invalid("stock", "must not be negative")
	}
	if err != nil {
		b.rejected = append(b.rejected, rejectedItem{item, err})
		return
	}
	row := importRow{product: p, stock: item.Stock, words: productWords(p)}
	if at, again := b.bySKU[p.SKU]; again {
		b.rows[at] = row
		return
	}
	b.bySKU[p.SKU] = len(b.rows)
	b.rows = append(b.rows, row)
}

// store runs in a transaction: products with new SKUs are copied into the table, known ones updated where they differ;
// then outbox and words. Imports take turns, batch by batch. A unique violation means that somebody created a product of
// the batch at this moment: store may be called again.
func (b *importBatch) store(ctx context.Context, tx pgx.Tx, actor string, counts *wordCounts) (batchResult, error) {
	var r batchResult
	counts.takeBack()
	q := catalogdb.New(tx)
	if err := q.LockImports(ctx); err != nil {
		return r, err
	}
	if err := b.identify(ctx, q); err != nil {
		return r, err
	}
	inserted, err := b.insert(ctx, tx, actor)
	if err != nil {
		return r, err
	}
	updated, err := b.update(ctx, tx, actor, len(inserted))
	if err != nil {
		return r, err
	}
	r.inserted, r.updated = int64(len(inserted)), int64(len(updated))
	r.seeds = make([]StockSeed, len(b.rows))
	for i := range b.rows {
		r.seeds[i] = StockSeed{ProductID: b.rows[i].id, Units: b.rows[i].stock}
	}
	if err := tellChanged(ctx, tx, inserted, updated); err != nil {
		return r, err
	}
	counts.add(b, inserted, updated)
	return r, counts.save(ctx, tx, false)
}

// identify finds the ids of known products and draws new ones for the others, in the order of the file.
func (b *importBatch) identify(ctx context.Context, q *catalogdb.Queries) error {
	skus := make([]string, len(b.rows))
	for i := range b.rows {
		b.rows[i].id, b.rows[i].known = 0, false
		skus[i] = b.rows[i].product.SKU
	}
	found, err := q.FindSKUs(ctx, skus)
	if err != nil {
		return err
	}
	for _, f := range found {
		row := &b.rows[b.bySKU[f.Sku]]
		row.id, row.known = f.ID, true
	}
	ids, err := q.NewIDs(ctx, int32(len(b.rows)-len(found))) // at most maxBatch
	if err != nil {
		return err
	}
	for i := range b.rows {
		row := &b.rows[i]
		if !row.known {
			row.id, ids = ids[0], ids[1:]
		}
		row.words.addMarks(row.product, row.id)
	}
	return nil
}

// changedRow is a product that was written, with its place in the batch.
type changedRow struct {
	at          int
	id, version int64
}

func (b *importBatch) insert(ctx context.Context, tx pgx.Tx, actor string) ([]changedRow, error) {
	var fresh []changedRow
	for i := range b.rows {
		if !b.rows[i].known {
			fresh = append(fresh, changedRow{i, b.rows[i].id, 1})
		}
	}
	if len(fresh) == 0 {
		return nil, nil
	}
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"products"}, append(copyColumns[:len(copyColumns):len(copyColumns)],
		"created_by", "updated_by"), b.source(false, actor, actor))
	return fresh, err
}

func (b *importBatch) update(ctx context.Context, tx pgx.Tx, actor string, inserted int) (updated []changedRow, err error) {
	if inserted == len(b.rows) {
		return nil, nil
	}
	if _, err := tx.Exec(ctx, stageSQL, pgx.QueryExecModeSimpleProtocol); err != nil {
		return nil, err
	}
	if _, err := tx.CopyFrom(ctx, pgx.Identifier{"import_stage"}, copyColumns, b.source(true)); err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, updateSQL, actor)
	if err != nil {
		return nil, err
	}
	var (
		one changedRow
		sku string
	)
	_, err = pgx.ForEachRow(rows, []any{&one.id, &sku, &one.version}, func() error {
		one.at = b.bySKU[sku]
		updated = append(updated, one)
		return nil
	})
	return updated, err
}

// tellChanged writes an outbox row for each product that changed. New products are in no cache but in those of lists, for
// which one row, that of the last of them, is enough.
func tellChanged(ctx context.Context, tx pgx.Tx, inserted, updated []changedRow) error {
	if n := len(inserted); n > 0 {
		updated = append(updated, inserted[n-1])
	}
	if len(updated) == 0 {
		return nil
	}
	keys, payloads := make([]string, len(updated)), make([]string, len(updated))
	for i, u := range updated {
		payload, err := json.Marshal(shop.ProductChanged{ID: u.id, Version: u.version})
		if err != nil {
			return err
		}
		keys[i], payloads[i] = strconv.FormatInt(u.id, 10), string(payload)
	}
	_, err := tx.Exec(ctx, importOutboxSQL, shop.TopicProductChanged, keys, payloads, catTrace(ctx))
	return err
}

// save writes counts to the database: of words it had not seen before at once, of the others when many have gathered, or
// all.
func (w *wordCounts) save(ctx context.Context, tx pgx.Tx, all bool) error {
	words, docs := w.due(all)
	if len(words) == 0 {
		return nil
	}
	return catalogdb.New(tx).CountWords(ctx, catalogdb.CountWordsParams{Words: words, Docs: docs})
}
