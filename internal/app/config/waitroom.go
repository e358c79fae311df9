package config

import (
	"fmt"
	"time"
)

// WaitroomConfig gives shoppers a place in line: for the shop as a whole while more is asked for than the API can answer, and
// for what goes on sale at a certain time. It needs session keys and edge.profile shop.
type WaitroomConfig struct {
	Enabled bool    `koanf:"enabled"`
	File    string  `koanf:"file"` // where the queues outlive a restart; empty: nowhere
	Rate    float64 `koanf:"rate"` // admissions a second to begin with
	MinRate float64 `koanf:"min_rate"`
	MaxRate float64 `koanf:"max_rate"`
	// After is for how long demand has to exceed capacity before the shop queues.
	After time.Duration `koanf:"after"`
	Doors []DoorsConfig `koanf:"doors"`
}

// DoorsConfig is when products go on sale. Places are given from Before ahead of Opens; from Until on nobody waits for them.
type DoorsConfig struct {
	Name     string        `koanf:"name"`
	Products []int64       `koanf:"products"`
	Opens    time.Time     `koanf:"opens"`
	Before   time.Duration `koanf:"before"` // default 30m
	Until    time.Time     `koanf:"until"`  // default a day after Opens
}

// ShopRoom is the name of the room for the shop as a whole.
const ShopRoom = "shop"

// defaultWaitroom is the configuration before any file, variable or flag.
func defaultWaitroom() WaitroomConfig {
	return WaitroomConfig{Enabled: true, Rate: 50, MinRate: 5, MaxRate: 5000, After: 5 * time.Second}
}

// WithDefaults fills in what was left open.
func (d DoorsConfig) WithDefaults() DoorsConfig {
	if d.Before == 0 {
		d.Before = 30 * time.Minute
	}
	if d.Until.IsZero() {
		d.Until = d.Opens.Add(24 * time.Hour)
	}
	return d
}

func (c WaitroomConfig) validate(bad complain) {
	if !(c.MinRate > 0 && c.MinRate <= c.Rate && c.Rate <= c.MaxRate && c.MaxRate <= 1e6) {
		bad("edge.waitroom.rate", c.Rate, fmt.Sprintf("admissions a second, from min_rate (%v, more than 0) to max_rate (%v, at most 1000000)", c.MinRate, c.MaxRate))
	}
	if c.After < time.Second || c.After > time.Hour {
		bad("edge.waitroom.after", c.After, "1s to 1h")
	}
	names := map[string]bool{ShopRoom: true}
	for i, d := range c.Doors {
		key := fmt.Sprintf("edge.waitroom.doors[%d]", i)
		if names[d.Name] || !roomName(d.Name) {
			bad(key+".name", quote(d.Name), "up to 40 lower-case letters, digits and hyphens that no other doors have")
		}
		names[d.Name] = true
		d.validate(key, bad)
	}
	if len(c.Doors) > maxCampaigns {
		bad("edge.waitroom.doors", len(c.Doors), fmt.Sprintf("at most %d", maxCampaigns))
	}
}

func (d DoorsConfig) validate(key string, bad complain) {
	if len(d.Products) == 0 || len(d.Products) > maxDoorProducts {
		bad(key+".products", len(d.Products), fmt.Sprintf("1 to %d numbers of products", maxDoorProducts))
	}
	if d.Opens.IsZero() {
		bad(key+".opens", quote(""), "when the doors open, such as 2026-11-27T08:00:00Z")
	}
	if d.Before < 0 || d.Before > 7*24*time.Hour {
		bad(key+".before", d.Before, "0s (for 30m) to 168h")
	}
	if !d.Until.IsZero() && !d.Until.After(d.Opens) {
		bad(key+".until", d.Until, "after the doors open")
	}
}

// maxDoorProducts bounds the products of one room: their stock is asked for, and their numbers travel in a header.
const maxDoorProducts = 100

func roomName(s string) bool {
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return s != "" && len(s) <= 40
}
