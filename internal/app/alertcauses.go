package app

import (
	"slices"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/internal/app/running"
	"github.com/stampede-shop/stampede/predict/diagnosis"
	"github.com/stampede-shop/stampede/telemetry/alert"
)

// alertCause is a fault that can be what an alert is about.
type alertCause struct {
	Title     string `json:"title"`
	Component string `json:"component"`
	Fault     string `json:"fault"`
}

// causedAlert is an alert with what was found that can explain it.
type causedAlert struct {
	alert.Alert
	Causes []alertCause `json:"causes,omitempty"`
}

// behind lists, by the name of an alert, the faults that can raise it: of any component, or of those whose roles begin as what is before
// the slash. Whatever else is found at the same time is a coincidence; it is shown as advice, and not with the alert.
var behind = func() map[string][]string {
	of := func(component string, faults ...string) (out []string) {
		for _, f := range faults {
			out = append(out, component+"/"+f)
		}
		return out
	}
	unserved := []string{diagnosis.Down, diagnosis.Hang, diagnosis.Unreachable}
	crowd := []string{diagnosis.Spike, diagnosis.HotProduct, diagnosis.Pressure}
	late := slices.Concat([]string{diagnosis.Slow, diagnosis.DiskSlow, diagnosis.Emptied, diagnosis.SlowClients}, crowd, unserved)
	failed := slices.Concat([]string{diagnosis.Errors, diagnosis.DiskFull, diagnosis.Silent}, late)
	waits := slices.Concat([]string{diagnosis.Lag, diagnosis.Silent}, late)
	unwritten := slices.Concat(of("primary", unserved...), []string{diagnosis.DiskFull})
	servers := slices.Concat(of("primary", unserved...), of("replica", unserved...), of("primary", diagnosis.Slow), of("replica", diagnosis.Slow),
		[]string{diagnosis.DiskSlow, diagnosis.Lag})
	lookups := slices.Concat(of("redis", unserved...), of("redis", diagnosis.Slow), []string{diagnosis.Emptied}) // what Redis does not know, databases are asked for
	queue := slices.Concat(of("nats", unserved...), of("nats", diagnosis.Slow), of("worker", unserved...))
	return map[string][]string{
		"processes-down":    {diagnosis.Down, diagnosis.Hang},
		"error-budget-fast": failed,
		"error-budget-slow": failed,
		"errors-unusual":    failed,
		"orders-drop":       failed,
		"shedding":          late,
		"latency-high":      waits,
		"latency-unusual":   waits,
		"db-slow":           slices.Concat(servers, crowd, lookups),
		"db-unusual":        slices.Concat(servers, crowd, lookups),
		"replica-lag":       slices.Concat(servers, crowd),
		"replicas-gone":     servers,
		"queue-depth":       slices.Concat(queue, unwritten, crowd, []string{diagnosis.DiskSlow}),
		"dead-letters":      slices.Concat(unwritten, of("redis", unserved...), []string{diagnosis.Silent}),
		"traffic-drop":      slices.Concat(of("edge", unserved...), []string{diagnosis.SlowClients}),
		"edge-hits-drop":    slices.Concat(of("edge", unserved...), of("edge", diagnosis.Skew), of("nats", unserved...), []string{diagnosis.Spike}),
		"l1-hits-drop":      slices.Concat(of("api-", unserved...), lookups, crowd),
		"gc-pressure":       slices.Concat(crowd, []string{diagnosis.SlowClients}),
		"scheduler-late":    crowd,
		"cpu-saturated":     slices.Concat(crowd, lookups, []string{diagnosis.SlowClients}),
	}
}()

// foundLater is how much later than an alert's condition the signs of its cause may show: a diagnosis asks for more of them.
const foundLater = time.Minute

// explains tells whether what was found can be why an alert is there.
func explains(found running.Advice, a alert.Alert) bool {
	if a.State == alert.Resolved || found.Since.After(a.Since.Add(foundLater)) {
		return false
	}
	role := roleOf(found)
	return slices.ContainsFunc(behind[a.Name], func(entry string) bool {
		component, fault, of := strings.Cut(entry, "/")
		if !of {
			return entry == found.Fault
		}
		return fault == found.Fault && strings.HasPrefix(role, component)
	})
}

// roleOf is what a component was when its fault began. A database server has the name of its folder, whoever is the primary.
func roleOf(found running.Advice) string {
	switch {
	case found.Primary:
		return "primary"
	case strings.HasPrefix(found.Component, "primary"):
		return "replica"
	}
	return found.Component
}

// withCauses puts to each alert what of all that was found can explain it.
func withCauses(alerts []alert.Alert, found []running.Advice) []causedAlert {
	out := make([]causedAlert, len(alerts))
	for i, a := range alerts {
		out[i].Alert = a
		for _, f := range found {
			if explains(f, a) {
				out[i].Causes = append(out[i].Causes, alertCause{f.Title, f.Component, f.Fault})
			}
		}
	}
	return out
}
