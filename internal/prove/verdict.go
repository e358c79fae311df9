package prove

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Outcomes of a criterion.
const (
	Holds   = "holds"
	Fails   = "fails"
	Skipped = "skipped"
)

// Criterion is one promise.
type Criterion struct {
	Number int
	ID     string
	Name   string
	Target string
	// Measure finds out. An error that is ErrCannot skips the criterion, any other fails it.
	Measure func(ctx context.Context, t *trial) (Finding, error)
}

// Finding is what a measurement found.
type Finding struct {
	Holds    bool
	Measured string  // for people
	Value    float64 // for programs, in Unit
	Unit     string
	How      string   // it was measured
	Limits   string   // what limits the figure now
	Details  []string // further figures
}

// Verdict is a criterion with what was found.
type Verdict struct {
	Number   int      `json:"number"`
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Target   string   `json:"target"`
	Outcome  string   `json:"outcome"` // holds, fails or skipped
	Measured string   `json:"measured"`
	Value    float64  `json:"value"`
	Unit     string   `json:"unit,omitempty"`
	How      string   `json:"how"`
	Limits   string   `json:"limits,omitempty"`
	Details  []string `json:"details,omitempty"`
	Took     float64  `json:"took_s"`
}

// judge measures one criterion.
func (c Criterion) judge(ctx context.Context, t *trial) Verdict {
	begun := time.Now()
	f, err := c.Measure(ctx, t)
	v := Verdict{
		Number: c.Number, ID: c.ID, Name: c.Name, Target: c.Target, Outcome: Fails, Measured: f.Measured, Value: f.Value, Unit: f.Unit,
		How: f.How, Limits: f.Limits, Details: f.Details, Took: time.Since(begun).Seconds(),
	}
	switch {
	case errors.Is(err, ErrCannot):
		v.Outcome, v.Measured, v.How = Skipped, "nothing", err.Error()
	case err != nil:
		v.Measured, v.How = "could not be measured", fmt.Sprint("failed: ", err)
	case f.Holds:
		v.Outcome = Holds
	}
	return v
}
