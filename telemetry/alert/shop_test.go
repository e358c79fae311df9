package alert

import (
	"math"
	"math/rand/v2"
	"time"
)

// shop simulates what a shop's samples look like: a day's course of traffic, noise that lingers, outliers, and incidents.
type shop struct {
	rng   *rand.Rand
	noise map[string]float64
	buys  []float64 // orders of the last minute, by step
}

const simStep = 5 * time.Second

func newShop(seed uint64) *shop {
	return &shop{rng: rand.New(rand.NewPCG(seed, 1)), noise: map[string]float64{}}
}

// drift is noise of standard deviation one that forgets within a minute.
func (s *shop) drift(name string) float64 {
	const keep = 0.92
	s.noise[name] = keep*s.noise[name] + math.Sqrt(1-keep*keep)*s.rng.NormFloat64()
	return s.noise[name]
}

// outlier is 1, or once in a while much more.
func (s *shop) outlier() float64 {
	if s.rng.IntN(400) == 0 {
		return 1 + 4*s.rng.ExpFloat64()
	}
	return 1
}

// chance counts what happens by chance, mean times on average (Knuth).
func (s *shop) chance(mean float64) float64 {
	if mean > 50 {
		return math.Max(0, math.Round(mean+math.Sqrt(mean)*s.rng.NormFloat64()))
	}
	n, p := 0.0, s.rng.Float64()
	for limit := math.Exp(-mean); p > limit; p *= s.rng.Float64() {
		n++
	}
	return n
}

// state is what an incident changes.
type incident struct {
	traffic, latency, db, orders   float64 // factors
	errors, shed, edgeHits, l1Hits float64 // added
	lag, queue                     float64 // added
	down, noReplica                bool
}

func calm() incident { return incident{traffic: 1, latency: 1, db: 1, orders: 1} }

func (s *shop) samples(t time.Time, in incident) map[string]float64 {
	hour := t.Sub(start).Hours()
	// From 40 requests a second at four in the morning to 400 in the evening.
	rps := 40 * math.Pow(10, (1-math.Cos((hour-4)/24*2*math.Pi))/2) * math.Exp(0.1*s.drift("rps")) * in.traffic
	perStep := rps * simStep.Seconds()
	bad := s.chance(perStep * 5 * 0.0002)
	s.buys = append(s.buys, s.chance(rps*0.02*simStep.Seconds()*in.orders))
	if n := int(time.Minute / simStep); len(s.buys) > n {
		s.buys = s.buys[1:]
	}
	orders := 0.0
	for _, n := range s.buys {
		orders += n
	}
	m := map[string]float64{
		"http.rps": rps, "http.good_ratio": math.Max(0, 1-bad/(perStep*5)-in.errors), "http.p99_s": 0.03 * math.Exp(0.25*s.drift("p99")) * s.outlier() * in.latency * (1 + rps/1000),
		"shed.ratio": in.shed, "edge.hit_ratio": clamp(0.9 + 0.02*s.drift("edge") - in.edgeHits), "cache.l1.hit_ratio": clamp(0.8 + 0.03*s.drift("l1") - in.l1Hits),
		"replica.lag_s.max": 0.02*s.rng.ExpFloat64() + in.lag, "replica.usable": 2, "orders.per_min": orders, "queue.depth": s.chance(20) + in.queue, "queue.dead": 0,
		"db.p99_s": 0.008 * math.Exp(0.3*s.drift("db")) * s.outlier() * in.db, "processes.up_ratio": 1, "cpu.cores": rps / 250,
		"runtime.gc_cpu.max": 0.02, "runtime.sched_p99_s.max": 0.001 * s.outlier(),
	}
	if in.down {
		m["processes.up_ratio"] = 0.9
	}
	if in.noReplica {
		m["replica.usable"] = 0
	}
	return m
}

func clamp(v float64) float64 { return min(1, max(0, v)) }
