package cached

import (
	"context"
	"time"

	"github.com/stampede-shop/stampede/cache"
	"github.com/stampede-shop/stampede/internal/shop"
)

// TagCampaigns is on everything that shows campaigns: the home page, too.
const TagCampaigns = "campaigns"

// CampaignStore is what Campaigns stands before.
type CampaignStore interface {
	shop.CampaignReader
	shop.CampaignWriter
}

// Campaigns remembers the campaigns that are not over, and answers a write when the old ones are gone from every tier.
type Campaigns struct {
	next  CampaignStore
	list  *cache.Family[[]shop.Campaign]
	purge purger
}

var _ CampaignStore = (*Campaigns)(nil)

// NewCampaigns puts s in front of next; purge is as in [NewCatalog].
func NewCampaigns(next CampaignStore, s *cache.Store, purge func(ctx context.Context, tags []string) error, o Options) *Campaigns {
	o = o.withDefaults()
	return &Campaigns{next: next, purge: purger{purge, o.Log},
		list: cache.New[[]shop.Campaign](s, "campaigns", cache.FamilyOptions{TTL: o.ListTTL, StaleFor: o.ListTTL, L1Bytes: o.L1Bytes / 64, Schema: 1})}
}

// Campaigns answers from memory when it can; some of them may be over since.
func (c *Campaigns) Campaigns(ctx context.Context) ([]shop.Campaign, error) {
	start := time.Now()
	list, src, err := c.list.Get(ctx, "all", func(ctx context.Context) ([]shop.Campaign, []string, error) {
		list, err := c.next.Campaigns(ctx)
		return list, []string{TagCampaigns}, err
	})
	observe(ctx, src, true, start)
	return list, answer(ctx, err)
}

// PutCampaign makes or replaces one.
func (c *Campaigns) PutCampaign(ctx context.Context, actor string, k shop.Campaign) (shop.Campaign, error) {
	made, err := c.next.PutCampaign(ctx, actor, k)
	c.after(ctx, err)
	return made, err
}

// DeleteCampaign removes one.
func (c *Campaigns) DeleteCampaign(ctx context.Context, actor, slug string) error {
	err := c.next.DeleteCampaign(ctx, actor, slug)
	c.after(ctx, err)
	return err
}

func (c *Campaigns) after(ctx context.Context, err error) {
	if maybeWritten(err) {
		c.purge.do(ctx, TagCampaigns)
	}
}
