package postgres_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stampede-shop/stampede/internal/shop"
)

func TestCampaigns(t *testing.T) {
	t.Parallel()
	s, ctx := newDepot(t), t.Context()
	now := time.Now()
	put := func(c shop.Campaign) shop.Campaign {
		t.Helper()
		c, err := s.PutCampaign(ctx, "me", c)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	a, b, c := s.create(t, shop.NewProduct{SKU: "a", Name: "a"}), s.create(t, shop.NewProduct{SKU: "b", Name: "b"}), s.create(t, shop.NewProduct{SKU: "c", Name: "c"})
	night := put(shop.Campaign{Name: "Night sale", Headline: "Of the year", Start: now.Add(time.Hour), End: now.Add(2 * time.Hour), Products: []int64{c.ID, a.ID, b.ID}})
	day := put(shop.Campaign{Slug: "day", Name: "Day", Start: now.Add(-time.Hour), End: now.Add(time.Hour), Category: "a/b"})
	put(shop.Campaign{Slug: "past", Name: "Past", Start: now.Add(-2 * time.Hour), End: now.Add(-time.Hour), Category: "a"})
	list, err := s.Campaigns(ctx)
	if err != nil || len(list) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	if list[0].Products = nil; !cmp.Equal(list, []shop.Campaign{day, night}) {
		t.Errorf("other campaigns than were put: %s", cmp.Diff([]shop.Campaign{day, night}, list))
	}
	night.Name, night.Category, night.Products = "Later", "c", nil
	put(night)
	if err := s.DeleteCampaign(ctx, "me", "day"); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteCampaign(ctx, "me", "day"); shop.CodeOf(err) != shop.CodeNotFound {
		t.Errorf("deleted twice: %v", err)
	}
	if list, err = s.Campaigns(ctx); err != nil || len(list) != 1 || list[0].Name != "Later" || list[0].Category != "c" || len(list[0].Products) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	var told []string
	if err := s.pool.QueryRow(ctx, "SELECT array_agg(key ORDER BY id) FROM outbox WHERE topic = $1", shop.TopicCampaignChanged).Scan(&told); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(told, []string{"night-sale", "day", "past", "night-sale", "day"}) {
		t.Errorf("caches are told of %v", told)
	}
	if _, err := s.PutCampaign(ctx, "me", shop.Campaign{Name: "Bad", Start: now, End: now}); shop.CodeOf(err) != shop.CodeInvalid {
		t.Errorf("a campaign without length: %v", err)
	}
	if err := s.DeleteProduct(ctx, "me", b.ID, 0); err != nil {
		t.Fatal(err)
	}
	_, err = s.PutCampaign(ctx, "me", shop.Campaign{Name: "Unknown", Start: now, End: now.Add(time.Hour), Products: []int64{a.ID, b.ID, 1 << 40}})
	if want := fmt.Sprintf("the ids %d, %d:", b.ID, int64(1<<40)); shop.CodeOf(err) != shop.CodeInvalid || !strings.Contains(err.Error(), want) {
		t.Errorf("a campaign for products that are not there: %v", err)
	}
}

func TestCampaignsAreBounded(t *testing.T) {
	t.Parallel()
	s, ctx := newDepot(t), t.Context()
	c := shop.Campaign{Name: "x", Start: time.Now(), End: time.Now().Add(time.Hour), Category: "a"}
	for i := range shop.MaxCampaigns {
		c.Slug = fmt.Sprintf("c%d", i)
		if _, err := s.PutCampaign(ctx, "me", c); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.PutCampaign(ctx, "me", c); err != nil {
		t.Errorf("one that is there cannot be changed: %v", err)
	}
	c.Slug = "more"
	if _, err := s.PutCampaign(ctx, "me", c); shop.CodeOf(err) != shop.CodeConflict {
		t.Errorf("one more: %v", err)
	}
}
