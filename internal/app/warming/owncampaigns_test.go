package warming

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/local/localtest"
	"github.com/stampede-shop/stampede/internal/shop"
)

// ownerList is what the owner has put up.
type ownerList struct {
	mu   sync.Mutex
	list []shop.Campaign
	err  error
}

func (o *ownerList) Campaigns(context.Context) ([]shop.Campaign, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.list, o.err
}

// Campaigns of the owner are warmed before they begin, worth more while they are on, and forgotten when they are deleted or moved.
func TestOwnCampaignsAreWarmed(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	close(release)
	w := idle(t, release)
	w.find, w.worth, w.cfg.Campaigns = candidates{newShelf(), false}, newWorth(newShelf(), 0.5, nil), nil
	start := time.Now().Add(5 * time.Minute).UTC()
	night := shop.Campaign{Slug: "night", Name: "Night", Start: start, End: start.Add(time.Hour), Products: []int64{4, 1}}
	followed := map[string]time.Time{}
	if err := w.plan([]shop.Campaign{night}, followed); err != nil {
		t.Fatal(err)
	}
	localtest.Eventually(t, "its products are brought in", func() bool {
		p := w.Progress()
		return p.Reason == "campaign night" && p.State.Over() && p.Total == 4
	})
	if keys, err := w.ownKeys(t.Context(), "night", start); err != nil || !slices.Equal(keys, []string{"/", "/sale/night", "/products/4", "/products/1"}) {
		t.Errorf("%q, %v", keys, err)
	}
	values, err := w.worth.Values(t.Context(), []string{"/products/4", "/products/2"})
	if err != nil || values["/products/4"] <= 0.25 {
		t.Errorf("not worth more: %v, %v", values, err)
	}
	if st := w.Status().Campaigns; len(st) != 1 || st[0].Name != "night" {
		t.Errorf("status tells of %+v", st)
	}
	moved := night
	moved.Start = start.Add(time.Minute)
	if err := w.plan([]shop.Campaign{moved}, followed); err != nil || !followed["night"].Equal(moved.Start) {
		t.Errorf("moved: %v, %v", followed, err)
	}
	if keys, err := w.ownKeys(t.Context(), "night", start); err != nil || keys != nil {
		t.Errorf("warmed for when it does not start any more: %q, %v", keys, err)
	}
	if err := w.plan(nil, followed); err != nil || len(followed) != 0 {
		t.Errorf("deleted: %v, %v", followed, err)
	}
	if keys, _ := w.ownKeys(t.Context(), "night", moved.Start); keys != nil {
		t.Errorf("warmed although it was deleted: %q", keys)
	}
}

func TestOwnCampaignsOutlastAFailure(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	close(release)
	w := idle(t, release)
	w.find, w.worth, w.cfg.Campaigns = candidates{newShelf(), false}, newWorth(newShelf(), 0.5, nil), nil
	w.ctx, w.cancel = context.WithCancel(t.Context())
	owner := &ownerList{list: []shop.Campaign{{Slug: "x", Start: time.Now().Add(time.Hour), End: time.Now().Add(2 * time.Hour), Category: "a"}}}
	w.shown = owner
	w.bg.Go(w.followOwn)
	localtest.Eventually(t, "known", func() bool { return len(w.owner.list()) == 1 })
	w.cancel()
	w.bg.Wait()
	owner.err = errors.New("down")
	w.ctx, w.cancel = context.WithCancel(t.Context())
	w.cancel()
	w.followOwn()
	if len(w.owner.list()) != 1 {
		t.Error("forgotten because the shop did not answer")
	}
}
