package alert

import (
	"maps"
	"time"
)

// State is how far an alert is.
type State string

// The states.
const (
	Pending  State = "pending"  // the condition holds, but not for long enough
	Firing   State = "firing"   //
	Resolved State = "resolved" // it fired and is over
)

// Alert is an alert that is, or was a moment ago.
type Alert struct {
	Name     string            `json:"name"`
	State    State             `json:"state"`
	Severity Severity          `json:"severity"`
	Group    string            `json:"group"`
	Since    time.Time         `json:"since"` // its condition holds, or held
	FiredAt  *time.Time        `json:"fired_at,omitempty"`
	EndedAt  *time.Time        `json:"ended_at,omitempty"`
	Value    float64           `json:"value"`   // now, or last
	Text     string            `json:"text"`    // what it means
	Reason   string            `json:"reason"`  // the figures
	Runbook  string            `json:"runbook"` //
	Labels   map[string]string `json:"labels,omitempty"`
	Silenced bool              `json:"silenced,omitempty"`
}

// tracked is a rule with what is known of it.
type tracked struct {
	rule    Rule
	judge   judge
	state   State     // "" for nothing
	since   time.Time // the condition holds
	fired   time.Time
	ended   time.Time
	gone    time.Time // the condition does not hold any more, though the alert fires
	seen    time.Time // the samples last said something
	value   float64
	reason  string
	told    State // the last that was told of it
	silence time.Time
}

// observe moves the alert on; it reports whether it began or ceased to fire.
func (a *tracked) observe(t time.Time, m map[string]float64, stale, keep time.Duration) bool {
	if a.state == Resolved && t.Sub(a.ended) >= keep {
		a.state = ""
	}
	v := a.judge.observe(t, m, a.state == Firing)
	if !v.known {
		return a.unknown(t, stale)
	}
	if a.state == Pending && t.Sub(a.seen) > stale {
		a.since = t // nobody knows whether it held all the time
	}
	a.seen = t
	if v.holds || a.state == Pending || a.state == Firing {
		a.value, a.reason = v.value, v.text
	}
	if v.holds {
		return a.holds(t)
	}
	return a.holdsNot(t)
}

func (a *tracked) holds(t time.Time) bool {
	a.gone = time.Time{}
	if a.state == "" || a.state == Resolved {
		a.state, a.since = Pending, t
	}
	if a.state == Pending && t.Sub(a.since) >= a.rule.For {
		a.state, a.fired, a.ended = Firing, t, time.Time{}
		return true
	}
	return false
}

func (a *tracked) holdsNot(t time.Time) bool {
	switch {
	case a.state == Pending:
		a.state = ""
		if !a.ended.IsZero() {
			a.state = Resolved // as it was before
		}
	case a.state == Firing && a.gone.IsZero():
		a.gone = t
	}
	if a.state == Firing && t.Sub(a.gone) >= a.rule.recovery() {
		a.end(t)
		return true
	}
	return false
}

// unknown ends what nobody can tell about any more.
func (a *tracked) unknown(t time.Time, stale time.Duration) bool {
	if t.Sub(a.seen) <= stale {
		return false
	}
	switch a.state {
	case Pending:
		a.state = ""
	case Firing:
		a.reason = "there are no figures any more; the last: " + a.reason
		a.end(t)
		return true
	}
	return false
}

func (a *tracked) end(t time.Time) {
	a.state, a.ended, a.gone = Resolved, t, time.Time{}
}

func (a *tracked) alert(now time.Time) Alert {
	out := Alert{Name: a.rule.Name, State: a.state, Severity: a.rule.Severity, Group: a.rule.Group, Since: a.since, Value: a.value,
		Text: a.rule.Text, Reason: a.reason, Runbook: a.rule.Runbook, Labels: maps.Clone(a.rule.Labels), Silenced: now.Before(a.silence)}
	if fired := a.fired; a.state != Pending && !fired.IsZero() {
		out.FiredAt = &fired
	}
	if ended := a.ended; a.state == Resolved {
		out.EndedAt = &ended
	}
	return out
}
