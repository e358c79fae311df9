package bottleneck

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// Simulate makes n labelled runs of a made-up shop, a queueing network of two API processes, two shards with their pools, a hot row, a
// queue, a replica and a cache, of which in most one resource is driven into saturation, and in the others none: waves of load, bursts
// and steps that stay below. The cause is known because it was planted. A quarter of the runs have none.
func Simulate(n int, seed uint64) []Run {
	runs := make([]Run, n)
	for i := range runs {
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		runs[i] = newShopSim(rng, i).run()
	}
	return runs
}

// planted are the causes, and what is natural.
var planted = []string{"cpu/api-1", "pool/shard2", "shard/shard1", "hotrow/shard2", "queue/mail", "lag/replica-1", "memory/api-2", "", "load", "", "leak", ""}

const simSeconds = 900

// shopSim is a fluid model, second by second: what arrives and cannot be served waits, and servers slow down as they fill.
type shopSim struct {
	rng   *rand.Rand
	plant string
	name  string
	base  float64 // requests a second
	start float64 // second at which what is planted begins
	pace  float64 // seconds until it has about filled

	level   map[string]float64 // use at the base load, by resource that follows the load
	backlog map[string]float64 // what fills up by itself, by resource; 1 is full
	wave    float64
	period  float64
	steps   []simStep
}

// simStep is load that comes at a second, and goes.
type simStep struct{ from, to, by float64 }

func newShopSim(rng *rand.Rand, i int) *shopSim {
	s := &shopSim{rng: rng, plant: planted[i%len(planted)], base: 200 + 600*rng.Float64(), start: 120 + 240*rng.Float64(), pace: 60 + 420*rng.Float64(),
		backlog: map[string]float64{"queue/mail": 0.02, "lag/replica-1": 0.03, "memory/api-1": 0.3 + 0.3*rng.Float64(), "memory/api-2": 0.3 + 0.3*rng.Float64()},
		wave:    0.25 * rng.Float64(), period: 240 + 600*rng.Float64()}
	s.level = map[string]float64{}
	for _, r := range []string{"cpu/api-1", "cpu/api-2", "shard/shard1", "shard/shard2", "hotrow/shard1", "hotrow/shard2", "pool/shard1", "pool/shard2"} {
		s.level[r] = 0.15 + 0.35*rng.Float64()
	}
	s.name = fmt.Sprintf("sim-%03d-%s", i, s.plant)
	for range rng.IntN(3) {
		from := simSeconds * rng.Float64()
		s.steps = append(s.steps, simStep{from, from + 20 + 200*rng.Float64(), 0.5 * rng.Float64()})
	}
	return s
}

func (s *shopSim) run() Run {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	run := Run{Name: s.name}
	for t := range simSeconds {
		load, use := s.second(float64(t))
		run.Samples = append(run.Samples, Sample{At: at.Add(time.Duration(t) * time.Second), Load: load, Use: use})
	}
	run.Label = FirstFull(run.Samples)
	run.Label.Note = "planted: " + s.plant
	if s.plant != "" && s.plant != "load" && s.plant != "leak" && run.Label.Cause != "" {
		run.Label.Cause = s.plant // others that filled before it did so because of it
	}
	return run
}

// ramp is how far what was planted has come: 0 before it begins, about 1 after pace seconds.
func (s *shopSim) ramp(t float64) float64 { return math.Max(0, t-s.start) / s.pace }

func (s *shopSim) second(t float64) (load float64, use map[string]float64) {
	factor := 1 + s.wave*math.Sin(2*math.Pi*t/s.period)
	for _, st := range s.steps {
		if t >= st.from && t < st.to {
			factor += st.by
		}
	}
	if s.plant == "load" {
		factor += s.ramp(t)
	}
	load = s.base * factor * (1 + 0.05*s.rng.NormFloat64())
	use = map[string]float64{}
	for r, level := range s.level {
		use[r] = level * load / s.base
		if r == s.plant && KindOf(r) != Pool {
			use[r] += (1.05 - level) * s.ramp(t)
		}
	}
	// A server that fills holds its connections for longer, and what is locked stays locked for longer (M/M/1: 1/(1-ρ)).
	for _, shard := range []string{"shard1", "shard2"} {
		slow := 1 / (1 - math.Min(use["shard/"+shard], 0.95))
		normal := 1 / (1 - s.level["shard/"+shard])
		use["pool/"+shard] *= 0.6 + 0.4*slow/normal
		if hot := use["hotrow/"+shard]; hot > 0.9 {
			use["pool/"+shard] += 2 * (hot - 0.9)
		}
	}
	if s.plant == "pool/shard2" { // connections that are not given back
		use[s.plant] += 1.05 * (1 - s.level[s.plant]) * s.ramp(t)
	}
	s.fill(t, use)
	for _, r := range names(use) { // in order: each draws from chance
		use[r] = math.Max(0, math.Min(1, use[r]+0.02*s.rng.NormFloat64()))
	}
	return load, use
}

// fill lets what fills by itself do so: a queue and a replica's lag by what comes in beyond what is worked off, memory by what is kept.
func (s *shopSim) fill(t float64, use map[string]float64) {
	for _, r := range []string{"queue/mail", "lag/replica-1", "memory/api-1", "memory/api-2"} {
		grows := r == s.plant || s.plant == "leak" && r == "memory/api-1"
		switch {
		case grows && t > s.start:
			s.backlog[r] += 1.02 / s.pace * (0.7 + 0.6*s.rng.Float64())
		case KindOf(r) == Memory: // fills to where the cache's policy holds it
			s.backlog[r] += (0.75 - s.backlog[r]) / 300
		default: // bursts that are worked off
			if s.rng.IntN(200) == 0 {
				s.backlog[r] += 0.4 * s.rng.Float64()
			}
			s.backlog[r] = 0.02 + (s.backlog[r]-0.02)*0.93
		}
		s.backlog[r] = math.Min(s.backlog[r], 1.2)
		use[r] = s.backlog[r]
	}
}
