package postgres

import (
	"context"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/internal/postgres/catalogdb"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/replica"
)

var _ shop.FacetReader = (*Catalog)(nil)

const (
	// primaryWait is for how long the newest counts are waited for before older ones will do.
	primaryWait = 500 * time.Millisecond
	// foldMost is how many changes of counts one transaction folds.
	foldMost = 20_000
)

// Facets counts what passes the filters of q. Without filters the counts are there already, kept by triggers in the
// transactions of the writes, and are read from the primary: they include every write that is committed. With filters
// they are counted now, on a replica, or estimated when there is too much to count; see facetCount.
func (c *Catalog) Facets(ctx context.Context, q shop.ProductQuery) (shop.Facets, error) {
	q = q.Filters()
	if !q.Narrows() {
		return c.totals(ctx)
	}
	l, err := newListing(q, c.bounds)
	if err != nil {
		return shop.Facets{}, err
	}
	var f shop.Facets
	err = c.read(ctx, func(ctx context.Context, db replica.Reader) error {
		f, err = l.facets(ctx, db)
		return err
	})
	return f, err
}

// totals reads the precomputed counts. Without a primary nobody writes: then what a replica knows is new enough.
func (c *Catalog) totals(ctx context.Context) (shop.Facets, error) {
	start := time.Now()
	pctx, cancel := context.WithTimeout(ctx, primaryWait)
	rows, err := catalogdb.New(c.set.Primary()).CountFacets(pctx)
	cancel()
	shop.Observe(ctx, "db", replica.PrimaryName, time.Since(start))
	if err != nil && ctx.Err() == nil {
		err = c.read(ctx, func(ctx context.Context, db replica.Reader) error {
			rows, err = catalogdb.New(db.Generated()).CountFacets(ctx)
			return err
		})
	}
	if err != nil {
		return shop.Facets{}, catError(err)
	}
	return countsOf(rows).Facets(), nil
}

// countsOf sorts counts by their kind.
func countsOf(rows []catalogdb.CountFacetsRow) shop.FacetCounts {
	counts := shop.NewFacetCounts()
	for _, r := range rows {
		switch r.Kind {
		case "category":
			counts.Categories[r.Value] = r.N
		case "brand":
			counts.Brands[r.Value] = r.N
		case "band":
			low, _ := strconv.ParseInt(r.Value, 10, 64) // our own
			counts.Bands[low] = r.N
		case "availability":
			counts.Availability[shop.Availability(r.Value)] = r.N
		}
	}
	return counts
}

// FoldFacets adds changes of counts, which writers have left beside them, to the counts, and tells how many there were. Counts
// are right without it; reading them only takes longer the more changes there are. It may run anywhere at any time.
func (c *Catalog) FoldFacets(ctx context.Context) (int, error) {
	var folded int64
	err := c.write(ctx, func(ctx context.Context, _ pgx.Tx, q *catalogdb.Queries) (err error) {
		folded, err = q.FoldFacets(ctx, foldMost)
		return err
	})
	return int(folded), err
}
