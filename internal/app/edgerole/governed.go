package edgerole

import (
	"log/slog"

	"github.com/stampede-shop/stampede/internal/app/governor"
)

// edgeGC is how often an edge collects garbage without pressure.
const edgeGC = 100

// newGovernor lets the edge's memory follow pressure. What it refuses when it lacks processor
// time is up to admission.
func (n *Node) newGovernor(log *slog.Logger) *governor.Governor {
	return governor.New(log, (&governor.Gauges{}).Measure, governor.GcKnob(edgeGC))
}
