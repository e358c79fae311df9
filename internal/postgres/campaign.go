package postgres

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/stampede-shop/stampede/internal/postgres/catalogdb"
	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/replica"
)

var (
	_ shop.CampaignReader = (*Catalog)(nil)
	_ shop.CampaignWriter = (*Catalog)(nil)
)

// Campaigns are those that are not over by the database's clock, the first to end first.
func (c *Catalog) Campaigns(ctx context.Context) ([]shop.Campaign, error) {
	var out []shop.Campaign
	err := c.read(ctx, func(ctx context.Context, db replica.Reader) error {
		rows, err := catalogdb.New(db.Generated()).CurrentCampaigns(ctx, shop.MaxCampaigns)
		out = make([]shop.Campaign, len(rows))
		for i, r := range rows {
			out[i] = shop.Campaign{Slug: r.Slug, Name: r.Name, Headline: r.Headline, Start: r.StartsAt.Time.UTC(), End: r.EndsAt.Time.UTC(),
				Category: r.Category, Products: r.Products}
		}
		return err
	})
	return out, err
}

// PutCampaign makes or replaces one. Writers wait for each other, so that there are never more than shop.MaxCampaigns.
func (c *Catalog) PutCampaign(ctx context.Context, actor string, k shop.Campaign) (shop.Campaign, error) {
	k, err := k.Checked()
	if err != nil {
		return shop.Campaign{}, err
	}
	products := k.Products
	if products == nil {
		products = []int64{}
	}
	return k, c.write(ctx, func(ctx context.Context, _ pgx.Tx, q *catalogdb.Queries) error {
		if err := productsExist(ctx, q, products); err != nil {
			return err
		}
		if err := q.LockCampaigns(ctx); err != nil {
			return err
		}
		others, err := q.CountCurrentCampaigns(ctx, k.Slug)
		if err != nil {
			return err
		}
		if others >= shop.MaxCampaigns {
			return shop.Errorf(shop.CodeConflict, "there are %d campaigns already: delete one, or wait until one is over", others)
		}
		err = q.PutCampaign(ctx, catalogdb.PutCampaignParams{Slug: k.Slug, Name: k.Name, Headline: k.Headline,
			StartsAt: pgtype.Timestamptz{Time: k.Start, Valid: true}, EndsAt: pgtype.Timestamptz{Time: k.End, Valid: true},
			Category: k.Category, Products: products, Actor: actor})
		if err != nil {
			return err
		}
		return campaignChanged(ctx, q, k.Slug)
	})
}

// productsExist is CodeInvalid, naming the ids, when there are none of some. One that is deleted later is no longer shown.
func productsExist(ctx context.Context, q *catalogdb.Queries, ids []int64) error {
	rows, err := q.GetProducts(ctx, ids)
	if err != nil || len(rows) == len(ids) {
		return err
	}
	there := make(map[int64]bool, len(rows))
	for _, r := range rows {
		there[r.ID] = true
	}
	var unknown []string
	for _, id := range ids {
		if !there[id] {
			unknown = append(unknown, strconv.FormatInt(id, 10))
		}
	}
	return shop.Invalid("products", "there are none with the ids %s: leave them out, or make them first", strings.Join(unknown, ", "))
}

// DeleteCampaign removes one for good; who did it is in the log of requests alone.
func (c *Catalog) DeleteCampaign(ctx context.Context, _, slug string) error {
	return c.write(ctx, func(ctx context.Context, _ pgx.Tx, q *catalogdb.Queries) error {
		n, err := q.DeleteCampaign(ctx, slug)
		if err != nil {
			return err
		}
		if n == 0 {
			return shop.NotFound("campaign", slug)
		}
		return campaignChanged(ctx, q, slug)
	})
}

func campaignChanged(ctx context.Context, q *catalogdb.Queries, slug string) error {
	payload, err := json.Marshal(shop.CampaignChanged{Slug: slug})
	if err != nil {
		return err
	}
	return q.AddOutbox(ctx, catalogdb.AddOutboxParams{Topic: shop.TopicCampaignChanged, Key: slug, Payload: payload, Traceparent: catTrace(ctx)})
}
