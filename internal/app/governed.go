package app

import (
	"github.com/jackc/pgx/v5/pgxpool"
)

// apiGC is how often an API process collects garbage without pressure.
const apiGC = 200

// govern lets an API process's memory, cache and transactions follow pressure.
func (s *stack) govern() {
	knobs := []*knob{gcKnob(apiGC), {name: "l1_share", now: 1, low: 0.1, high: 1, step: 0.7, press: strain.short, set: s.store.Resize}}
	if slots := float64(s.cfg.Checkout.Slots); s.batched != nil && slots > 1 {
		knobs = append(knobs, &knob{name: "checkout_slots", now: slots, low: 1, high: slots, step: 0.7, press: strain.queued,
			set: func(v float64) { s.batched.SetSlots(int(v)) }})
	}
	g := &gauges{pools: func() (all []*pgxpool.Pool) {
		for _, n := range s.cluster.Nodes() {
			all = append(all, n.Pool)
		}
		return all
	}}
	s.governor = newGovernor(s.log, g.measure, knobs...)
	s.onClose(s.governor.start())
}
