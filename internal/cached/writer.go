package cached

import (
	"context"
	"encoding/json"

	"github.com/stampede-shop/stampede/internal/shop"
)

// Catalog is a shop.ProductWriter that answers when the old version is gone from every tier. A purge that could not be
// confirmed is not an error of the write: its outbox row repeats it.
type Catalog struct {
	next  shop.ProductWriter
	purge purger
}

var _ shop.ProductWriter = (*Catalog)(nil)

// NewCatalog calls purge after each write to next: it makes values with one of the tags gone everywhere, or returns an
// error when that could not be confirmed. [cache.Store.Invalidate] is one.
func NewCatalog(next shop.ProductWriter, purge func(ctx context.Context, tags []string) error, o Options) *Catalog {
	return &Catalog{next: next, purge: purger{purge, o.withDefaults().Log}}
}

// CreateProduct adds a product; its id may be cached as absent.
func (c *Catalog) CreateProduct(ctx context.Context, actor string, p shop.NewProduct) (shop.Product, error) {
	made, err := c.next.CreateProduct(ctx, actor, p)
	if err == nil {
		c.purge.do(ctx, ProductTags(made.ID)...)
	}
	return made, err
}

// ReplaceProduct overwrites a product.
func (c *Catalog) ReplaceProduct(ctx context.Context, actor string, id int64, p shop.NewProduct, ifVersion int64) (shop.Product, error) {
	made, err := c.next.ReplaceProduct(ctx, actor, id, p, ifVersion)
	c.after(ctx, id, err)
	return made, err
}

// PatchProduct changes a part of a product.
func (c *Catalog) PatchProduct(ctx context.Context, actor string, id int64, patch json.RawMessage, ifVersion int64) (shop.Product, error) {
	made, err := c.next.PatchProduct(ctx, actor, id, patch, ifVersion)
	c.after(ctx, id, err)
	return made, err
}

// DeleteProduct removes a product.
func (c *Catalog) DeleteProduct(ctx context.Context, actor string, id int64, ifVersion int64) error {
	err := c.next.DeleteProduct(ctx, actor, id, ifVersion)
	c.after(ctx, id, err)
	return err
}

// after purges unless it is certain that nothing was written.
func (c *Catalog) after(ctx context.Context, id int64, err error) {
	if maybeWritten(err) {
		c.purge.do(ctx, ProductTags(id)...)
	}
}

// maybeWritten tells whether a write that ended with err may have been committed.
func maybeWritten(err error) bool {
	code := shop.CodeOf(err)
	return code == "" || code == shop.CodeInternal || code == shop.CodeUnavailable
}
