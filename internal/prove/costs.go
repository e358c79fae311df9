package prove

import (
	"context"
	"fmt"

	"github.com/stampede-shop/stampede/loadsim"
	"github.com/stampede-shop/stampede/loadsim/scenario"
	"github.com/stampede-shop/stampede/usl"
)

// Costs are what requests take, measured. Plan reckons with them.
type Costs struct {
	View    map[string]float64 `json:"cpu_s_per_view"`  // seconds of processor time by role, of a request of the browse mix through the edge
	Order   map[string]float64 `json:"cpu_s_per_order"` // of a cart and its checkout, with what follows in the background
	Idle    map[string]float64 `json:"cores_idle"`      // cores that are busy when nobody comes
	Memory  map[string]int64   `json:"memory_bytes"`    // of one process
	Egress  float64            `json:"egress_per_view"` // bytes, compressed
	Written float64            `json:"written_per_order"`
	Read    float64            `json:"read_per_order"`
	Hot     float64            `json:"hot_orders_per_s"` // of one product, on one shard
	Law     *usl.Law           `json:"api_law,omitempty"`
	Checks  []HoldOut          `json:"checks,omitempty"` // what was predicted from these figures, and what was measured
}

// costs measures what a view and an order take, by role, and checks the sum against journeys, which are both.
func (t *trial) costs(ctx context.Context) error {
	t.say("costs of a view and of an order")
	b, err := t.browse(ctx)
	if err != nil {
		return err
	}
	w, err := t.walk(ctx)
	if err != nil {
		return err
	}
	trade, err := t.trade(ctx)
	if err != nil {
		return err
	}
	idle := t.idle
	if len(idle) == 0 || len(b.used) == 0 || len(trade.used) == 0 || len(w.used) == 0 {
		return fmt.Errorf("%w: what the platform's processes use is not known", ErrCannot)
	}
	c := Costs{View: map[string]float64{}, Order: map[string]float64{}, Idle: idle, Memory: map[string]int64{}}
	n := float64(max(1, trade.Orders))
	for role, r := range trade.used {
		c.View[role] = max(0, b.used[role].CPU-idle[role]*b.Seconds) / float64(b.Requests)
		c.Order[role] = max(0, r.CPU-idle[role]*trade.Seconds) / n
		c.Memory[role] = r.Memory / int64(max(1, r.Processes))
		c.Written += float64(r.Written) / n
		c.Read += float64(r.Read) / n
	}
	views := float64(w.Requests - 2*w.Orders) // what was no cart and no checkout
	c.Egress = float64(w.egress) / float64(w.Requests)
	c.check(w, views)
	if t.rushed.done {
		c.Hot = t.rushed.value.pace
	}
	if s := t.report.Scaling; s != nil && s.Fit != nil {
		c.Law = &s.Fit.Law
		if s.HoldOut != nil {
			c.Checks = append(c.Checks, *s.HoldOut)
		}
	}
	t.report.Costs = &c
	return nil
}

// check predicts what journeys took from the cost of views and orders.
func (c *Costs) check(w walking, views float64) {
	var predicted, measured float64
	for _, role := range roleOrder {
		p := c.Idle[role]*w.Seconds + views*c.View[role] + float64(w.Orders)*c.Order[role]
		m := w.used[role].CPU
		predicted, measured = predicted+p, measured+m
		if m/max(w.Seconds, 0.001) >= 0.02 { // less is the clock's own grain
			c.Checks = append(c.Checks, HoldOut{role + ": processor seconds of the journeys", p, m})
		}
	}
	c.Checks = append(c.Checks, HoldOut{"all roles: processor seconds of the journeys", predicted, measured})
}

// rest looks what roles use while nobody comes; where that cannot be told nothing is known.
func (t *trial) rest(ctx context.Context) {
	before, err := t.platform.Usage(ctx)
	if err != nil || pause(ctx, t.pace.probe/2) != nil {
		return
	}
	after, err := t.platform.Usage(ctx)
	if err != nil {
		return
	}
	t.idle = map[string]float64{}
	for role, r := range after.since(before) {
		t.idle[role] = r.CPU / after.At.Sub(before.At).Seconds()
	}
}

const (
	tradeRate = 100.0 // orders a second
	perTrade  = 150   // requests/s that the browse mix must reach for each of them
)

// trade are carts and checkouts alone. They come before anything is broken: who was started anew is busy with warming up.
func (t *trial) trade(ctx context.Context) (Load, error) {
	return t.traded.get(func() (Load, error) {
		b, err := t.browse(ctx)
		if err != nil {
			return Load{}, err
		}
		load := scenario.Load{Model: scenario.Open, Per: scenario.PerSession, Rate: max(t.o.least, min(tradeRate, b.Capacity/perTrade)), Duration: 2 * t.pace.probe}
		l, _, err := t.watched(ctx, func() (*loadsim.Report, error) {
			return t.play(ctx, "trade", load, do(scenario.Add, walkUnits, scenario.OfHot), do(scenario.Checkout, 1, ""))
		})
		return l, err
	})
}
