package web

import (
	"context"
	"net/http"
	"time"

	"github.com/stampede-shop/stampede/internal/shop"
)

const (
	campaignTag   = "campaigns"
	homeCampaigns = 3                   // on the home page
	homeOffers    = 4                   // products of one on the home page
	announced     = 30 * 24 * time.Hour // before a campaign, the home page counts down to it
)

// campaign is one as pages show it. Next is when it begins, or ends.
type campaign struct {
	shop.Campaign
	On       bool
	Next     time.Time
	Products []shop.Product
	More     bool // there are more of them
	Alone    bool // on its own page
}

func campaignURL(slug string) string { return "/sale/" + slug }

// campaigns are those worth showing now; a shop that cannot read them goes on without.
func (s *site) campaigns(ctx context.Context) []shop.Campaign {
	if s.Campaigns == nil {
		return nil
	}
	list, err := s.Campaigns.Campaigns(ctx)
	if err != nil {
		s.Log.WarnContext(ctx, "pages do without campaigns", "error", err)
	}
	return shop.Current(list, s.Now())
}

// homeCampaigns are those on the home page, with the first products of those that are on, and for how long this is true.
func (s *site) homeCampaigns(ctx context.Context) (out []campaign, keep time.Duration) {
	now, keep := s.Now(), keepPage
	for _, c := range s.campaigns(ctx) {
		next := c.Next(now)
		keep = min(keep, next.Sub(now))
		if len(out) == homeCampaigns || !c.On(now) && next.Sub(now) > announced {
			continue
		}
		k := campaign{Campaign: c, On: c.On(now), Next: next}
		if k.On {
			var err error
			if k.Products, k.More, err = s.offers(ctx, c, homeOffers); err != nil {
				s.Log.WarnContext(ctx, "a campaign is shown without its products", "campaign", c.Slug, "error", err)
			}
		}
		out = append(out, k)
	}
	return out, max(keep, keepScant)
}

// offers are the first n products of a campaign; more tells whether there are others.
func (s *site) offers(ctx context.Context, c shop.Campaign, n int) (products []shop.Product, more bool, err error) {
	if c.Category == "" {
		ids := c.Products[:min(n, len(c.Products))]
		products, err = s.Products.Products(ctx, ids)
		return products, len(c.Products) > len(ids), err
	}
	page, err := s.Products.ListProducts(ctx, shop.ProductQuery{Limit: n, Category: c.Category})
	return page.Products, page.Next != "", err
}

// sale is the page of a campaign, as soon as it is announced.
func (s *site) sale(w http.ResponseWriter, r *http.Request) error {
	now, slug := s.Now(), r.PathValue("slug")
	for _, c := range s.campaigns(r.Context()) {
		if c.Slug != slug {
			continue
		}
		k := campaign{Campaign: c, On: c.On(now), Next: c.Next(now), Alone: true}
		var err error
		if k.Products, k.More, err = s.offers(r.Context(), c, shop.MaxCampaignProducts); err != nil {
			return err
		}
		keep := max(min(keepPage, k.Next.Sub(now)), keepScant)
		edgeMay(w.Header(), keep, append(listTags(k.Products), campaignTag)...)
		return s.render(w, r, http.StatusOK, "sale", page{Title: c.Name, Body: k})
	}
	return shop.NotFound("campaign now", slug)
}
