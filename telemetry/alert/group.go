package alert

import "time"

// Notification is what is told of a group at once: all its alerts that fire, and those that ended since it was last told of.
type Notification struct {
	At       time.Time `json:"at"`
	Group    string    `json:"group"`
	Status   State     `json:"status"`             // firing while one does, else resolved
	Severity Severity  `json:"severity"`           // the gravest
	Repeated bool      `json:"repeated,omitempty"` // nothing new: it still is so
	Alerts   []Alert   `json:"alerts"`
}

// group is when the alerts of a group are told of.
type group struct {
	name  string
	dirty time.Time // something is to be told since; zero for nothing
	sent  time.Time // last
}

// due are the notifications whose time has come; under the lock.
func (e *Engine) due(t time.Time) (list []Notification) {
	for _, g := range e.groups {
		if n, ok := e.notification(g, t); ok {
			list = append(list, n)
		}
	}
	return list
}

func (e *Engine) notification(g *group, t time.Time) (n Notification, ok bool) {
	fresh, firing := e.news(g.name, t)
	repeat := !fresh && firing && e.o.Repeat > 0 && t.Sub(g.sent) >= e.o.Repeat
	switch {
	case !fresh && !repeat:
		g.dirty = time.Time{}
		return n, false
	case fresh && g.dirty.IsZero():
		g.dirty = t
	}
	if fresh && (t.Sub(g.dirty) < e.o.GroupWait || !g.sent.IsZero() && t.Sub(g.sent) < e.o.GroupInterval) {
		return n, false
	}
	n = Notification{At: t, Group: g.name, Status: Resolved, Repeated: repeat, Severity: Info}
	for _, a := range e.alerts {
		if a.rule.Group != g.name || t.Before(a.silence) || a.state != Firing && !a.unsaid() {
			continue
		}
		al := a.alert(t)
		if a.state == Firing {
			n.Status, a.told = Firing, Firing
		} else {
			al.State, a.told = Resolved, Resolved
		}
		if rank(al.Severity) > rank(n.Severity) {
			n.Severity = al.Severity
		}
		n.Alerts = append(n.Alerts, al)
	}
	g.dirty, g.sent = time.Time{}, t
	return n, true
}

// unsaid tells that an alert has begun or ended since it was last told of. One that came and went in between is not worth a word.
func (a *tracked) unsaid() bool {
	if a.state == Firing {
		return a.told != Firing
	}
	return a.told == Firing // pending again or not: it was over
}

// news tells whether there is something to say about a group, and whether it fires.
func (e *Engine) news(name string, t time.Time) (fresh, firing bool) {
	for _, a := range e.alerts {
		if a.rule.Group == name && !t.Before(a.silence) {
			fresh = fresh || a.unsaid()
			firing = firing || a.state == Firing
		}
	}
	return fresh, firing
}

func rank(s Severity) int {
	switch s {
	case Page:
		return 2
	case Ticket:
		return 1
	}
	return 0
}
