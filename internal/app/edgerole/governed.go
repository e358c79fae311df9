package edgerole

import (
	"log/slog"

	"github.com/stampede-shop/stampede/internal/app/governor"
)

// edgeGC is how often an edge collects garbage without pressure.
const edgeGC = 100

// newGovernor lets the edge's memory follow pressure. What it refuses when it lacks processor
// time is up to admission, whose bound advice may move.
func (n *Node) newGovernor(log *slog.Logger) *governor.Governor {
	return governor.New(log, (&governor.Gauges{}).Measure, append(n.admissionKnob(), governor.GCKnob(edgeGC))...)
}

// admissionKnob is the edge's limit on requests under way, which only advice moves: admission itself follows what it measures.
func (n *Node) admissionKnob() []*governor.Knob {
	if n.admission == nil {
		return nil
	}
	c := n.cfg.Admission
	return []*governor.Knob{{Name: governor.Admission, Now: float64(c.Max), Low: float64(c.Min), High: float64(c.Max), Step: 1,
		Press: func(governor.Strain) (int, string) { return 0, "" }, Set: func(v float64) { n.admission.Bound(c.Min, int(v)) }}}
}
