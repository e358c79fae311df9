package cached_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/cached"
	"github.com/stampede-shop/stampede/internal/shop"
)

// oneCampaign is a database with one campaign, and counts how often it is asked.
type oneCampaign struct {
	is    shop.Campaign
	asked atomic.Int64
}

func (o *oneCampaign) Campaigns(context.Context) ([]shop.Campaign, error) {
	o.asked.Add(1)
	return []shop.Campaign{o.is}, nil
}

func (o *oneCampaign) PutCampaign(_ context.Context, _ string, c shop.Campaign) (shop.Campaign, error) {
	o.is = c
	return c, nil
}

func (o *oneCampaign) DeleteCampaign(context.Context, string, string) error {
	return shop.NotFound("campaign", "x")
}

func TestCampaignsAreRememberedUntilOneChanges(t *testing.T) {
	t.Parallel()
	stores, _ := processes(t, 2)
	db := &oneCampaign{is: shop.Campaign{Slug: "x", Name: "Old", Start: time.Unix(1, 0).UTC(), End: time.Unix(2, 0).UTC(), Products: []int64{1}}}
	var both [2]*cached.Campaigns
	for i, s := range stores {
		both[i] = cached.NewCampaigns(db, s, s.Invalidate, cached.Options{})
	}
	want := func(name string) {
		t.Helper()
		for _, c := range both {
			list, err := c.Campaigns(t.Context())
			if err != nil || len(list) != 1 || list[0].Name != name || !list[0].Start.Equal(time.Unix(1, 0)) {
				t.Errorf("%+v, %v, want %s", list, err, name)
			}
		}
	}
	for range 5 {
		want("Old")
	}
	if n := db.asked.Load(); n > 2 {
		t.Errorf("asked the database %d times", n)
	}
	changed := db.is
	changed.Name = "New"
	if _, err := both[0].PutCampaign(t.Context(), "me", changed); err != nil {
		t.Fatal(err)
	}
	want("New")
	before := db.asked.Load()
	if err := both[1].DeleteCampaign(t.Context(), "me", "x"); shop.CodeOf(err) != shop.CodeNotFound {
		t.Errorf("deleting what is not there: %v", err)
	}
	want("New")
	if db.asked.Load() != before {
		t.Error("a write that wrote nothing purged")
	}
}
