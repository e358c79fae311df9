package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/shop"
)

func (f *fakeShop) Campaigns(context.Context) ([]shop.Campaign, error) {
	defer f.mu.Unlock()
	if err := f.lock(); err != nil {
		return nil, err
	}
	var out []shop.Campaign
	for _, c := range f.campaigns {
		out = append(out, c)
	}
	return out, nil
}

func (f *fakeShop) PutCampaign(_ context.Context, _ string, c shop.Campaign) (shop.Campaign, error) {
	defer f.mu.Unlock()
	if err := f.lock(); err != nil {
		return c, err
	}
	c, err := c.Checked()
	if err == nil {
		f.campaigns[c.Slug] = c
	}
	return c, err
}

func (f *fakeShop) DeleteCampaign(_ context.Context, _, slug string) error {
	defer f.mu.Unlock()
	if err := f.lock(); err != nil {
		return err
	}
	if _, there := f.campaigns[slug]; !there {
		return shop.NotFound("campaign", slug)
	}
	delete(f.campaigns, slug)
	return nil
}

func TestCampaigns(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if got := string(b.want(b.do("GET", "/campaigns", ""), 200, "").body); got != "[]\n" {
		t.Errorf("no campaigns are %q", got)
	}
	now := time.Now()
	body := func(from, to time.Duration, what string) string {
		raw, _ := json.Marshal(map[string]any{"name": "Sale", "start": now.Add(from), "end": now.Add(to)})
		return strings.TrimSuffix(string(raw), "}") + "," + what + "}"
	}
	b.want(b.do("PUT", "/campaigns/sale", body(0, time.Hour, `"category":"a"`)), 401, shop.CodeUnauthorized)
	b.want(b.do("DELETE", "/campaigns/sale", ""), 401, shop.CodeUnauthorized)
	b.want(b.admin("PUT", "/campaigns/soon", body(time.Minute, time.Hour, `"products":[2,1],"headline":"Soon"`)), 200, "")
	k := into[shop.Campaign](t, b.want(b.admin("PUT", "/campaigns/sale", body(-time.Minute, time.Hour, `"category":"a"`)), 200, ""))
	if k.Slug != "sale" || k.Category != "a" || !k.On(now) {
		t.Errorf("%+v", k)
	}
	a := b.want(b.do("GET", "/campaigns", ""), 200, "")
	if list := into[[]shop.Campaign](t, a); len(list) != 2 || list[0].Slug != "sale" || list[1].Products[0] != 2 {
		t.Errorf("%s", a.body)
	}
	if a.Header.Get("Surrogate-Key") != keyCampaigns || a.Header.Get("Set-Cookie") != "" {
		t.Errorf("headers %v", a.Header)
	}
	b.want(b.do("GET", "/campaigns", "", "If-None-Match: "+a.Header.Get("ETag")), http.StatusNotModified, "")
	b.want(b.admin("PUT", "/campaigns/sale", body(0, time.Hour, `"category":"a","slug":"other"`)), 422, shop.CodeInvalid)
	b.want(b.admin("PUT", "/campaigns/sale", body(0, -time.Hour, `"category":"a"`)), 422, shop.CodeInvalid)
	b.want(b.admin("PUT", "/campaigns/sale", body(0, time.Hour, `"category":"a","products":[1]`)), 422, shop.CodeInvalid)
	b.want(b.admin("DELETE", "/campaigns/sale", ""), 204, "")
	b.want(b.admin("DELETE", "/campaigns/sale", ""), 404, shop.CodeNotFound)
}
