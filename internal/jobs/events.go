package jobs

import (
	"context"
	"strconv"

	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/queue"
)

// commitStock makes a confirmed order's reservations sales.
func (j *Jobs) commitStock(ctx context.Context, m queue.Message) error {
	e, err := decode[shop.OrderEvent](m)
	if err != nil {
		return err
	}
	return settled(j.d.Stock.Commit(ctx, e.OrderID, e.ProductIDs))
}

// undo gives back what a failed checkout or a cancelled order took.
func (j *Jobs) undo(ctx context.Context, m queue.Message) error {
	e, err := decode[shop.OrderEvent](m)
	if err != nil {
		return err
	}
	if m.Topic == shop.TopicOrderCancelled {
		return settled(j.d.Checkouts.UndoCancelled(ctx, e))
	}
	return settled(j.d.Checkouts.Undo(ctx, e))
}

// listTag is carried by every list of products, campaignTag by what shows campaigns, productTag by everything made from one product.
const (
	listTag     = "lists"
	campaignTag = "campaigns"
)

func productTag(id int64) string { return "p:" + strconv.FormatInt(id, 10) }

// catalogue keeps what shoppers see of a product true.
func (j *Jobs) catalogue(ctx context.Context, m queue.Message) error {
	if m.Topic == shop.TopicCampaignChanged {
		return j.purge.do(ctx, m.Position, campaignTag)
	}
	if m.Topic == shop.TopicProductChanged {
		e, err := decode[shop.ProductChanged](m)
		if err != nil {
			return err
		}
		return j.purge.do(ctx, m.Position, productTag(e.ID), listTag)
	}
	e, err := decode[shop.StockLevel](m)
	if err != nil {
		return err
	}
	changed, err := j.d.Catalog.SetAvailability(ctx, e.ProductID, shop.AvailabilityOf(e.Available), e.LevelVersion)
	if shop.CodeOf(err) == shop.CodeNotFound {
		return nil // the product was deleted; its stock may outlive it
	}
	if err != nil || !changed {
		return err
	}
	// The change has written an event of its own, whose handling purges for certain; this is only sooner.
	return j.purge.do(ctx, "", productTag(e.ProductID))
}
