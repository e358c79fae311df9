package running

import (
	"time"

	"github.com/stampede-shop/stampede/chaos"
	"github.com/stampede-shop/stampede/predict/act"
	"github.com/stampede-shop/stampede/predict/bottleneck"
	"github.com/stampede-shop/stampede/predict/diagnosis"
)

// Advice is a bottleneck that is foretold, or a fault that was found: then Found is set, and what follows it.
type Advice struct {
	bottleneck.Advice
	Found     bool      `json:"found"`
	Component string    `json:"component,omitempty"`
	Fault     string    `json:"fault,omitempty"`
	Primary   bool      `json:"primary,omitempty"` // Component is a database server that took writes when this began
	Cause     string    `json:"cause,omitempty"`
	Since     time.Time `json:"since,omitzero"`
	Runbook   string    `json:"runbook,omitempty"`
	Weight    float64   `json:"weight,omitempty"`
}

// AdviceStatus is what `GET /admin/advice` answers: what is wrong now, what is full or will be, the first first; and what was measured
// last. Injected are the faults that a chaos experiment has in force here: no advice is made from them.
type AdviceStatus struct {
	Time     time.Time          `json:"time"`
	Advice   []Advice           `json:"advice"`
	Injected []chaos.Injection  `json:"injected,omitempty"`
	Sample   *bottleneck.Sample `json:"sample,omitempty"`
	Signals  *diagnosis.Sample  `json:"signals,omitempty"`
	Acting   *act.Status        `json:"acting,omitempty"` // what was done about it, where that is allowed
}

// ActRequest switches acting on advice on, or off, which takes back what was done.
type ActRequest struct {
	On bool `json:"on"`
}
