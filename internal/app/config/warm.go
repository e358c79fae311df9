package config

import (
	"cmp"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"gopkg.in/yaml.v3"
)

// WarmConfig says how an API process brings into the caches what will be asked for. All processes that share a database spend their
// own budget on it.
type WarmConfig struct {
	Start       bool          `koanf:"start"`        // when it starts, and when an edge does
	ReadyWithin time.Duration `koanf:"ready_within"` // how long shoppers are kept away meanwhile, at most
	Top         int           `koanf:"top"`          // items at most; how many pay is learnt
	Rate        float64       `koanf:"rate"`         // loads a second at most
	Share       float64       `koanf:"share"`        // of catalog.pool_size that it may use at a time
	MaxLatency  time.Duration `koanf:"max_latency"`  // it pauses while 5 % of the requests take longer
	HalfLife    time.Duration `koanf:"half_life"`    // after which a request counts half
	Margin      float64       `koanf:"margin"`       // of products without an attribute "margin": a share of the price
	Predict     bool          `koanf:"predict"`      // rank products by a model of demand, where that did better than frequency
	ModelDir    string        `koanf:"model_dir"`    // folder that keeps the model, a file a process; empty: it is forgotten at a restart
	// Edges are warmed by requests, and tell what they are asked for.
	Edges     []WarmEdgeConfig `koanf:"edges"`
	Campaigns []CampaignConfig `koanf:"campaigns"`
}

// WarmEdgeConfig is one edge. URL is the shop's address as shoppers know it; Connect is where this edge listens, host:port or unix:PATH,
// when that is another; Ops is its operations endpoint.
type WarmEdgeConfig struct {
	URL     string `koanf:"url"`
	Connect string `koanf:"connect"`
	Ops     string `koanf:"ops"`
}

// CampaignConfig is when what will be wanted all at once. From Before its Start until its End its products are worth Boost times as
// much to warm; before the Start all of them are.
type CampaignConfig struct {
	Name       string        `koanf:"name"`
	Start      time.Time     `koanf:"start"`
	End        time.Time     `koanf:"end"` // default a day after Start
	Before     time.Duration `koanf:"before"`
	Boost      float64       `koanf:"boost"`
	Products   []int64       `koanf:"products"`
	Categories []string      `koanf:"categories"`
}

// defaultWarm is the configuration before any file, variable or flag.
func defaultWarm() WarmConfig {
	return WarmConfig{Start: true, ReadyWithin: 500 * time.Millisecond, Top: 10_000, Rate: 4000, Share: 0.1,
		MaxLatency: 100 * time.Millisecond, HalfLife: time.Hour, Margin: 0.3, Predict: true}
}

const (
	campaignBefore = 10 * time.Minute
	campaignBoost  = 4
	maxCampaigns   = 100
)

// WithDefaults fills in what was left open.
func (c CampaignConfig) WithDefaults() CampaignConfig {
	c.Before, c.Boost = cmp.Or(c.Before, campaignBefore), cmp.Or(c.Boost, campaignBoost)
	if c.End.IsZero() {
		c.End = c.Start.Add(24 * time.Hour)
	}
	return c
}

// On tells whether the campaign is on, or about to be.
func (c CampaignConfig) On(at time.Time) bool {
	return !at.Before(c.Start.Add(-c.Before)) && at.Before(c.End)
}

func (c Config) validateWarm(bad complain) {
	w := c.Warm
	if w.Top < 1 || w.Top > 100_000 {
		bad("warm.top", w.Top, "1 to 100000 items")
	}
	if !(w.Rate > 0 && w.Rate <= 1e6) {
		bad("warm.rate", w.Rate, "more than 0 and at most 1000000 loads a second")
	}
	if !(w.Share > 0 && w.Share <= 1) {
		bad("warm.share", w.Share, "a share above 0 and at most 1")
	}
	if !(w.Margin >= 0 && w.Margin <= 1) {
		bad("warm.margin", w.Margin, "a share between 0 and 1")
	}
	for key, d := range map[string]time.Duration{"warm.ready_within": w.ReadyWithin, "warm.max_latency": w.MaxLatency} {
		if d < 0 || d > time.Minute {
			bad(key, d, "0s to 1m")
		}
	}
	if w.HalfLife < time.Minute {
		bad("warm.half_life", w.HalfLife, "at least 1m")
	}
	for i, e := range w.Edges {
		e.validate(fmt.Sprintf("warm.edges[%d]", i), bad)
	}
	names := map[string]bool{}
	for i, k := range w.Campaigns {
		key := fmt.Sprintf("warm.campaigns[%d]", i)
		if k.Name == "" || names[k.Name] {
			bad(key+".name", quote(k.Name), "a name that no other campaign has")
		}
		names[k.Name] = true
		k.validate(key, bad)
	}
	if len(w.Campaigns) > maxCampaigns {
		bad("warm.campaigns", len(w.Campaigns), fmt.Sprintf("at most %d", maxCampaigns))
	}
}

func (e WarmEdgeConfig) validate(key string, bad complain) {
	if u, err := url.Parse(e.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		bad(key+".url", quote(e.URL), "the shop's address, such as https://shop.example.com")
	}
	if e.Ops == "" {
		bad(key+".ops", quote(e.Ops), "the edge's operations endpoint: http://host:port or unix:PATH")
	}
}

func (c CampaignConfig) validate(key string, bad complain) {
	if c.Start.IsZero() {
		bad(key+".start", quote(""), "when it starts, such as 2026-11-27T00:00:00Z")
	}
	if !c.End.IsZero() && !c.End.After(c.Start) {
		bad(key+".end", c.End, "after its start")
	}
	if c.Before < 0 || c.Before > 24*time.Hour {
		bad(key+".before", c.Before, "0s (for 10m) to 24h")
	}
	if c.Boost < 0 || c.Boost > 1000 {
		bad(key+".boost", c.Boost, "0 (for 4) to 1000")
	}
	if len(c.Products) > MaxCampaignItems || len(c.Categories) > maxCampaigns {
		bad(key, quote(c.Name), fmt.Sprintf("at most %d products and %d categories", MaxCampaignItems, maxCampaigns))
	}
	if len(c.Products)+len(c.Categories) == 0 {
		bad(key, quote(c.Name), "one with products or categories")
	}
}

// warmHook reads STAMPEDE_WARM_CAMPAIGNS, STAMPEDE_WARM_EDGES and STAMPEDE_EDGE_WAITROOM_DOORS: lists in YAML or JSON.
func warmHook(from, to reflect.Type, data any) (any, error) {
	text, ok := data.(string)
	if !ok || to != reflect.TypeFor[[]CampaignConfig]() && to != reflect.TypeFor[[]WarmEdgeConfig]() && to != reflect.TypeFor[[]DoorsConfig]() {
		return data, nil
	}
	var list []map[string]any
	if err := yaml.Unmarshal([]byte(strings.TrimSpace(text)), &list); err != nil {
		return nil, err
	}
	return list, nil
}

// timeHook reads times; an empty text is none.
func timeHook(_, to reflect.Type, data any) (any, error) {
	text, ok := data.(string)
	if !ok || to != reflect.TypeFor[time.Time]() {
		return data, nil
	}
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil, &mapstructure.ParseError{Expected: reflect.ValueOf(at), Value: text, Err: err}
	}
	return at, nil
}

// MaxCampaignItems bounds the products of a campaign that are brought in, of each category and of those that are named.
const MaxCampaignItems = 5000
