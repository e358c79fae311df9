package httpapi

import (
	"net/http"
	"time"

	"github.com/stampede-shop/stampede/internal/shop"
)

// campaignInput is what an administrator says of a campaign; its slug is in the path.
type campaignInput struct {
	Name     string    `json:"name" minLength:"1" maxLength:"300"`
	Headline string    `json:"headline,omitempty" maxLength:"200" doc:"One sentence for the front page"`
	Start    time.Time `json:"start" doc:"Until then it is announced, with a countdown"`
	End      time.Time `json:"end" doc:"The first moment after it"`
	Category string    `json:"category,omitempty" maxLength:"300" doc:"Everything in it; or else name products"`
	Products []int64   `json:"products,omitempty" maxItems:"100" nullable:"false" doc:"Ids in the order shown; or else name a category"`
	Slug     string    `json:"slug,omitempty" readOnly:"true" doc:"Must be the one in the path, when present"`
}

func (a *api) campaignRoutes() []route {
	text := "Answers when every cache knows. Prices and purchase limits are the products' own: PATCH these."
	return []route{
		{method: "GET", path: "/campaigns", id: "listCampaigns", summary: "Campaigns that are on or to come",
			text: "Those that are on first, then those to come, the next first.", params: []param{ifNoneMatch},
			answers: []answer{{status: 200, doc: "The campaigns", body: shop.Campaign{}, list: true, headers: []string{"ETag"}}, notModified},
			handle:  a.listCampaigns},
		{method: "PUT", path: "/campaigns/{slug}", id: "putCampaign", summary: "Make or replace a campaign", access: admin, text: text,
			body: bodyOf[campaignInput](), answers: []answer{{status: 200, doc: "The campaign as it now is", body: shop.Campaign{}}},
			codes: []shop.Code{shop.CodeConflict, shop.CodeMalformed}, handle: a.putCampaign},
		{method: "DELETE", path: "/campaigns/{slug}", id: "deleteCampaign", summary: "Remove a campaign", access: admin,
			text: "Answers when every cache knows.", answers: []answer{{status: 204, doc: "It is gone"}}, handle: a.deleteCampaign},
	}
}

func (a *api) listCampaigns(c *call) error {
	list, err := a.Campaigns.Campaigns(c.ctx())
	if err != nil {
		return err
	}
	list = shop.Current(list, a.Now())
	if list == nil {
		list = []shop.Campaign{}
	}
	return c.public(newRepresentation(encode(list), 0, keyCampaigns), keepCampaigns)
}

func (a *api) putCampaign(c *call) error {
	in, err := decode[campaignInput](c)
	if err != nil {
		return err
	}
	slug := c.r.PathValue("slug")
	if in.Slug != "" && in.Slug != slug {
		return shop.Invalid("slug", "is not the one in the path: leave it out")
	}
	k, err := a.Campaigns.PutCampaign(c.ctx(), actor, shop.Campaign{Slug: slug, Name: in.Name, Headline: in.Headline, Start: in.Start,
		End: in.End, Category: in.Category, Products: in.Products})
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, k)
}

func (a *api) deleteCampaign(c *call) error {
	if err := a.Campaigns.DeleteCampaign(c.ctx(), actor, c.r.PathValue("slug")); err != nil {
		return err
	}
	c.w.Header()["Cache-Control"] = cachePrivate
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}
