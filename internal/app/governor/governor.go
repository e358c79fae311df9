package governor

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Strain is what a process measures about every second.
type Strain struct {
	Free     float64       `json:"free"`        // share of the memory that this process may use which nobody has; 1: not known
	Sched    time.Duration `json:"sched_ns"`    // how long runnable work waited for a processor, 99th percentile
	PoolWait time.Duration `json:"poolwait_ns"` // how long one asking for a database connection waited, on average
}

// Thresholds of pressure. Between low and high nothing is changed.
const (
	freeShort, freePlenty = 0.10, 0.20
	schedLong, schedShort = 50 * time.Millisecond, 10 * time.Millisecond
	poolLong, poolShort   = 5 * time.Millisecond, time.Millisecond
)

// Short tells that memory is (1), that there is plenty (-1), or neither.
func (p Strain) Short() (int, string) {
	return verdictOf(p.Free < freeShort, p.Free > freePlenty, fmt.Sprintf("%.0f %% of the memory is free", 100*p.Free))
}

// starved tells the same of processors.
func (p Strain) starved() (int, string) {
	return verdictOf(p.Sched > schedLong, p.Sched < schedShort, fmt.Sprintf("work waits %v for a processor", p.Sched.Round(time.Millisecond)))
}

// Queued tells the same of database connections, or of processors.
func (p Strain) Queued() (int, string) {
	if v, why := p.starved(); v > 0 {
		return v, why
	}
	return verdictOf(p.PoolWait > poolLong, p.PoolWait < poolShort, fmt.Sprintf("connections are waited for %v", p.PoolWait.Round(100*time.Microsecond)))
}

func verdictOf(pressed, calm bool, why string) (int, string) {
	switch {
	case pressed:
		return 1, why
	case calm:
		return -1, why
	}
	return 0, why
}

// Knob is something that follows pressure: down under it, and back when it is over, within bounds.
type Knob struct {
	Name      string
	Now       float64
	Low, High float64 // high is what it is without pressure
	Step      float64 // factor of one move down; back goes by half as much
	Press     func(Strain) (int, string)
	Set       func(float64)

	calm  int   // samples in a row
	lease lease // of High
}

// calmBefore is how many calm samples it takes before anything is turned back.
const calmBefore = 5

// move turns the knob if p asks for it.
func (k *Knob) move(p Strain) (to float64, why string, moved bool) {
	v, why := k.Press(p)
	to = k.Now
	switch {
	case v > 0:
		k.calm = 0
		to = max(k.Low, k.Now*k.Step)
	case v == 0:
		k.calm = 0
	default:
		if k.calm++; k.calm >= calmBefore {
			to = min(k.High, k.Now*(1+(1/k.Step-1)/2))
		}
	}
	return to, why, to != k.Now
}

// decision is one turn of a knob.
type decision struct {
	At     time.Time `json:"at"`
	Knob   string    `json:"knob"`
	From   float64   `json:"from"`
	To     float64   `json:"to"`
	Reason string    `json:"reason"`
}

// keptDecisions bounds those that are shown.
const keptDecisions = 50

// Governor keeps a process within what it has: its knobs follow what is measured.
type Governor struct {
	log     *slog.Logger
	measure func() Strain
	knobs   []*Knob

	mu    sync.Mutex
	last  Strain
	since []decision // the latest ones
}

// New makes one that turns knobs by what measure says; Start begins.
func New(log *slog.Logger, measure func() Strain, knobs ...*Knob) *Governor {
	return &Governor{log: log, measure: measure, knobs: knobs}
}

const governEvery = time.Second

// run follows the pressure until ctx ends.
func (g *Governor) run(ctx context.Context) {
	t := time.NewTicker(governEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-t.C:
			g.step(now)
		}
	}
}

// Start runs the governor until stop is called.
func (g *Governor) Start() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// step measures once and turns what has to be turned.
func (g *Governor) step(now time.Time) {
	p := g.measure()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last = p
	for _, k := range g.knobs {
		to, why, moved := k.move(p)
		if !moved {
			continue
		}
		g.note(k, to, why, now)
	}
	g.expire(now)
}

// note turns a knob and tells of it; the lock is held.
func (g *Governor) note(k *Knob, to float64, why string, now time.Time) {
	g.log.Info("governor", "knob", k.Name, "from", k.Now, "to", to, "low", k.Low, "high", k.High, "reason", why)
	g.since = append(g.since, decision{now.UTC(), k.Name, k.Now, to, why})
	if len(g.since) > keptDecisions {
		g.since = g.since[1:]
	}
	k.Now = to
	k.Set(to)
}

// Stats is how the governor stands.
type Stats struct {
	Pressure  Strain               `json:"pressure"`
	Knobs     map[string]knobStats `json:"knobs"`
	Decisions []decision           `json:"decisions"` // the latest last
}

type knobStats struct {
	Now  float64 `json:"now"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Stats are the knobs as they stand, and the last decisions.
func (g *Governor) Stats() Stats {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := Stats{Pressure: g.last, Knobs: map[string]knobStats{}, Decisions: append([]decision{}, g.since...)}
	for _, k := range g.knobs {
		s.Knobs[k.Name] = knobStats{k.Now, k.Low, k.High}
	}
	return s
}
