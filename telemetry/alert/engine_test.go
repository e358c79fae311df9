package alert

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func lagRule(forTime, recovery time.Duration) Rule {
	return Rule{Name: "lag", Severity: Page, Group: "data", Text: "A replica is behind.", Runbook: "lag.md", For: forTime, Recovery: recovery,
		When: Threshold{Sample: "lag", Is: Above, Limit: 5, Clear: 2}}
}

// Whatever is observed: an alert fires only after its condition held at every observation for the whole of For, and resolves
// only after it was gone for the whole of Recovery, or after nobody could tell for the whole of Stale.
func TestAlertsHoldTheirTimes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rule := lagRule(time.Duration(rapid.IntRange(0, 20).Draw(t, "for"))*time.Second, time.Duration(rapid.IntRange(1, 20).Draw(t, "recovery"))*time.Second)
		const stale = 30 * time.Second
		e, err := New(Options{Rules: []Rule{rule}, Stale: stale})
		if err != nil {
			t.Fatal(err)
		}
		now, was := start, State("")
		badSince, goodSince, known := time.Time{}, time.Time{}, now
		for range rapid.IntRange(1, 120).Draw(t, "observations") {
			now = now.Add(time.Duration(rapid.SampledFrom([]int{1, 1, 1, 1, 5, 40}).Draw(t, "gap")) * time.Second)
			m := map[string]float64{}
			lag, there := rapid.SampledFrom([]float64{0, 1, 3, 6, 100, math.NaN()}).Draw(t, "lag"), rapid.IntRange(0, 9).Draw(t, "there") > 0
			if there {
				m["lag"] = lag
			}
			e.Observe(now, m)
			if there && !math.IsNaN(lag) {
				limit := 5.0
				if was == Firing {
					limit = 2
				}
				if now.Sub(known) > stale && was != Firing {
					badSince = time.Time{}
				}
				known = now
				if lag > limit {
					goodSince = time.Time{}
					if badSince.IsZero() {
						badSince = now
					}
				} else {
					badSince = time.Time{}
					if goodSince.IsZero() {
						goodSince = now
					}
				}
			}
			is := stateOf(e, "lag")
			switch {
			case is == Firing && was != Firing && (badSince.IsZero() || now.Sub(badSince) < rule.For):
				t.Fatalf("fires at %v though it holds since %v", now, badSince)
			case is != Firing && was != Firing && !badSince.IsZero() && known.Equal(now) && now.Sub(badSince) >= rule.For:
				t.Fatalf("does not fire at %v though it holds since %v", now, badSince)
			case is != Firing && was == Firing:
				quiet := now.Sub(known) > stale
				if !quiet && (goodSince.IsZero() || now.Sub(goodSince) < rule.Recovery) {
					t.Fatalf("resolved at %v though it is gone since %v", now, goodSince)
				}
				badSince = time.Time{}
			}
			was = is
		}
	})
}

// A figure that swings around its limit with every observation fires nothing, and ends nothing.
func TestNoFlapping(t *testing.T) {
	t.Parallel()
	e := engine(t, Options{Rules: []Rule{lagRule(10*time.Second, 10*time.Second)}})
	second := 0
	feed := func(seconds int, lag func(i int) float64) {
		for i := range seconds {
			second++
			e.Observe(at(second), map[string]float64{"lag": lag(i)})
		}
	}
	feed(600, func(i int) float64 { return float64(i % 2 * 10) })
	if len(e.History()) != 0 {
		t.Fatalf("%v", e.History())
	}
	feed(20, func(int) float64 { return 9 })
	feed(600, func(i int) float64 { return float64(i % 2 * 10) })
	if h := e.History(); len(h) != 1 || h[0].State != Firing || stateOf(e, "lag") != Firing {
		t.Fatalf("%v", h)
	}
	feed(300, func(i int) float64 { return 3 }) // below the limit, above what clears it
	if stateOf(e, "lag") != Firing {
		t.Error("ended above what clears it")
	}
	feed(11, func(int) float64 { return 1 })
	if stateOf(e, "lag") != Resolved {
		t.Error("did not end")
	}
	feed(900, func(int) float64 { return 1 })
	if stateOf(e, "lag") != "" {
		t.Error("is listed for ever")
	}
}

func TestAnAlertTellsWhatItIs(t *testing.T) {
	t.Parallel()
	r := lagRule(3*time.Second, 0)
	r.Labels = map[string]string{"team": "data"}
	e := engine(t, Options{Rules: []Rule{r}})
	for i := range 5 {
		e.Observe(at(i), map[string]float64{"lag": 7.5})
	}
	raw, err := json.Marshal(e.Alerts())
	want := `[{"name":"lag","state":"firing","severity":"page","group":"data","since":"2026-11-27T00:00:00Z","fired_at":"2026-11-27T00:00:03Z","value":7.5,` +
		`"text":"A replica is behind.","reason":"lag is 7.5, above 5","runbook":"lag.md","labels":{"team":"data"}}]`
	if err != nil || string(raw) != want {
		t.Errorf("%v\n%s\n%s", err, raw, want)
	}
	e.Observe(at(2), map[string]float64{"lag": 0}) // the past is over
	if stateOf(e, "lag") != Firing {
		t.Error("an old sample ended it")
	}
}

func TestAnAlertWithoutSamplesEnds(t *testing.T) {
	t.Parallel()
	e := engine(t, Options{Rules: []Rule{lagRule(0, 0)}})
	e.Observe(at(0), map[string]float64{"lag": 9})
	e.Observe(at(50), nil)
	if stateOf(e, "lag") != Firing {
		t.Fatal("gone too early")
	}
	e.Observe(at(61), nil)
	if a := e.Alerts()[0]; a.State != Resolved || !strings.Contains(a.Reason, "no figures any more") {
		t.Errorf("%+v", a)
	}
}

func TestGuards(t *testing.T) {
	t.Parallel()
	r := lagRule(0, 0)
	r.When = Threshold{Sample: "p99", Is: Above, Limit: 1, If: Guard{"rps", 10}}
	e := engine(t, Options{Rules: []Rule{r}})
	for i, c := range []struct {
		m    map[string]float64
		want State
	}{{map[string]float64{"p99": 5}, ""}, {map[string]float64{"p99": 5, "rps": 9}, ""}, {map[string]float64{"p99": 5, "rps": 10}, Firing}} {
		if e.Observe(at(i), c.m); stateOf(e, "lag") != c.want {
			t.Errorf("%v: %s", c.m, stateOf(e, "lag"))
		}
	}
}

func TestRulesAreChecked(t *testing.T) {
	t.Parallel()
	good := lagRule(0, 0)
	for why, change := range map[string]func(*Rule){
		"no name":        func(r *Rule) { r.Name = "" },
		"no condition":   func(r *Rule) { r.When = nil },
		"negative":       func(r *Rule) { r.For = -1 },
		"severity":       func(r *Rule) { r.Severity = "loud" },
		"no sample":      func(r *Rule) { r.When = Threshold{} },
		"clears":         func(r *Rule) { r.When = Threshold{Sample: "x", Limit: 1, Clear: 2} },
		"anomaly has no": func(r *Rule) { r.When = Anomaly{} },
		"Z, By":          func(r *Rule) { r.When = Anomaly{Sample: "x", Z: -1} },
		"Warmup":         func(r *Rule) { r.When = Anomaly{Sample: "x", Warmup: -1} },
		"burn rate":      func(r *Rule) { r.When = Burn{} },
		"objective":      func(r *Rule) { r.When = Burn{Good: "a", Weight: "b", Objective: 1} },
		"everything":     func(r *Rule) { r.When = Burn{Good: "a", Weight: "b", Objective: .9, Rate: 11} },
		"windows":        func(r *Rule) { r.When = Burn{Good: "a", Weight: "b", Objective: .9, Rate: 2, Long: 1, Short: 2} },
	} {
		r := good
		change(&r)
		if _, err := New(Options{Rules: []Rule{r}}); !errors.Is(err, ErrRule) || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", why, err)
		}
	}
	if _, err := New(Options{Rules: []Rule{good, good}}); !errors.Is(err, ErrRule) {
		t.Errorf("two of one name: %v", err)
	}
	if _, err := New(Options{Rules: DefaultRules(Defaults{Cores: 2})}); err != nil {
		t.Error(err)
	}
}

func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	r := lagRule(0, time.Second)
	e := engine(t, Options{Rules: []Rule{r}, History: 7})
	for i := range 100 {
		e.Observe(at(2*i), map[string]float64{"lag": float64(i / 2 % 2 * 10)})
	}
	h := e.History()
	if len(h) != 7 || !slices.IsSortedFunc(h, func(a, b Event) int { return b.At.Compare(a.At) }) {
		t.Errorf("%d events: %v", len(h), h)
	}
}

// told collects notifications, each as "state: name state, …".
type told struct{ lines []string }

func (n *told) notify(x Notification) {
	var parts []string
	for _, a := range x.Alerts {
		parts = append(parts, fmt.Sprint(a.Name, " ", a.State))
	}
	line := fmt.Sprintf("%s %s: %s", x.Group, x.Status, strings.Join(parts, ", "))
	if x.Repeated {
		line += " (repeated)"
	}
	n.lines = append(n.lines, line)
}

func (n *told) take() []string {
	out := n.lines
	n.lines = nil
	return out
}

func TestGroupsAreToldOnce(t *testing.T) {
	t.Parallel()
	var n told
	a, b, c := lagRule(0, time.Second), lagRule(0, time.Second), lagRule(0, time.Second)
	a.Name, b.Name, c.Name, c.Group = "a", "b", "c", "other"
	a.When, b.When, c.When = Threshold{Sample: "a", Limit: 1}, Threshold{Sample: "b", Limit: 1}, Threshold{Sample: "c", Limit: 1}
	e := engine(t, Options{Rules: []Rule{a, b, c}, Notify: n.notify, Repeat: time.Hour})
	second := 0
	feed := func(seconds int, a, b, c float64) []string {
		for range seconds {
			second++
			e.Observe(at(second), map[string]float64{"a": a, "b": b, "c": c})
		}
		return n.take()
	}
	expect := func(got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("at %d s: %q, want %q", second, got, want)
		}
	}
	expect(feed(5, 2, 0, 0))
	expect(feed(10, 2, 2, 0), "data firing: a firing, b firing") // they waited for each other
	expect(feed(30, 2, 0, 2), "other firing: c firing")          // b's end waits for the group's interval
	expect(feed(40, 2, 0, 2), "data firing: a firing, b resolved")
	expect(feed(3, 0, 2, 2)) // comes and goes between two notifications
	expect(feed(100, 0, 0, 2), "data resolved: a resolved")
	expect(feed(3500, 0, 0, 2), "other firing: c firing (repeated)")
	e.Silence("c", at(second+100))
	expect(feed(50, 0, 0, 0)) // it ends while it is silenced
	if s := e.Silences(); len(s) != 1 || !s["c"].Equal(at(second+50)) {
		t.Errorf("%v", s)
	}
	expect(feed(120, 0, 0, 0), "other resolved: c resolved")
	e.Silence("a", at(second+100))
	expect(feed(50, 2, 0, 0))
	if al := e.Alerts(); !slices.ContainsFunc(al, func(a Alert) bool { return a.Name == "a" && a.Silenced && a.State == Firing }) {
		t.Errorf("%+v", al)
	}
	expect(feed(100, 2, 0, 0), "data firing: a firing") // the silence has ended, it goes on
	if e.Silence("nothing", at(0)) {
		t.Error("a rule that does not exist was silenced")
	}
}
