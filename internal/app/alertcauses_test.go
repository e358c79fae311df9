package app

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/app/running"
	"github.com/stampede-shop/stampede/predict/diagnosis"
	"github.com/stampede-shop/stampede/telemetry/alert"
)

// What is found at the same time as an alert is its cause only where it can be.
func TestCausesOfAlerts(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)
	found := func(component, fault string, since time.Duration) running.Advice {
		return running.Advice{Found: true, Component: component, Fault: fault, Since: now.Add(since)}
	}
	primary := func(component, fault string) running.Advice {
		a := found(component, fault, 0)
		a.Primary = true
		return a
	}
	lag, redis := found("replica-1", diagnosis.Lag, 0), found("redis", diagnosis.Down, 0)
	for _, c := range []struct {
		alert string
		state alert.State
		found running.Advice
		want  bool
	}{
		{"dead-letters", alert.Firing, lag, false},
		{"dead-letters", alert.Firing, found("replica-1", diagnosis.Down, 0), false}, // writes do not need it
		{"dead-letters", alert.Firing, primary("primary", diagnosis.Down), true},
		{"dead-letters", alert.Firing, primary("replica-2", diagnosis.Down), true}, // which took writes since a failover
		{"dead-letters", alert.Firing, found("primary", diagnosis.Down, 0), false}, // which is a standby since
		{"replicas-gone", alert.Firing, found("primary", diagnosis.Down, 0), true},
		{"dead-letters", alert.Firing, found("shard1", diagnosis.DiskFull, 0), true},
		{"dead-letters", alert.Firing, found("nats", diagnosis.Unreachable, 0), false}, // what is not delivered is not given up
		{"dead-letters", alert.Firing, redis, true},
		{"replica-lag", alert.Firing, lag, true},
		{"replica-lag", alert.Pending, lag, true},
		{"replica-lag", alert.Resolved, lag, false},
		{"replica-lag", alert.Firing, redis, false},
		{"latency-unusual", alert.Firing, lag, true},
		{"gc-pressure", alert.Firing, lag, false},
		{"l1-hits-drop", alert.Firing, redis, true},
		{"queue-depth", alert.Firing, found("worker", diagnosis.Hang, 0), true},
		{"queue-depth", alert.Firing, found("worker", diagnosis.Hang, foundLater+time.Second), false}, // it came afterwards
		{"queue-depth", alert.Firing, found("api-1", diagnosis.Hang, 0), false},
		{"no-such-rule", alert.Firing, redis, false},
	} {
		got := withCauses([]alert.Alert{{Name: c.alert, State: c.state, Since: now}}, []running.Advice{c.found})
		if (len(got[0].Causes) == 1) != c.want || c.want && (got[0].Causes[0].Component != c.found.Component || got[0].Causes[0].Fault != c.found.Fault) {
			t.Errorf("%s, %s, and %s of %s: %+v", c.alert, c.state, c.found.Fault, c.found.Component, got)
		}
	}
}

// Every rule has its causes, and every fault is one; a rule or a fault that comes later is not forgotten here.
func TestEveryAlertHasCauses(t *testing.T) {
	t.Parallel()
	rules := alert.DefaultRules(alert.Defaults{Cores: 2})
	if len(rules) != len(behind) {
		t.Errorf("%d rules, causes of %d", len(rules), len(behind))
	}
	used := map[string]bool{}
	for _, r := range rules {
		if len(behind[r.Name]) == 0 {
			t.Errorf("nothing is behind %s", r.Name)
		}
		for _, entry := range behind[r.Name] {
			fault := entry[strings.LastIndex(entry, "/")+1:]
			used[fault] = true
			if !slices.Contains(diagnosis.Faults(), fault) {
				t.Errorf("%s: %s is no fault", r.Name, entry)
			}
		}
	}
	for _, f := range diagnosis.Faults() {
		if !used[f] {
			t.Errorf("%s explains no alert", f)
		}
	}
}
