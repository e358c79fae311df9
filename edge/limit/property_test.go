package limit

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// In no span of time more pass than burst + rate × span, whatever the arrivals, and also when the clock steps back.
func TestNeverMoreThanPromised(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rate := Rate{Requests: rapid.IntRange(1, 1000).Draw(t, "requests"), Per: time.Duration(rapid.Int64Range(1, int64(10*time.Second)).Draw(t, "per")),
			Burst: rapid.IntRange(1, 50).Draw(t, "burst")}
		b := newBucket("c", "address", rate, 1)
		tab := newTable(ways)
		var passed []int64 // when
		now, latest := int64(1), int64(1)
		for range rapid.IntRange(1, 300).Draw(t, "arrivals") {
			now = max(1, now+rapid.Int64Range(-3*b.interval, 4*b.interval).Draw(t, "step"))
			latest = max(latest, now)
			if _, ok, wait := tab.take(42, b, now); ok {
				passed = append(passed, latest)
			} else if wait <= 0 {
				t.Fatalf("refused, and yet there is nothing to wait for")
			}
		}
		for i := range passed {
			for j := i; j < len(passed); j++ {
				if n, most := int64(j-i+1), int64(b.burst)+(passed[j]-passed[i])/b.interval; n > most {
					t.Fatalf("%d passed within %d ns: at most %d may", n, passed[j]-passed[i], most)
				}
			}
		}
	})
}

// A client who waits as long as it is told is admitted.
func TestWaitingHelps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(t, Options{Classes: []Class{{Name: "all", Address: Rate{Requests: 3, Per: time.Minute, Burst: 2}}}})
		r := from("192.0.2.1:1", http.MethodGet)
		if n := admitted(l, r, 10); n != 2 {
			t.Fatalf("%d of 10 at once, want the burst of 2", n)
		}
		for range 5 {
			d := l.Decide(r)
			if d.Admitted || d.Wait != 20*time.Second || d.By != "address" {
				t.Fatalf("%+v, want a refusal for 20 s", d)
			}
			time.Sleep(d.Wait - time.Nanosecond)
			if l.Decide(r).Admitted {
				t.Fatal("admitted too early")
			}
			time.Sleep(time.Nanosecond)
			if !l.Decide(r).Admitted {
				t.Fatal("not admitted after the wait")
			}
		}
	})
}

// A flood from one client does not touch the others.
func TestFairness(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(t, Options{Classes: []Class{{Name: "all", Address: Rate{Requests: 10, Burst: 5}}}})
		flood := from("192.0.2.1:1", http.MethodGet)
		var quiet [20]*http.Request
		for i := range quiet {
			quiet[i] = from("198.51.100."+strconv.Itoa(i)+":1", http.MethodGet)
		}
		flooded, seconds := 0, 10
		for range seconds {
			flooded += admitted(l, flood, 1000)
			for i, r := range quiet {
				if n := admitted(l, r, 5); n != 5 {
					t.Fatalf("quiet client %d got %d of 5", i, n)
				}
			}
			time.Sleep(time.Second)
		}
		if most := 5 + 10*seconds; flooded > most {
			t.Errorf("the flood got %d through, at most %d may", flooded, most)
		}
	})
}

// However many clients come, the table stays as it is, and who owes most is not forgotten.
func TestFloodOfClients(t *testing.T) {
	t.Parallel()
	b := newBucket("c", "address", Rate{Requests: 10, Burst: 20}, 1)
	tab := newTable(64)
	sets := len(tab.sets)
	const abuser = uint64(1)
	rng := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test
	now, passed := int64(1), 0
	for i := range 200_000 {
		now += int64(time.Millisecond)
		if _, ok, _ := tab.take(abuser, b, now); ok {
			passed++
		}
		tab.take(rng.Uint64()|1<<40, b, now) // never the abuser, often its set
		_ = i
	}
	span := now / int64(time.Second)
	if most := 20 + 10*int(span) + 1; passed > most {
		t.Errorf("the abuser got %d through amid the flood, at most %d may", passed, most)
	}
	if len(tab.sets) != sets {
		t.Errorf("the table grew from %d to %d sets", sets, len(tab.sets))
	}
	if tab.evictions.Load() == 0 {
		t.Error("nobody was evicted: this shows nothing")
	}
	if n := tab.busy(now); n == 0 || n > 64 {
		t.Errorf("%d busy clients in a table of 64", n)
	}
	if n := tab.busy(now + int64(time.Hour)); n != 0 {
		t.Errorf("%d busy clients an hour later", n)
	}
}

// What one bucket took is given back when the other refuses: a session that is over its limit does not use up its
// address's.
func TestGivenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(t, Options{Classes: []Class{{Name: "all", Address: Rate{Requests: 1, Per: time.Hour, Burst: 10}, Session: Rate{Requests: 1, Per: time.Hour, Burst: 2}}}})
		a := from("192.0.2.1:1", http.MethodPost, "Cookie", "x=1; sid=a")
		b := from("192.0.2.1:2", http.MethodPost, "Cookie", "sid=b")
		if n := admitted(l, a, 100); n != 2 {
			t.Fatalf("session a got %d, want 2", n)
		}
		if d := l.Decide(a); d.By != "session" {
			t.Errorf("%+v, want a refusal by session", d)
		}
		if n := admitted(l, b, 100); n != 2 {
			t.Errorf("session b got %d, want 2", n)
		}
		if n := admitted(l, from("192.0.2.1:3", http.MethodGet), 100); n != 6 {
			t.Errorf("without a session: %d, want the 6 that are left of the address's 10", n)
		}
	})
}
