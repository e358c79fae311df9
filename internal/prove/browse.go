package prove

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/loadsim"
	"github.com/stampede-shop/stampede/loadsim/scenario"
)

// Targets of the browse mix.
const (
	targetRate = 10_000.0 // requests a second
	targetP95  = 0.100    // seconds
	targetGood = 0.9999
)

// above is by how much more than the target is offered, beside three standard deviations of arrivals by chance; within is the share of what the
// platform was seen to reach that is offered where that is less.
const (
	above  = 1.02
	within = 0.85
)

var throughput = Criterion{
	Number: 2, ID: "throughput", Name: "Browsing: requests sustained",
	Target:  "≥ 10,000 requests/s of the browse mix, ≥ 99.99 % good",
	Measure: measureThroughput,
}

var browseLatency = Criterion{
	Number: 1, ID: "browse-latency", Name: "Browsing: response time at the proven rate",
	Target:  "p95 < 100 ms",
	Measure: measureBrowseLatency,
}

// Load is a run of shoppers in figures.
type Load struct {
	Scenario string             `json:"scenario"`
	Offered  float64            `json:"offered"` // arrivals a second
	Rate     float64            `json:"rate"`    // requests a second
	Good     float64            `json:"good"`    // share
	Requests int64              `json:"requests"`
	Orders   int64              `json:"orders"`
	Places   int64              `json:"places"` // answers that were a place in the waiting room: neither good nor bad, and not among the requests
	Seconds  float64            `json:"seconds"`
	P50      map[string]float64 `json:"p50"` // seconds, by step
	P95      map[string]float64 `json:"p95"`
	P99      map[string]float64 `json:"p99"`
	Lag      float64            `json:"lag_p99"` // of the generator
	Cores    map[string]float64 `json:"cores"`   // busy, by role; "generator" is us
	Busy     float64            `json:"busy"`    // share of the machine's processors
	Others   float64            `json:"others"`  // cores that others on the machine used meanwhile
	Capacity float64            `json:"capacity,omitempty"`

	used map[string]Resources
}

// browsing is what the browse mix came to.
type browsing struct {
	Load
	unfit string // why the generator's figures are worth nothing
}

// browse warms up, sees what the platform reaches, and then offers by the clock what is to be proven, or most of what it reaches
// where that is less.
func (t *trial) browse(ctx context.Context) (browsing, error) {
	return t.browsed.get(func() (b browsing, err error) {
		t.say("  warming up")
		if _, err = t.crowd(ctx, t.pace.warm); err != nil {
			return b, err
		}
		probe, err := t.crowd(ctx, t.pace.probe)
		if err != nil {
			return b, err
		}
		reached := probe.Summary.Throughput
		rate := t.o.goal * (above + 3/math.Sqrt(t.o.goal*t.pace.browse.Seconds()))
		if reached < rate/within {
			rate = max(1, min(rate, within*reached))
		}
		t.say("  64 shoppers at once reach %.0f requests/s; offering %.0f", reached, rate)
		l, r, err := t.watched(ctx, func() (*loadsim.Report, error) {
			sc, err := scenario.Ready("browse")
			if err != nil {
				return nil, err
			}
			return t.run(ctx, loadsim.Options{Target: t.about.URL, Scenario: &sc, Rate: rate, Duration: t.pace.browse})
		})
		if err != nil {
			return b, err
		}
		l.Offered, l.Capacity = rate, reached
		t.report.Browse = &l
		return browsing{l, unfit(r)}, nil
	})
}

// crowd are 64 shoppers who browse as fast as they are answered.
func (t *trial) crowd(ctx context.Context, d time.Duration) (*loadsim.Report, error) {
	sc, err := scenario.Ready("browse")
	if err != nil {
		return nil, err
	}
	return t.run(ctx, loadsim.Options{Target: t.about.URL, Scenario: &sc, Users: 64, Duration: d})
}

// watched runs a load and looks at what it takes.
func (t *trial) watched(ctx context.Context, load func() (*loadsim.Report, error)) (Load, *loadsim.Report, error) {
	before, unknown := t.platform.Usage(ctx)
	busy, idle := machineTime()
	r, err := load()
	if err != nil {
		return Load{}, nil, err
	}
	l := loadOf(r)
	busyNow, idleNow := machineTime()
	if all := busyNow - busy + idleNow - idle; all > 0 {
		l.Busy = (busyNow - busy) / all
	}
	after, err := t.platform.Usage(ctx)
	if err != nil || unknown != nil {
		return l, r, nil // who needs it will find it missing
	}
	l.used = after.since(before)
	took := after.At.Sub(before.At).Seconds()
	ours := l.Cores["generator"]
	for role, u := range l.used {
		l.Cores[role] = u.CPU / took
		ours += l.Cores[role]
	}
	l.Others = max(0, l.Busy*float64(runtime.NumCPU())-ours)
	return l, r, nil
}

func loadOf(r *loadsim.Report) Load {
	l := Load{
		Scenario: r.Summary.Scenario, Offered: r.Summary.Rate, Rate: r.Summary.Throughput, Good: r.Summary.SuccessRate,
		Requests: r.Summary.TotalRequests, Orders: r.Summary.Orders, Places: r.WaitingRoom.Places, Seconds: r.Summary.Duration, Lag: r.Generator.Lag.P99,
		P50: map[string]float64{}, P95: map[string]float64{}, P99: map[string]float64{}, Cores: map[string]float64{},
	}
	for step, d := range r.ResponseTimes {
		if d.Count > 0 {
			l.P50[step], l.P95[step], l.P99[step] = d.P50, d.P95, d.P99
		}
	}
	l.Cores["generator"] = r.Generator.CPU / max(r.Summary.Duration, 0.001)
	return l
}

// unfit is why a generator's figures prove nothing: load that was due was not offered. That it was late does not make them
// worthless, since times count from when a request was due: they are longer for it.
func unfit(r *loadsim.Report) string {
	switch {
	case r.Generator.Unsent > 0:
		return fmt.Sprintf("%d of %d requests that were due were never sent", r.Generator.Unsent, r.Generator.Due)
	case r.Generator.Crowded > 0:
		return fmt.Sprintf("%d arrivals had to wait for a free shopper", r.Generator.Crowded)
	case r.Summary.TotalRequests == 0:
		return "nothing was asked"
	}
	return ""
}

func measureThroughput(ctx context.Context, t *trial) (Finding, error) {
	b, err := t.browse(ctx)
	if err != nil {
		return Finding{}, err
	}
	f := Finding{
		Measured: fmt.Sprintf("%s/s, %s good", thousands(b.Rate), percent(b.Good)), Value: b.Rate, Unit: "requests/s",
		How: fmt.Sprintf("open model: %s arrivals/s by the clock for %.0f s through the edge, the generator on the same machine, every answer checked",
			thousands(b.Offered), b.Seconds),
		Limits:  b.where(),
		Details: []string{fmt.Sprintf("64 shoppers at once, as fast as they are answered: %s requests/s", thousands(b.Capacity))},
		Holds:   b.Rate >= t.o.goal && b.Good >= targetGood && b.unfit == "",
	}
	if b.unfit != "" {
		f.Details = append(f.Details, "not proven: "+b.unfit)
	}
	return f, nil
}

func measureBrowseLatency(ctx context.Context, t *trial) (Finding, error) {
	b, err := t.browse(ctx)
	if err != nil {
		return Finding{}, err
	}
	p95, asked := b.P95["browse"]
	f := Finding{
		Measured: fmt.Sprintf("p95 %s at %s/s (p50 %s, p99 %s)", milliseconds(p95), thousands(b.Rate), milliseconds(b.P50["browse"]), milliseconds(b.P99["browse"])),
		Value:    p95, Unit: "s",
		How:    "lists of products (first pages, further ones, categories, brands, searches) in the run of criterion 2; times count from when a request was due",
		Limits: b.where(),
		Holds:  asked && p95 < targetP95 && b.Good >= targetGood && b.unfit == "",
	}
	if b.Lag > 0.010 {
		f.Details = append(f.Details, fmt.Sprintf("the generator itself was late by up to %s (99 %%), which is in these times", milliseconds(b.Lag)))
	}
	if v, ok := b.P95["view"]; ok {
		f.Details = append(f.Details, fmt.Sprintf("single products: p95 %s, p99 %s", milliseconds(v), milliseconds(b.P99["view"])))
	}
	if b.unfit != "" {
		f.Details = append(f.Details, "not proven: "+b.unfit)
	}
	return f, nil
}

// where says what the machine's time went into.
func (l Load) where() string {
	var parts []string
	for _, role := range append(roleOrder[:len(roleOrder):len(roleOrder)], roleMeasured, "generator") {
		if c := l.Cores[role]; c >= 0.005 {
			parts = append(parts, fmt.Sprintf("%s %.2f", role, c))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	text := "cores busy: " + strings.Join(parts, ", ")
	if l.Busy > 0 {
		text += fmt.Sprintf(", others on this machine %.2f; it was %.0f %% busy", l.Others, 100*l.Busy)
	}
	if l.Places > 0 {
		text += fmt.Sprintf("; %s answers were places in the waiting room, which count as neither", thousands(float64(l.Places)))
	}
	return text
}

// thousands groups digits: 12345.6 is 12,346.
func thousands(v float64) string {
	s := fmt.Sprintf("%.0f", math.Abs(v))
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	if v < 0 {
		s = "-" + s
	}
	return s
}

// percent never rounds up to 100.
func percent(share float64) string {
	switch {
	case share == 1:
		return "100 %"
	case share > 0.999:
		return fmt.Sprintf("%.4f %%", math.Floor(share*1e6)/1e4)
	}
	return fmt.Sprintf("%.2f %%", math.Floor(share*1e4)/1e2)
}

func milliseconds(s float64) string {
	switch {
	case s < 0.01:
		return fmt.Sprintf("%.1f ms", 1e3*s)
	case s < 1:
		return fmt.Sprintf("%.0f ms", 1e3*s)
	}
	return fmt.Sprintf("%.2f s", s)
}
