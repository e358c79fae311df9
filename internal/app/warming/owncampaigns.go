package warming

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/stampede-shop/stampede/cache/warm"
	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/shop"
)

// ownCampaigns are those that the shop's owner has made, as this process knows them; those of the configuration are apart.
type ownCampaigns struct {
	known atomic.Pointer[[]config.CampaignConfig]
}

// ownCampaignsEvery is how often the shop is asked for its campaigns. It is asked of the cache, which hears of changes.
const ownCampaignsEvery = 15 * time.Second

func (o *ownCampaigns) list() []config.CampaignConfig {
	if l := o.known.Load(); l != nil {
		return slices.Clone(*l)
	}
	return nil
}

// has tells whether a campaign still is what it was when it was last seen.
func (o *ownCampaigns) has(name string, start time.Time) (config.CampaignConfig, bool) {
	for _, c := range o.list() {
		if c.Name == name && c.Start.Equal(start) {
			return c, true
		}
	}
	return config.CampaignConfig{}, false
}

// configOf is a campaign of the shop as one of the configuration.
func configOf(c shop.Campaign) config.CampaignConfig {
	k := config.CampaignConfig{Name: c.Slug, Start: c.Start, End: c.End, Products: c.Products}
	if c.Category != "" {
		k.Categories = []string{c.Category}
	}
	return k.WithDefaults()
}

// followOwn warms before the campaigns that the owner makes, until this process ends.
func (w *Warming) followOwn() {
	followed := map[string]time.Time{}
	tick := time.NewTicker(ownCampaignsEvery)
	defer tick.Stop()
	for {
		if list, err := w.shown.Campaigns(w.ctx); err == nil {
			if w.plan(list, followed) != nil {
				return // closed
			}
		} else if w.ctx.Err() == nil {
			w.log.Warn("the shop's campaigns are not known: those known before are warmed", "error", err)
		}
		select {
		case <-w.ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// plan takes the campaigns in force, and begins to follow those that are new or start at another time. What is followed for a
// campaign that was deleted or moved finds nothing to do.
func (w *Warming) plan(list []shop.Campaign, followed map[string]time.Time) error {
	known := make([]config.CampaignConfig, len(list))
	for i, c := range list {
		known[i] = configOf(c)
	}
	w.owner.known.Store(&known)
	w.worth.favour(append(slices.Clone(known), w.cfg.Campaigns...))
	for _, c := range known {
		if at, ok := followed[c.Name]; ok && at.Equal(c.Start) || !time.Now().Before(c.Start) {
			continue
		}
		followed[c.Name] = c.Start
		err := w.Follow(warm.Campaign{Name: c.Name, Start: c.Start, Before: c.Before,
			Keys: func(ctx context.Context) ([]string, error) { return w.ownKeys(ctx, c.Name, c.Start) }})
		if err != nil {
			return err
		}
	}
	for name := range followed {
		if !slices.ContainsFunc(known, func(c config.CampaignConfig) bool { return c.Name == name }) {
			delete(followed, name)
		}
	}
	return nil
}

// ownKeys is what a campaign shows: the front page and its own, then as for campaigns of the configuration.
func (w *Warming) ownKeys(ctx context.Context, name string, start time.Time) ([]string, error) {
	c, there := w.owner.has(name, start)
	if !there {
		return nil, nil
	}
	keys, err := w.find.campaign(ctx, c)
	return append([]string{"/", "/sale/" + name}, keys...), err
}
