package app

import (
	"context"
	"encoding/json"
	"path/filepath"
	"slices"

	"github.com/stampede-shop/stampede/analytics"
	"github.com/stampede-shop/stampede/internal/app/opshttp"
	"github.com/stampede-shop/stampede/internal/app/running"
	"github.com/stampede-shop/stampede/internal/dashboard"
	"github.com/stampede-shop/stampede/internal/local"
	"github.com/stampede-shop/stampede/internal/prove"
)

// enrich adds to a snapshot what is not in the metrics of the processes: whether they run, what was sold, and what that costs.
func (p *platformOps) enrich(ctx context.Context, st running.Status, prices prove.Prices, s *dashboard.Snapshot) {
	running := 0
	for _, x := range st.Processes {
		if x.State == string(local.StateRunning) {
			running++
		}
	}
	if len(st.Processes) > 0 {
		s.Values["processes.up_ratio"] = float64(running) / float64(len(st.Processes))
	}
	if w, ok := p.lastMinute(ctx); ok {
		s.Values["orders.per_min"] = w.OrdersPerMinute
		s.Values["revenue.per_min"] = float64(w.RevenueTotal)
		s.Values["shoppers.active"] = float64(w.Shoppers)
	}
	if perMinute := s.Values["orders.per_min"]; perMinute >= 1 {
		hour := prices.Machine(s.Values["cpu.cores"], s.Values["mem.bytes"])
		s.Values["cost.per_order"] = hour / 60 / perMinute
	}
}

// lastMinute is what the analytics process saw in the last minute; false when there is none, or it does not answer.
func (p *platformOps) lastMinute(ctx context.Context) (analytics.Window, bool) {
	members := p.members()
	i := slices.IndexFunc(members, func(m opshttp.Member) bool { return m.Name == running.AnalyticsName })
	if i < 0 {
		return analytics.Window{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, opshttp.Timeout)
	defer cancel()
	raw, err := opshttp.Get(ctx, members[i].Ops, "/internal/stats")
	var got struct {
		Windows analytics.Snapshot `json:"windows"`
	}
	if err != nil || json.Unmarshal(raw, &got) != nil {
		return analytics.Window{}, false
	}
	return got.Windows.Minute, true
}

// pricesIn are the prices in the data folder that the user may have changed, else those that ship.
func pricesIn(dir string) prove.Prices {
	if p, err := prove.ReadPrices(filepath.Join(dir, prove.PricesFile)); err == nil {
		return p
	}
	return prove.DefaultPrices()
}
