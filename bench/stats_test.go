package main

import (
	"math/rand/v2"
	"regexp"
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
