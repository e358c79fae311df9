package main

import (
	"math/rand/v2"
	"regexp"
	"runtime"
	"slices"
	"testing"
	"time"
)

// The interval holds the true median about as often as it says.
func TestIntervalCoversTheMedian(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{3, 20, 120} {
		const rounds = 2000
		held := 0
		for range rounds {
			v := make([]float64, n)
			for i := range v {
				v[i] = rng.ExpFloat64() // its median is ln 2
			}
			if low, high := interval(v); low <= 0.6931 && 0.6931 <= high {
				held++
			}
		}
		if least := 0.93; n > 5 && float64(held) < least*rounds {
			t.Errorf("of %d values: the median was within %d of %d times, want at least %.0f %%", n, held, rounds, 100*least)
		}
	}
}

func TestTimingOf(t *testing.T) {
	t.Parallel()
	var all []time.Duration
	for i := range 100 {
		all = append(all, time.Duration(100-i)*time.Millisecond)
	}
	got := timingOf(all, 2*time.Second)
	want := timing{rate: 50, p50: 51 * time.Millisecond, p95: 96 * time.Millisecond, p99: 100 * time.Millisecond}
	if got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := timingOf(nil, time.Second); got != (timing{}) {
		t.Errorf("of nothing: %v", got)
	}
}

func TestUUIDsGrowWithTime(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	var ids []string
	start := time.Date(2025, 11, 28, 0, 0, 0, 0, time.UTC)
	for i := range 1000 {
		ids = append(ids, string(uuidAt(start.Add(time.Duration(i)*time.Millisecond))))
	}
	for _, id := range ids {
		if !form.MatchString(id) {
			t.Fatalf("%q is no UUIDv7", id)
		}
	}
	if !slices.IsSorted(ids) {
		t.Error("later ones do not come later")
	}
}

// A row is cut at the ids it is about, wherever they stand, and left alone where it is about something else.
func TestPatternCutsRows(t *testing.T) {
	t.Parallel()
	const order, user, other = "0192f0c1-2d3e-7f80-9abc-def012345678", "0192f0c1-2d3e-7f80-9abc-000000000001", "0192f0c1-2d3e-7f80-9abc-000000000002"
	p := &pattern{orders: map[string]int{order: 0}, users: map[string]int{user: 0}}
	p.cut("shard1", 0, []byte(user), []byte(order+"\t"+other+"\tpay-"+order+"\t{\"by\": \""+user+"\"}\n"))
	p.cut("shard1", 1, []byte("7"), []byte("7\t"+other+"\n"))
	if len(p.rows) != 1 {
		t.Fatalf("%d rows, want the one that is about an order", len(p.rows))
	}
	text := ""
	ids := [3]string{byOrder: "O", byUser: "U"}
	for _, part := range p.rows[0].parts {
		text += string(part.text) + ids[part.then]
	}
	if want := "O\t" + other + "\tpay-O\t{\"by\": \"U\"}\n"; text != want || p.rows[0].by != byUser {
		t.Errorf("got %q by %d, want %q by %d", text, p.rows[0].by, want, byUser)
	}
}

// The bootstrapped interval holds the true mean about as often as it says.
func TestBootstrappedCoversTheMean(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	const rounds, n = 60, 50
	held := 0
	for range rounds {
		v := make([]float64, n)
		for i := range v {
			if v[i] = 1 + rng.NormFloat64(); rng.IntN(50) == 0 {
				v[i] += 100 * rng.NormFloat64() // somebody else
			}
		}
		if e := bootstrapped(v); e.low <= 1 && 1 <= e.high && e.high-e.low < 2 {
			held++
		}
	}
	if held < rounds*88/100 || held == rounds {
		t.Errorf("the mean was within %d of %d times", held, rounds)
	}
}

// Of rounds that are made up the costs are those that were put in.
func TestMonitoringCost(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 6))
	machine := float64(runtime.NumCPU()) / 100 // a per cent of it, seconds in a second
	var seen observed
	for range 200 {
		drift := 30_000 + 20_000*rng.Float64() // ns, for all of a round
		made := func(percent float64) slice {
			const perCent = 1e9 / monitoringRate // ns a request
			return slice{perRequest: time.Duration(drift + 1000*rng.NormFloat64() + percent*machine*perCent)}
		}
		seen.rounds = append(seen.rounds, [sides]slice{made(0), made(0), made(1), made(1 + 0.5/lookedAtShare)})
		seen.profiles = append(seen.profiles, time.Duration(1e9*machine*(0.25+0.01*rng.NormFloat64())/profiledShare))
	}
	c := (&monitored{rate: monitoringRate, counts: monitoringRate}).cost(seen)
	for name, x := range map[string]struct {
		got  estimate
		want float64
	}{"control": {c.control, 0}, "recording": {c.recording, 1}, "looking": {c.looking, 0.5}, "profiling": {c.profiling, 0.25}, "total": {c.total, 1.75}} {
		if x.got.low > x.want+0.05 || x.got.high < x.want-0.05 || x.got.high-x.got.low > 0.5 {
			t.Errorf("%s: %.3f, want %.2f", name, x.got, x.want)
		}
	}
}
