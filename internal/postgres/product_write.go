package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/internal/postgres/catalogdb"
	"github.com/stampede-shop/stampede/internal/shop"
)

// CreateProduct adds a product; it is sold out until stock is set. CodeSKUTaken when a live product has its SKU.
func (c *Catalog) CreateProduct(ctx context.Context, actor string, n shop.NewProduct) (shop.Product, error) {
	n, err := n.Checked()
	if err != nil {
		return shop.Product{}, err
	}
	words := productWords(n)
	var p shop.Product
	err = c.write(ctx, func(ctx context.Context, _ pgx.Tx, q *catalogdb.Queries) error {
		ids, err := q.NewIDs(ctx, 1)
		if err != nil {
			return err
		}
		words.addMarks(n, ids[0])
		r, err := q.InsertProduct(ctx, catalogdb.InsertProductParams{
			ID: ids[0], Sku: n.SKU, Name: n.Name, Slug: n.Slug, Description: n.Description, Brand: n.Brand, Category: n.Category,
			Price: n.Price, Currency: n.Currency, ImageUrl: n.ImageURL, Rating: n.Rating, RatingCount: n.RatingCount,
			Popularity: n.Popularity, Attributes: n.Attributes, Search: words.vector(), Actor: actor,
		})
		if err != nil {
			return err
		}
		p = toProduct(catRow(r))
		return changed(ctx, q, p, words)
	})
	return p, err
}

// ReplaceProduct overwrites everything an administrator supplies.
func (c *Catalog) ReplaceProduct(ctx context.Context, actor string, id int64, n shop.NewProduct, ifVersion int64) (shop.Product, error) {
	n, err := n.Checked()
	if err != nil {
		return shop.Product{}, err
	}
	return c.edit(ctx, actor, id, ifVersion, func(shop.NewProduct) (shop.NewProduct, error) { return n, nil })
}

// PatchProduct applies an RFC 7396 merge patch to the NewProduct form of the product; unknown fields are CodeInvalid.
func (c *Catalog) PatchProduct(ctx context.Context, actor string, id int64, patch json.RawMessage, ifVersion int64) (shop.Product, error) {
	fields, err := parsePatch(patch)
	if err != nil {
		return shop.Product{}, err
	}
	return c.edit(ctx, actor, id, ifVersion, func(old shop.NewProduct) (shop.NewProduct, error) {
		n, err := applyPatch(old, fields)
		if err != nil {
			return n, err
		}
		return n.Checked()
	})
}

// edit changes a product under a row lock.
func (c *Catalog) edit(ctx context.Context, actor string, id, ifVersion int64,
	change func(old shop.NewProduct) (shop.NewProduct, error)) (shop.Product, error) {
	var p shop.Product
	err := c.write(ctx, func(ctx context.Context, _ pgx.Tx, q *catalogdb.Queries) error {
		old, err := lockProduct(ctx, q, id, ifVersion)
		if err != nil {
			return err
		}
		n, err := change(newProductOf(old))
		if err != nil {
			return err
		}
		words := productWords(n)
		words.addMarks(n, id)
		r, err := q.UpdateProduct(ctx, catalogdb.UpdateProductParams{
			ID: id, Sku: n.SKU, Name: n.Name, Slug: n.Slug, Description: n.Description, Brand: n.Brand, Category: n.Category,
			Price: n.Price, Currency: n.Currency, ImageUrl: n.ImageURL, Rating: n.Rating, RatingCount: n.RatingCount,
			Popularity: n.Popularity, Attributes: n.Attributes, Search: words.vector(), Actor: actor,
		})
		if err != nil {
			return err
		}
		p = toProduct(catRow(r))
		return changed(ctx, q, p, words)
	})
	return p, err
}

// DeleteProduct hides a product for good; the row stays for orders and audits. Its SKU may be used again.
func (c *Catalog) DeleteProduct(ctx context.Context, actor string, id int64, ifVersion int64) error {
	return c.write(ctx, func(ctx context.Context, _ pgx.Tx, q *catalogdb.Queries) error {
		if _, err := lockProduct(ctx, q, id, ifVersion); err != nil {
			return err
		}
		version, err := q.DeleteProduct(ctx, catalogdb.DeleteProductParams{Actor: actor, ID: id})
		if err != nil {
			return err
		}
		return productChanged(ctx, q, id, version)
	})
}

// SetAvailability applies a stock level to what shoppers are told. Levels that are not newer than the last one applied
// do nothing. changed tells whether the availability is another one now; only then an outbox row is written.
func (c *Catalog) SetAvailability(ctx context.Context, id int64, a shop.Availability, levelVersion int64) (bool, error) {
	if a != shop.InStock && a != shop.LowStock && a != shop.SoldOut {
		return false, shop.Invalid("availability", "must be in_stock, low_stock or sold_out")
	}
	var different bool
	err := c.write(ctx, func(ctx context.Context, _ pgx.Tx, q *catalogdb.Queries) error {
		r, err := q.SetAvailability(ctx, catalogdb.SetAvailabilityParams{ID: id, Availability: string(a), LevelVersion: levelVersion})
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		different = r.Changed
		if err != nil || !different {
			return err
		}
		return productChanged(ctx, q, id, r.Version)
	})
	return different && err == nil, err
}

func lockProduct(ctx context.Context, q *catalogdb.Queries, id, ifVersion int64) (catalogdb.LockProductRow, error) {
	r, err := q.LockProduct(ctx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return r, shop.NotFound("product", id)
	}
	if err == nil && ifVersion != 0 && r.Version != ifVersion {
		return r, shop.Errorf(shop.CodePreconditionFailed,
			"product %d is at version %d now, not %d: read it again and repeat the change on that", id, r.Version, ifVersion)
	}
	return r, err
}

func newProductOf(r catalogdb.LockProductRow) shop.NewProduct {
	return shop.NewProduct{
		SKU: r.Sku, Name: r.Name, Slug: r.Slug, Description: r.Description, Brand: r.Brand, Category: r.Category,
		Price: r.Price, Currency: r.Currency, ImageURL: r.ImageUrl, Rating: r.Rating, RatingCount: r.RatingCount,
		Popularity: r.Popularity, Attributes: json.RawMessage(r.Attributes),
	}
}

// changed completes a write: its words become known to searches, its outbox row tells caches.
func changed(ctx context.Context, q *catalogdb.Queries, p shop.Product, words wordList) error {
	if err := q.KnowWords(ctx, words.sorted()); err != nil {
		return err
	}
	return productChanged(ctx, q, p.ID, p.Version)
}

func productChanged(ctx context.Context, q *catalogdb.Queries, id, version int64) error {
	payload, err := json.Marshal(shop.ProductChanged{ID: id, Version: version})
	if err != nil {
		return err
	}
	return q.AddOutbox(ctx, catalogdb.AddOutboxParams{
		Topic: shop.TopicProductChanged, Key: strconv.FormatInt(id, 10), Payload: payload, Traceparent: catTrace(ctx),
	})
}
