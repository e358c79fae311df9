package web

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/shop"
)

// fakeCampaigns are campaigns in memory.
type fakeCampaigns struct {
	list []shop.Campaign
	err  error
}

func (f fakeCampaigns) Campaigns(context.Context) ([]shop.Campaign, error) { return f.list, f.err }

// campaignSite serves a shop whose clock stands still.
func campaignSite(t *testing.T, now time.Time, f fakeCampaigns) *shopper {
	t.Helper()
	d := fakeDeps(t, newFakeShop(sample(60)...))
	d.Campaigns, d.Now = f, func() time.Time { return now }
	h, err := New(d)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return newShopper(t, srv)
}

func TestCampaignsOnTheHomePage(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 27, 8, 0, 0, 0, time.UTC)
	f := fakeCampaigns{list: []shop.Campaign{
		{Slug: "toys", Name: "Toys & more", Headline: "While <they> last", Start: now.Add(-time.Hour), End: now.Add(time.Hour), Category: "Toys"},
		{Slug: "night", Name: "Night sale", Start: now.Add(12 * time.Second), End: now.Add(time.Hour), Products: []int64{1, 2}},
		{Slug: "far", Name: "Far away", Start: now.Add(announced + time.Hour), End: now.Add(announced + 2*time.Hour), Products: []int64{1}},
		{Slug: "over", Name: "Was good", Start: now.Add(-time.Hour), End: now, Products: []int64{1}},
	}}
	s := campaignSite(t, now, f)
	a := s.get("/")
	a.wants(t, http.StatusOK, "Toys &amp; more", "While &lt;they&gt; last", "On now, until", `data-until="2026-11-27T09:00:00.000Z"`,
		"Night sale", "Starts <time", "Everything in Toys")
	a.lacks(t, "Far away", "Was good")
	if got := a.Header.Get("Surrogate-Control"); got != "max-age=12" {
		t.Errorf("kept for %q, but something begins in 12 s", got)
	}
	if got := a.Header.Get("Surrogate-Key"); got[len(got)-len(campaignTag):] != campaignTag {
		t.Errorf("surrogate key %q", got)
	}
	if a.Header.Values("Set-Cookie") != nil {
		t.Error("the home page sets a cookie")
	}
	s.get("/sale/toys").wants(t, http.StatusOK, "In this campaign", "On now")
	s.get("/sale/night").wants(t, http.StatusOK, "What it will be about", "Copper saucepan no. 1<")
	s.get("/sale/far").wants(t, http.StatusOK, "Far away")
	s.get("/sale/over").wants(t, http.StatusNotFound)
	s.get("/sale/none").wants(t, http.StatusNotFound)
}

// At the very moment a campaign begins it is on, however short the time before was.
func TestCampaignBegins(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 27, 8, 0, 0, 0, time.UTC)
	f := fakeCampaigns{list: []shop.Campaign{{Slug: "x", Name: "X", Start: start, End: start.Add(time.Hour), Products: []int64{3}}}}
	before := campaignSite(t, start.Add(-time.Millisecond), f).get("/")
	before.wants(t, http.StatusOK, "Starts <time")
	if got := before.Header.Get("Surrogate-Control"); got != "max-age=1, stale-if-error=0" {
		t.Errorf("kept for %q a millisecond before it begins", got)
	}
	campaignSite(t, start, f).get("/").wants(t, http.StatusOK, "On now, until")
}

func TestCampaignsUnreadable(t *testing.T) {
	t.Parallel()
	s := campaignSite(t, time.Now(), fakeCampaigns{err: errors.New("no database")})
	s.get("/").wants(t, http.StatusOK, "Popular now")
}
