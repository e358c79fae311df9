package shop

import (
	"strings"
	"testing"
	"time"
)

func TestCampaignChecked(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 27, 8, 0, 0, 0, time.FixedZone("CET", 3600))
	good := Campaign{Name: "Black Friday", Start: start, End: start.Add(time.Hour), Category: " a // b "}
	c, err := good.Checked()
	if err != nil || c.Slug != "black-friday" || c.Category != "a/b" || c.Start.Location() != time.UTC || !c.Start.Equal(start) {
		t.Errorf("%+v, %v", c, err)
	}
	for field, spoil := range map[string]func(*Campaign){
		"slug":     func(c *Campaign) { c.Slug = "A/B" },
		"name":     func(c *Campaign) { c.Name, c.Slug = "", "x" },
		"headline": func(c *Campaign) { c.Headline = strings.Repeat("x", MaxHeadline+1) },
		"start":    func(c *Campaign) { c.Start = time.Time{} },
		"end":      func(c *Campaign) { c.End = c.Start },
		"products": func(c *Campaign) { c.Products = []int64{1} }, // and a category
	} {
		bad := good
		spoil(&bad)
		if _, err := bad.Checked(); CodeOf(err) != CodeInvalid || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	for _, ids := range [][]int64{nil, {0}, {1, 1}, make([]int64, MaxCampaignProducts+1)} {
		bad := good
		bad.Category, bad.Products = "", ids
		if _, err := bad.Checked(); CodeOf(err) != CodeInvalid {
			t.Errorf("products %v: %v", ids, err)
		}
	}
}

func TestCurrentCampaigns(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 27, 8, 0, 0, 0, time.UTC)
	at := func(slug string, from, to int) Campaign {
		return Campaign{Slug: slug, Start: now.Add(time.Duration(from) * time.Hour), End: now.Add(time.Duration(to) * time.Hour)}
	}
	list := []Campaign{at("later", 2, 3), at("over", -1, 0), at("long", -1, 5), at("soon", 1, 9), at("now", 0, 1)}
	var got []string
	for _, c := range Current(list, now) {
		got = append(got, c.Slug)
	}
	if s := strings.Join(got, " "); s != "now long soon later" {
		t.Errorf("shown: %s", s)
	}
	if n := list[0].Next(now); !n.Equal(list[0].Start) || !list[2].Next(now).Equal(list[2].End) || !list[1].Next(now).IsZero() {
		t.Error("what comes next is wrong")
	}
	if list[1].Slug != "over" {
		t.Error("the list handed in was changed")
	}
}
