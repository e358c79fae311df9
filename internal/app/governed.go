package app

import (
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stampede-shop/stampede/internal/app/governor"
)

// apiGC is how often an API process collects garbage without pressure.
const apiGC = 200

// govern lets an API process's memory, cache and transactions follow pressure.
func (s *stack) govern() {
	knobs := []*governor.Knob{governor.GCKnob(apiGC), {Name: "l1_share", Now: 1, Low: 0.1, High: 1, Step: 0.7, Press: governor.Strain.Short, Set: s.store.Resize}}
	if slots := float64(s.cfg.Checkout.Slots); s.batched != nil && slots > 1 {
		knobs = append(knobs, &governor.Knob{Name: governor.Slots, Now: slots, Low: 1, High: slots, Step: 0.7, Press: governor.Strain.Queued,
			Set: func(v float64) { s.batched.SetSlots(int(v)) }})
	}
	g := &governor.Gauges{Pools: func() (all []*pgxpool.Pool) {
		for _, n := range s.cluster.Nodes() {
			all = append(all, n.Pool)
		}
		return all
	}}
	s.governor = governor.New(s.log, g.Measure, knobs...)
	s.onClose(s.governor.Start())
}
