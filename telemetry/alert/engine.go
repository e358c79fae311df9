package alert

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Options configure an [Engine]; the zero value works and has no rules.
type Options struct {
	Rules []Rule
	// Stale is how long an alert outlives its samples. Default 1 min.
	Stale time.Duration
	// Keep is how long resolved alerts are listed. Default 15 min.
	Keep time.Duration
	// History bounds the events that are remembered. Default 256.
	History int
	// GroupWait is how long the first alert of a group waits for others to be told with it. Default 10 s; negative none.
	GroupWait time.Duration
	// GroupInterval is the least time between two notifications of a group. Default 1 min; negative none.
	GroupInterval time.Duration
	// Repeat is after how long a group that still fires is told of again. Default 4 h; negative never.
	Repeat time.Duration
	// Notify is called with what is to be told, and must not block: [Dispatcher.Send] does not. nil tells nobody.
	Notify func(Notification)
}

// Engine judges samples by rules. Make it with [New]; it is safe for concurrent use and has no goroutine of its own.
type Engine struct {
	o Options

	mu      sync.Mutex
	now     time.Time // of the last samples
	alerts  []*tracked
	groups  []*group // in the order of the rules
	history []Event  // the newest last
}

// Event is that an alert began or ended.
type Event struct {
	At       time.Time `json:"at"`
	Name     string    `json:"name"`
	State    State     `json:"state"` // firing or resolved
	Severity Severity  `json:"severity"`
	Value    float64   `json:"value"`
	Reason   string    `json:"reason"`
}

// New makes an engine; an [ErrRule] names a rule that cannot be used.
func New(o Options) (*Engine, error) {
	def(&o.Stale, time.Minute)
	def(&o.Keep, 15*time.Minute)
	def(&o.History, 256)
	def(&o.GroupWait, 10*time.Second)
	def(&o.GroupInterval, time.Minute)
	def(&o.Repeat, 4*time.Hour)
	e := &Engine{o: o}
	for _, r := range o.Rules {
		if err := r.check(); err != nil {
			return nil, err
		}
		if e.find(r.Name) != nil {
			return nil, fmt.Errorf("%w: %q: there are two of that name", ErrRule, r.Name)
		}
		e.alerts = append(e.alerts, &tracked{rule: r, judge: r.When.judge()})
		if !slices.ContainsFunc(e.groups, func(g *group) bool { return g.name == r.Group }) {
			e.groups = append(e.groups, &group{name: r.Group})
		}
	}
	return e, nil
}

func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

func (e *Engine) find(name string) *tracked {
	i := slices.IndexFunc(e.alerts, func(a *tracked) bool { return a.rule.Name == name })
	if i < 0 {
		return nil
	}
	return e.alerts[i]
}

// Observe judges the samples of time t. Those that are not newer than the last are ignored. O(rules).
func (e *Engine) Observe(t time.Time, m map[string]float64) {
	var tell []Notification
	func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if !t.After(e.now) {
			return
		}
		e.now = t
		for _, a := range e.alerts {
			if a.observe(t, m, e.o.Stale, e.o.Keep) {
				e.remember(Event{t, a.rule.Name, a.state, a.rule.Severity, a.value, a.reason})
			}
		}
		tell = e.due(t)
	}()
	for _, n := range tell {
		if e.o.Notify != nil {
			e.o.Notify(n)
		}
	}
}

func (e *Engine) remember(ev Event) {
	if over := len(e.history) + 1 - e.o.History; over > 0 {
		e.history = append(e.history[:0], e.history[over:]...)
	}
	e.history = append(e.history, ev)
}

// History lists what began and ended, the newest first.
func (e *Engine) History() []Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := slices.Clone(e.history)
	slices.Reverse(out)
	return out
}

// Alerts lists what fires, is pending, or ended a moment ago, in this order, the gravest and newest first.
func (e *Engine) Alerts() []Alert {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := []Alert{}
	for _, a := range e.alerts {
		if a.state != "" {
			out = append(out, a.alert(e.now))
		}
	}
	states, severities := []State{Firing, Pending, Resolved}, []Severity{Page, Ticket, Info}
	slices.SortStableFunc(out, func(a, b Alert) int {
		return cmp.Or(slices.Index(states, a.State)-slices.Index(states, b.State),
			slices.Index(severities, a.Severity)-slices.Index(severities, b.Severity), b.Since.Compare(a.Since), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// Silence keeps an alert from being told of until a time; one in the past ends a silence. It tells whether there is such a rule.
// The alert is still judged and listed.
func (e *Engine) Silence(name string, until time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	a := e.find(name)
	if a != nil {
		a.silence = until
	}
	return a != nil
}

// Silences lists which alerts are silenced until when.
func (e *Engine) Silences() map[string]time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := map[string]time.Time{}
	for _, a := range e.alerts {
		if e.now.Before(a.silence) {
			out[a.rule.Name] = a.silence
		}
	}
	return out
}

// Rules lists the rules in force.
func (e *Engine) Rules() []Rule { return slices.Clone(e.o.Rules) }
