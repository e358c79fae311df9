package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"text/tabwriter"
	"time"

	"github.com/stampede-shop/stampede/internal/shop"
)

type campaignCmd struct {
	List   campaignListCmd   `cmd:"" help:"Campaigns that are on or to come."`
	Set    campaignSetCmd    `cmd:"" help:"Make a campaign, or change it."`
	Delete campaignDeleteCmd `cmd:"" help:"Remove a campaign."`
}

// campaignsPath leads through the operations endpoint to the shop.
const campaignsPath = "/admin/shop/campaigns"

type campaignListCmd struct {
	platformFlags
	JSON bool `name:"json" help:"Print JSON."`
}

func (campaignListCmd) Help() string { return "Example:\n  stampede campaign list" }

func (c campaignListCmd) Run(ctx context.Context, s streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	var list []shop.Campaign
	if err := client.Do(ctx, "GET", campaignsPath, nil, &list); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(s.Out, list)
	}
	t := tabwriter.NewWriter(s.Out, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "SLUG\tNAME\tSTATE\tSTART\tEND\tSHOWS")
	for _, k := range list {
		state, shows := "to come", k.Category
		if k.On(time.Now()) {
			state = "on"
		}
		if shows == "" {
			shows = fmt.Sprintf("%d products", len(k.Products))
		}
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", k.Slug, k.Name, state, k.Start.Format(time.RFC3339), k.End.Format(time.RFC3339), shows)
	}
	return t.Flush()
}

type campaignSetCmd struct {
	platformFlags
	Slug     string        `arg:"" help:"Its name in addresses: a-z, 0-9 and hyphens."`
	Name     string        `required:"" help:"What shoppers read."`
	Headline string        `help:"One sentence below it."`
	Start    time.Time     `help:"When it begins; now when not given." placeholder:"2026-11-27T08:00:00Z"`
	In       time.Duration `help:"It begins so long from now, instead of --start." placeholder:"10m"`
	End      time.Time     `help:"When it ends; a day after it begins when not given." placeholder:"2026-11-28T08:00:00Z"`
	Category string        `help:"It shows everything in this category." placeholder:"a/b"`
	Products []int64       `help:"It shows these products, in this order." placeholder:"1,2,3"`
	JSON     bool          `name:"json" help:"Print JSON."`
}

func (campaignSetCmd) Help() string {
	return `Examples:
  stampede campaign set night --name "Night sale" --headline "Until the sun is up" --in 10m --products 3,1,2
  stampede campaign set bf --name "Black Friday" --start 2026-11-27T08:00:00Z --end 2026-11-28T00:00:00Z --category Home
The front page counts down to it, and shows its products while it is on; caches are warmed before it begins. It changes no
prices: those, and how many one shopper may buy (attribute purchase_limit), are the products'.`
}

// campaign is what the flags say, at a moment.
func (c campaignSetCmd) campaign(now time.Time) (shop.Campaign, error) {
	if c.In != 0 && !c.Start.IsZero() {
		return shop.Campaign{}, errors.New("--in and --start: give one of them")
	}
	k := shop.Campaign{Slug: c.Slug, Name: c.Name, Headline: c.Headline, Start: c.Start, End: c.End, Category: c.Category, Products: c.Products}
	if k.Start.IsZero() {
		k.Start = now.Add(c.In)
	}
	if k.End.IsZero() {
		k.End = k.Start.Add(24 * time.Hour)
	}
	return k.Checked()
}

func (c campaignSetCmd) Run(ctx context.Context, s streams) error {
	k, err := c.campaign(time.Now())
	if err != nil {
		return usageError{err}
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	var made shop.Campaign
	if err := client.Do(ctx, "PUT", campaignsPath+"/"+url.PathEscape(k.Slug), k, &made); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(s.Out, made)
	}
	_, err = fmt.Fprintf(s.Out, "%s: from %s until %s, at /sale/%s\n", made.Name, made.Start.Format(time.RFC3339), made.End.Format(time.RFC3339), made.Slug)
	return err
}

type campaignDeleteCmd struct {
	platformFlags
	Slug string `arg:"" help:"Its name in addresses."`
}

func (campaignDeleteCmd) Help() string { return "Example:\n  stampede campaign delete night" }

func (c campaignDeleteCmd) Run(ctx context.Context, _ streams) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	return client.Do(ctx, "DELETE", campaignsPath+"/"+url.PathEscape(c.Slug), nil, nil)
}
