// Package cached puts the cache engine in front of the shop's readers, one decorator a file. Each implements the interface it
// wraps, so that the rest of the program does not know whether there is a cache.
//
// Products and pages are shared by all processes through Redis; stock and sessions live in memory only. What a write
// makes stale is named by tags: [TagProduct], [TagLists], [TagFacets], [TagStock], [TagUser]. The API puts the same words
// into Surrogate-Key, so that they reach what the edge keeps.
package cached

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/stampede-shop/stampede/cache"
	"github.com/stampede-shop/stampede/internal/shop"
)

const (
	// TagLists is on every product list: any change of a product may bring it in, take it out or move it.
	TagLists = "lists"
	// TagFacets is on counts.
	TagFacets = "facets"
)

// TagProduct is on everything that shows the product, lists included.
func TagProduct(id int64) string { return "p:" + shop.ProductKey(id) }

// TagStock is on the units left of a product.
func TagStock(id int64) string { return "s:" + shop.ProductKey(id) }

// TagUser is on what is known of a user's or guest's sessions.
func TagUser(id string) string { return "u:" + id }

// ProductTags are the tags a change of products makes stale.
func ProductTags(ids ...int64) []string {
	tags := []string{TagLists}
	for _, id := range ids {
		tags = append(tags, TagProduct(id))
	}
	return tags
}

// observe reports which tiers were asked. The database reports itself.
func observe(ctx context.Context, src cache.Source, l2 bool, start time.Time) {
	if src == cache.L1 {
		shop.Observe(ctx, "l1", "hit", 0)
		return
	}
	shop.Observe(ctx, "l1", "miss", 0)
	switch {
	case src == cache.L2:
		shop.Observe(ctx, "l2", "hit", time.Since(start))
	case l2:
		shop.Observe(ctx, "l2", "miss", 0)
	}
}

// answer makes the cache's own errors fit for a user; those of loaders, and the end of the caller's ctx, pass.
func answer(ctx context.Context, err error) error {
	var known *shop.Error
	if err == nil || errors.As(err, &known) || ctx.Err() != nil {
		return err
	}
	if errors.Is(err, cache.ErrClosed) || errors.Is(err, context.DeadlineExceeded) {
		return &shop.Error{Code: shop.CodeUnavailable, Detail: "the shop is too busy to look this up: try again in a moment", Err: err}
	}
	return err
}

func isNotFound(err error) bool { return shop.CodeOf(err) == shop.CodeNotFound }

func parseID(key string) int64 {
	id, _ := strconv.ParseInt(key, 10, 64) // our own keys
	return id
}
