package shop

import (
	"context"
	"slices"
	"time"
)

// Bounds of campaigns. Lengths are in characters.
const (
	MaxCampaigns        = 100 // that are on or to come
	MaxCampaignProducts = 100
	MaxHeadline         = 200
	MaxCampaignLength   = 366 * 24 * time.Hour
)

// Campaign is something that the shop puts on its front page for a while: certain products, or a category. Until Start it is
// announced, from Start until End it is on. It changes neither prices nor what one shopper may buy: those are the products'.
type Campaign struct {
	Slug     string    `json:"slug"`
	Name     string    `json:"name"`
	Headline string    `json:"headline,omitempty"`
	Start    time.Time `json:"start"`
	End      time.Time `json:"end"` // the first moment after it
	Category string    `json:"category,omitempty"`
	Products []int64   `json:"products,omitempty"` // in the order shown
}

// Checked applies the defaults and returns the campaign as it is to be stored, or CodeInvalid naming every wrong field.
func (c Campaign) Checked() (Campaign, error) {
	c.Category = CleanCategory(c.Category)
	c.Start, c.End = c.Start.UTC().Truncate(time.Millisecond), c.End.UTC().Truncate(time.Millisecond)
	if c.Slug == "" {
		c.Slug = Slugify(c.Name)
	}
	var f fieldCheck
	f.text("slug", c.Slug, MaxName, true)
	f.that(isSlug(c.Slug), "slug", "must consist of a-z, 0-9 and hyphens")
	f.text("name", c.Name, MaxName, true)
	f.text("headline", c.Headline, MaxHeadline, false)
	f.text("category", c.Category, MaxCategory, false)
	f.that(c.Start.Year() > 1970, "start", "is needed, such as 2026-11-27T08:00:00Z")
	f.that(c.End.After(c.Start), "end", "must be after the start")
	f.that(c.End.Sub(c.Start) <= MaxCampaignLength, "end", "must be at most 366 days after the start")
	f.that((len(c.Products) == 0) != (c.Category == ""), "products", "must be named, or a category, not both")
	f.that(len(c.Products) <= MaxCampaignProducts, "products", "must be at most %d: give them a category", MaxCampaignProducts)
	seen := make(map[int64]bool, len(c.Products))
	for _, id := range c.Products {
		f.that(id > 0 && !seen[id], "products", "must be ids of products, each once")
		seen[id] = true
	}
	return c, f.err()
}

// On tells whether shoppers can have what it offers.
func (c Campaign) On(now time.Time) bool { return !now.Before(c.Start) && now.Before(c.End) }

// Over tells whether it has ended.
func (c Campaign) Over(now time.Time) bool { return !now.Before(c.End) }

// Next is when the campaign changes next: it begins, or ends. The zero time when it is over.
func (c Campaign) Next(now time.Time) time.Time {
	switch {
	case now.Before(c.Start):
		return c.Start
	case now.Before(c.End):
		return c.End
	}
	return time.Time{}
}

// Current are the campaigns to show at a moment: those that are on, the first to end first, then those to come, the next first.
func Current(list []Campaign, now time.Time) []Campaign {
	list = slices.DeleteFunc(slices.Clone(list), func(c Campaign) bool { return c.Over(now) })
	slices.SortStableFunc(list, func(a, b Campaign) int {
		if on := a.On(now); on != b.On(now) {
			if on {
				return -1
			}
			return 1
		}
		return a.Next(now).Compare(b.Next(now))
	})
	return list
}

// CampaignReader reads campaigns. Implementations: internal/postgres, and internal/cached in front of it.
type CampaignReader interface {
	// Campaigns are those that are not over, or were not a moment ago, in no order; see [Current].
	Campaigns(ctx context.Context) ([]Campaign, error)
}

// CampaignWriter edits campaigns. Each write puts a TopicCampaignChanged row into the outbox in its transaction.
type CampaignWriter interface {
	// PutCampaign makes the campaign of that slug, or replaces it. CodeConflict when there are MaxCampaigns already,
	// CodeInvalid, naming the ids, when there are no such products.
	PutCampaign(ctx context.Context, actor string, c Campaign) (Campaign, error)
	// DeleteCampaign is CodeNotFound when there is none.
	DeleteCampaign(ctx context.Context, actor, slug string) error
}
