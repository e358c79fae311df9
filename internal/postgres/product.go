package postgres

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/internal/postgres/catalogdb"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/replica"
)

// maxBatchIDs bounds Products; more ids than that are a mistake of the caller.
const maxBatchIDs = 10_000

// catRow is what every query of whole products returns; sqlc's row types of the same shape convert to it.
type catRow = catalogdb.GetProductRow

func toProduct(r catRow) shop.Product {
	return shop.Product{
		ID: r.ID, SKU: r.Sku, Name: r.Name, Slug: r.Slug, Description: r.Description, Brand: r.Brand, Category: r.Category,
		Price: r.Price, Currency: r.Currency, ImageURL: r.ImageUrl, Rating: r.Rating, RatingCount: r.RatingCount,
		Attributes: json.RawMessage(r.Attributes), Availability: shop.Availability(r.Availability), Version: r.Version,
		CreatedAt: r.CreatedAt.Time.UTC(), UpdatedAt: r.UpdatedAt.Time.UTC(),
	}
}

// Product returns one product, or CodeNotFound.
func (c *Catalog) Product(ctx context.Context, id int64) (shop.Product, error) {
	var p shop.Product
	err := c.read(ctx, func(ctx context.Context, db replica.Reader) error {
		r, err := catalogdb.New(db.Generated()).GetProduct(ctx, id)
		if errors.Is(err, pgx.ErrNoRows) {
			return shop.NotFound("product", id)
		}
		p = toProduct(r)
		return err
	})
	return p, err
}

// Products returns those of ids that exist, in the order asked, duplicates included; at most 10,000 ids.
func (c *Catalog) Products(ctx context.Context, ids []int64) ([]shop.Product, error) {
	if len(ids) > maxBatchIDs {
		return nil, shop.Invalid("ids", "must be at most %d", maxBatchIDs)
	}
	if len(ids) == 0 {
		return []shop.Product{}, nil
	}
	var byID map[int64]shop.Product
	err := c.read(ctx, func(ctx context.Context, db replica.Reader) error {
		rows, err := catalogdb.New(db.Generated()).GetProducts(ctx, ids)
		byID = make(map[int64]shop.Product, len(rows))
		for _, r := range rows {
			byID[r.ID] = toProduct(catRow(r))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	found := make([]shop.Product, 0, len(ids))
	for _, id := range ids {
		if p, ok := byID[id]; ok {
			found = append(found, p)
		}
	}
	return found, nil
}

// Count is the number of products for sale or sold out, deleted ones not counted. It reads them all: not for hot paths.
func (c *Catalog) Count(ctx context.Context) (n int64, err error) {
	err = c.read(ctx, func(ctx context.Context, db replica.Reader) error {
		n, err = catalogdb.New(db.Generated()).CountProducts(ctx)
		return err
	})
	return n, err
}
