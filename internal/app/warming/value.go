package warming

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/postgres"
	"github.com/stampede-shop/stampede/internal/shop"
)

// worth is what having an address ready is worth to the shop: what a sale of its product earns, compared with the other candidates, and
// more in a campaign.
type worth struct {
	offers    func(ctx context.Context, ids []int64) ([]postgres.Offer, error)
	margin    float64
	campaigns atomic.Pointer[[]boosted]
}

// boosted is a campaign whose products are found quickly.
type boosted struct {
	config.CampaignConfig
	products map[int64]bool
}

func newWorth(c warmCatalog, margin float64, campaigns []config.CampaignConfig) *worth {
	w := &worth{offers: c.Offers, margin: margin}
	w.favour(campaigns)
	return w
}

// favour replaces the campaigns that make their products worth more.
func (w *worth) favour(campaigns []config.CampaignConfig) {
	list := make([]boosted, 0, len(campaigns))
	for _, k := range campaigns {
		b := boosted{k, make(map[int64]bool, len(k.Products))}
		for _, id := range k.Products {
			b.products[id] = true
		}
		list = append(list, b)
	}
	w.campaigns.Store(&list)
}

const (
	worthLeast    = 0.25 // however little a product earns, or
	worthMost     = 4    // however much: one that is dear must not displace many that are wanted
	worthSoldOut  = 0.5  // it is still looked at
	offersAtATime = 5000
)

// Values implements warm.Valuer.
func (w *worth) Values(ctx context.Context, keys []string) (map[string]float64, error) {
	byID := map[int64][]string{}
	values := map[string]float64{}
	for _, k := range keys {
		if id, ok := productOf(k); ok {
			byID[id] = append(byID[id], k)
		} else if c := categoryOf(k); c != "" {
			values[k] = w.boost(0, c)
		}
	}
	var offers []postgres.Offer
	ids := make([]int64, 0, len(byID))
	for id := range byID {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for part := range slices.Chunk(ids, offersAtATime) {
		some, err := w.offers(ctx, part)
		if err != nil {
			return nil, err
		}
		offers = append(offers, some...)
	}
	for id, v := range w.ofProducts(offers) {
		for _, k := range byID[id] {
			values[k] = v
		}
	}
	return values, nil
}

// ofProducts compares what products earn.
func (w *worth) ofProducts(offers []postgres.Offer) map[int64]float64 {
	earned, sum := make([]float64, len(offers)), 0.0
	for i, o := range offers {
		margin := o.Margin
		if margin < 0 {
			margin = w.margin
		}
		earned[i] = float64(o.Price) * margin
		sum += earned[i]
	}
	values := make(map[int64]float64, len(offers))
	for i, o := range offers {
		v := 1.0
		if sum > 0 {
			v = min(max(earned[i]*float64(len(offers))/sum, worthLeast), worthMost)
		}
		if o.Availability == shop.SoldOut {
			v *= worthSoldOut
		}
		values[o.ID] = v * w.boost(o.ID, o.Category)
	}
	return values
}

// boost is how much more a product, or a category (id 0), is worth now; of several campaigns the strongest counts.
func (w *worth) boost(id int64, category string) float64 {
	now, most := time.Now(), 1.0
	for _, c := range *w.campaigns.Load() {
		if c.On(now) && (c.products[id] || slices.ContainsFunc(c.Categories, func(top string) bool { return within(category, top) })) {
			most = max(most, c.Boost)
		}
	}
	return most
}
