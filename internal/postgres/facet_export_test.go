package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/internal/postgres/catalogdb"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/replica"
)

// FacetsWithin is Facets with filters and narrower bounds.
func (c *Catalog) FacetsWithin(ctx context.Context, q shop.ProductQuery, entries, rows, clusters, cluster int) (f shop.Facets, err error) {
	l, err := newListing(q.Filters(), c.bounds)
	if err != nil {
		return f, err
	}
	err = c.read(ctx, func(ctx context.Context, db replica.Reader) error {
		f, err = l.facetsWithin(ctx, db, facetBounds{entries, rows, clusters, cluster})
		return err
	})
	return f, err
}

// Totals reads the precomputed counts in a transaction.
func Totals(ctx context.Context, tx pgx.Tx) (shop.Facets, error) {
	rows, err := catalogdb.New(tx).CountFacets(ctx)
	return countsOf(rows).Facets(), err
}
