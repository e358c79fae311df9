package alert

import (
	"errors"
	"fmt"
	"time"
)

// ErrRule says that a rule cannot be used; the error names it and why.
var ErrRule = errors.New("alert: rule not usable")

// Severity is how soon somebody has to look.
type Severity string

// The severities.
const (
	Page   Severity = "page"   // now
	Ticket Severity = "ticket" // today
	Info   Severity = "info"   // when looking anyway
)

// Rule is what has to be the case for an alert.
type Rule struct {
	Name     string            // unique, in-this-form
	Severity Severity          //
	Group    string            // alerts of a group are told of together
	Text     string            // what it means for shoppers or operators, in a sentence
	Runbook  string            // the file that says what to do
	Labels   map[string]string // whatever else notifications should carry
	When     Condition
	For      time.Duration // how long the condition has to hold; 0: one observation is enough
	Recovery time.Duration // how long it has to be gone; 0: as For, but 15 s at least
}

// Condition is a [Threshold], an [Anomaly] or a [Burn].
type Condition interface {
	check() error
	judge() judge
}

// judge is a condition at work: it remembers what it has to.
type judge interface {
	// observe looks at the samples of time t; firing tells that the alert fires, so that what has to hold is less.
	observe(t time.Time, m map[string]float64, firing bool) verdict
}

// verdict is what a judge makes of an observation.
type verdict struct {
	known bool // false: the samples do not say
	holds bool
	value float64 // what was judged
	text  string  // how it compares
}

// Guard makes a condition hold only while a sample is at least AtLeast: ratios of next to no requests say nothing.
type Guard struct {
	Sample  string
	AtLeast float64
}

func (g Guard) open(m map[string]float64) bool {
	if g.Sample == "" {
		return true
	}
	v, ok := sample(m, g.Sample)
	return ok && v >= g.AtLeast
}

// sample is a sample that is a number.
func sample(m map[string]float64, name string) (float64, bool) {
	v, ok := m[name]
	return v, ok && v-v == 0 // neither NaN nor infinite
}

const leastRecovery = 15 * time.Second

func (r Rule) recovery() time.Duration {
	if r.Recovery > 0 {
		return r.Recovery
	}
	return max(r.For, leastRecovery)
}

func (r Rule) check() error {
	fail := func(why string) error { return fmt.Errorf("%w: %q: %s", ErrRule, r.Name, why) }
	switch {
	case r.Name == "":
		return fail("it has no name")
	case r.When == nil:
		return fail("it has no condition")
	case r.For < 0 || r.Recovery < 0:
		return fail("For and Recovery must not be negative")
	case r.Severity != Page && r.Severity != Ticket && r.Severity != Info:
		return fail(fmt.Sprintf("severity %q: one of page, ticket, info", r.Severity))
	}
	if err := r.When.check(); err != nil {
		return fail(err.Error())
	}
	return nil
}
