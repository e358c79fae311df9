package app

import "log/slog"

// edgeGC is how often an edge collects garbage without pressure.
const edgeGC = 100

// newGovernor lets the edge's memory follow pressure. What it refuses when it lacks processor
// time is up to admission.
func (n *edgeNode) newGovernor(log *slog.Logger) *governor {
	return newGovernor(log, (&gauges{}).measure, gcKnob(edgeGC))
}
