package experiment

import (
	"context"
	"errors"
	"time"

	"gopkg.in/yaml.v3"
)

// Lab has the system that is experimented with, and the load.
type Lab interface {
	// Ready says why the system is not what the experiment needs, and how to make it so.
	Ready(ctx context.Context, e *Experiment) error
	// Settle returns when the system is whole, or with an error when ctx ends before.
	Settle(ctx context.Context) error
	// Prepare makes a load ready, so that playing it begins at once.
	Prepare(ctx context.Context, load *yaml.Node) (Player, error)
	// Inject injects a fault, which lasts for so long unless it is undone before. When undo returns an error that is ErrFinding it
	// is undone, and something was seen that must not be.
	Inject(ctx context.Context, s Step) (undo func(context.Context) error, err error)
	// Audit checks what must never be wrong, and says what is.
	Audit(ctx context.Context) (wrong []string, err error)
	// Compare tells by how much the second load differs from the first.
	Compare(without, with Load) ([]Change, error)
}

// ErrFinding says that while a fault was in force something happened that must not.
var ErrFinding = errors.New("found")

// Player is a load that is ready to be offered.
type Player interface {
	// Play offers the load, and reports about once a second how the last second was. When ctx ends it is broken off, and what
	// was measured so far is returned with ctx's error.
	Play(ctx context.Context, watch func(Metrics)) (Load, error)
}

// Load is what was measured of a load.
type Load interface {
	Started() time.Time
	// Metrics of a part of the load, from and to counting from its start; to 0 is its end.
	Metrics(from, to time.Duration) Metrics
	Series() []Point
	// Failures are the bad answers in words, a line for each kind.
	Failures() []string
	// Doubts are reasons not to believe the figures.
	Doubts() []string
}

// Point is a moment of a load, for drawing.
type Point struct {
	At     float64 `json:"t"` // seconds since it began
	Rate   float64 `json:"rate"`
	Errors float64 `json:"error_rate"`
	P50    float64 `json:"p50"` // seconds
	P99    float64 `json:"p99"`
}

// Change is by how much a metric differs, with the interval in which the difference lies.
type Change struct {
	Metric  string  `json:"metric"` // as in Metrics
	Without float64 `json:"without"`
	With    float64 `json:"with"`
	Change  float64 `json:"change"`
	Low     float64 `json:"low"`
	High    float64 `json:"high"`
	Proven  bool    `json:"proven"` // the interval leaves out that there is none
	Share   bool    `json:"share"`  // a difference of shares, not a ratio
}
