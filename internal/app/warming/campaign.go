package warming

import (
	"context"
	"time"

	"github.com/stampede-shop/stampede/cache/warm"
	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/postgres"
)

// warmCatalog is what warming reads of the catalogue beside what it brings in.
type warmCatalog interface {
	Offers(ctx context.Context, ids []int64) ([]postgres.Offer, error)
	Popular(ctx context.Context, category string, n int) ([]postgres.Ref, error)
}

// candidates finds what may be asked for in the catalogue itself.
type candidates struct {
	catalog warmCatalog
	pages   bool // of products, too: edges keep them
}

// popular foretells, for a shop that knows nothing of its shoppers yet, that they look at the front page and at what the catalogue
// calls popular, the first most.
func (c candidates) popular(ctx context.Context, _ time.Time, n int) ([]warm.Demand, error) {
	refs, err := c.catalog.Popular(ctx, "", n)
	keys := []string{"/", "/products"}
	for _, r := range refs {
		keys = append(keys, productTargets(r, c.pages)...)
	}
	out := make([]warm.Demand, min(n, len(keys)))
	for i := range out {
		out[i] = warm.Demand{Key: keys[i], Rate: 1 / float64(i+1)}
	}
	return out, err
}

// campaign lists what a campaign shows: its categories, then its products, those named first, then the popular ones.
func (c candidates) campaign(ctx context.Context, k config.CampaignConfig) ([]string, error) {
	var keys []string
	for _, category := range k.Categories {
		keys = append(keys, categoryTargets(category)...)
	}
	for _, id := range k.Products {
		keys = append(keys, productTargets(postgres.Ref{ID: id}, false)...)
	}
	if c.pages {
		offers, err := c.catalog.Offers(ctx, k.Products)
		if err != nil {
			return nil, err
		}
		for _, o := range offers {
			keys = append(keys, productPage(postgres.Ref{ID: o.ID, Slug: o.Slug}))
		}
	}
	for _, category := range k.Categories {
		refs, err := c.catalog.Popular(ctx, category, config.MaxCampaignItems)
		if err != nil {
			return nil, err
		}
		for _, r := range refs {
			keys = append(keys, productTargets(r, c.pages)...)
		}
	}
	return keys, nil
}
