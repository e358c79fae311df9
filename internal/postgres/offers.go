package postgres

import (
	"context"

	"github.com/stampede-shop/stampede/internal/postgres/catalogdb"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/replica"
)

// Offer is what selling a product earns. Price is in minor units; Margin is the share of it that stays, from the product's attribute
// "margin", negative when it has none.
type Offer struct {
	ID           int64
	Slug         string
	Category     string
	Price        int64
	Margin       float64
	Availability shop.Availability
}

// Offers returns those of ids that exist, in any order; at most 10,000 ids. It is one cheap statement: long texts are not read.
func (c *Catalog) Offers(ctx context.Context, ids []int64) ([]Offer, error) {
	if len(ids) > maxBatchIDs {
		return nil, shop.Invalid("ids", "must be at most %d", maxBatchIDs)
	}
	if len(ids) == 0 {
		return nil, nil
	}
	var out []Offer
	err := c.read(ctx, func(ctx context.Context, db replica.Reader) error {
		rows, err := catalogdb.New(db.Generated()).GetOffers(ctx, ids)
		out = make([]Offer, len(rows))
		for i, r := range rows {
			out[i] = Offer{r.ID, r.Slug, r.Category, r.Price, r.Margin, shop.Availability(r.Availability)}
		}
		return err
	})
	return out, err
}

// Ref is what leads to a product.
type Ref struct {
	ID   int64
	Slug string
}

// Popular returns the n most popular products, of a category and all below it unless that is "", the most popular first; at most 10,000.
func (c *Catalog) Popular(ctx context.Context, category string, n int) ([]Ref, error) {
	most, category := int32(min(max(n, 0), maxBatchIDs)), shop.CleanCategory(category)
	var out []Ref
	err := c.read(ctx, func(ctx context.Context, db replica.Reader) (err error) {
		q := catalogdb.New(db.Generated())
		out = out[:0]
		if category == "" {
			rows, err := q.GetPopularRefs(ctx, most)
			for _, r := range rows {
				out = append(out, Ref(r))
			}
			return err
		}
		rows, err := q.GetCategoryRefs(ctx, catalogdb.GetCategoryRefsParams{Category: category, Most: most})
		for _, r := range rows {
			out = append(out, Ref(r))
		}
		return err
	})
	return out, err
}
