package waitroom

import (
	"math/rand/v2"
	"testing"
	"time"
)

// rush is a shop that serves so many shoppers a second, and more who come to it, in steps of a tick. No clock is involved.
type rush struct {
	room     *room
	now      time.Time
	capacity float64
	rng      *rand.Rand
	leave    int // every so many leave the queue when they have seen their place; 0: nobody

	looks   map[int64][]token // who looks at their place in which tick
	tick    int64
	came    []int // in by tick
	asked   int   // places looked at in this tick
	highest int   // of asked
	joined  int
	short   bool // what stands before the shop can hardly do more
}

func newRush(t *testing.T, capacity float64) *rush {
	t.Helper()
	o, err := Options{Keys: [][]byte{keyA}, Session: sessions(), Shop: "shop"}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	return &rush{room: newRoom(Room{Name: "shop"}, &o, true), now: time.Unix(1e9, 0), capacity: capacity, rng: rand.New(rand.NewPCG(1, 2)), looks: map[int64][]token{}}
}

// load is how a shop stands that was asked so much in the last second.
func (s *rush) load() Load {
	in := 0
	for _, n := range s.came[max(0, len(s.came)-int(time.Second/tick)):] {
		in += n
	}
	return Load{Exceeds: true, Full: float64(in) > 1.1*s.capacity, Short: s.short, Room: !s.short && float64(in) <= s.capacity}
}

// look has somebody look at their place, and again when they are told to.
func (s *rush) look(t *testing.T, p token) {
	t.Helper()
	s.asked++
	place, ok := s.room.place(s.now, p)
	switch {
	case !ok:
		t.Fatalf("place %d is no good", p.number)
	case place.Admitted:
		s.came[s.tick]++
	case s.leave > 0 && p.number%int64(s.leave) == 0:
	default:
		at := s.tick + int64(time.Duration(place.Again)*time.Second/tick) + 1 + s.rng.Int64N(int64(place.Again)+1) // some a little later
		s.looks[at] = append(s.looks[at], p)
	}
}

// pass lets time pass, in which so many come a second.
func (s *rush) pass(t *testing.T, d time.Duration, demand float64) {
	t.Helper()
	for range int(d / tick) {
		if err := s.room.step(t.Context(), s.now, s.load()); err != nil {
			t.Fatal(err)
		}
		s.came, s.asked = append(s.came, 0), 0
		for range int(demand * tick.Seconds()) {
			if !s.room.queue.Load() {
				s.came[s.tick]++
				s.room.shops()
				continue
			}
			p, err := s.room.join(t.Context(), s.now)
			if err != nil {
				t.Fatal(err)
			}
			s.joined++
			s.look(t, p)
		}
		for _, p := range s.looks[s.tick] {
			s.look(t, p)
		}
		delete(s.looks, s.tick)
		s.highest = max(s.highest, s.asked)
		s.now = s.now.Add(tick)
		s.tick++
	}
}

// served is how many were, since a tick: those who come beyond the capacity of a second are refused.
func (s *rush) served(since int) (n float64) {
	for from := since; from < len(s.came); from += int(time.Second / tick) {
		in := 0
		for _, c := range s.came[from:min(len(s.came), from+int(time.Second/tick))] {
			in += c
		}
		n += min(float64(in), s.capacity)
	}
	return n
}

// Of three times as many as can be served nearly as many are served as can be, also where a third of those who wait have left: who is next
// learns it soon, who is gone is passed over, and the rate begins where the shop was. When everybody looked every thirty seconds whoever
// had been let in, the shop stood idle for as long, the rate rose meanwhile, and then all came at once.
func TestShopStaysBusy(t *testing.T) {
	t.Parallel()
	const capacity, demand = 100, 300
	for _, leave := range []int{0, 3} {
		s := newRush(t, capacity)
		s.leave = leave
		s.pass(t, 20*time.Second, capacity) // as much as it can do; and since Exceeds is said all the time the room opens
		s.pass(t, 60*time.Second, demand)
		if share := s.served(int(20*time.Second/tick)) / (60 * capacity); share < 0.8 {
			t.Errorf("one in %d leaves: %.0f %% of what could be served in a minute of need", leave, 100*share)
		}
		if most := float64(s.highest) / tick.Seconds(); most > demand+15*capacity {
			t.Errorf("one in %d leaves: %.0f looks a second, %d wait", leave, most, s.joined)
		}
	}
}

// crowded is a shop that was as busy as it can be, and then had three times as many before it for so long.
func crowded(t *testing.T, capacity float64, long time.Duration) *rush {
	t.Helper()
	s := newRush(t, capacity)
	s.pass(t, 20*time.Second, capacity)
	s.pass(t, long, 3*capacity)
	return s
}

// When all who wait leave at once, those who come after are let in soon, and not faster than a multiple of the rate.
func TestGonePlacesAreCheap(t *testing.T) {
	t.Parallel()
	const capacity = 100
	s := crowded(t, capacity, 60*time.Second)
	waiting := s.room.counts.Issued - s.room.counts.Admitted
	clear(s.looks)
	s.pass(t, farMost*2*time.Second, 0)
	passed := waiting - (s.room.counts.Issued - s.room.counts.Admitted)
	if passed != waiting {
		t.Errorf("%d of %d who are gone are passed over", passed, waiting)
	}
	if s.room.rate > 1.5*capacity {
		t.Errorf("a rate of %.0f, though nobody has come in", s.room.rate)
	}
	if len(s.room.present.dues) > 0 {
		t.Errorf("%d places are still followed", len(s.room.present.dues))
	}
}

// Who comes after a crowd that has left waits until it is missed, and then for nobody: the shop is soon busy again.
func TestNobodyWaitsForThoseWhoLeft(t *testing.T) {
	t.Parallel()
	const capacity = 100
	s := crowded(t, capacity, 90*time.Second)
	clear(s.looks)
	s.pass(t, 25*time.Second, 0)
	if left := s.room.counts.Issued - s.room.counts.Admitted; left < 50*capacity {
		t.Fatalf("only %d have left and still have a place", left)
	}
	s.pass(t, 10*time.Second, 3*capacity)
	from := len(s.came)
	s.pass(t, 10*time.Second, 3*capacity)
	if share := s.served(from) / (10 * capacity); share < 0.3 {
		t.Errorf("%.0f %% of what could be served", 100*share)
	}
}

// After a moment in which the edge or the shop could do little the rate is soon back where it was.
func TestRateRecovers(t *testing.T) {
	t.Parallel()
	const capacity = 100
	s := crowded(t, capacity, 20*time.Second)
	s.room.rate = s.room.opts.MinRate
	s.pass(t, 20*time.Second, 3*capacity)
	if s.room.rate < capacity/2 {
		t.Errorf("a rate of %.0f, 20 s after it was low", s.room.rate)
	}
}

// While the edge lacks processor time, for whatever reason, the shop gets most of what it was seen to do, for as long as that lasts, and what
// it can do soon after.
func TestShopGoesOnWhileTheEdgeIsShort(t *testing.T) {
	t.Parallel()
	const capacity = 100
	s := crowded(t, capacity, 20*time.Second)
	s.short = true
	from := len(s.came)
	s.pass(t, 20*time.Second, 3*capacity)
	if share := s.served(from) / (20 * capacity); share < 0.7 {
		t.Errorf("%.0f %% of what could be served", 100*share)
	}
	if s.room.rate > (shortLeast+0.05)*s.room.sustain {
		t.Errorf("a rate of %.0f, %.0f were sustained: nothing was lowered", s.room.rate, s.room.sustain)
	}
	s.short = false
	s.pass(t, 5*time.Second, 3*capacity)
	if s.room.rate < 0.9*capacity {
		t.Errorf("a rate of %.0f 5 s later", s.room.rate)
	}
}

// A room that has just opened, of which nobody knows what can be sustained, lets in most of what it was told to begin with.
func TestRoomOpensWhileTheEdgeIsShort(t *testing.T) {
	t.Parallel()
	room := newRush(t, 1).room
	for range 100 {
		room.adapt(Load{Short: true}, 10)
	}
	if want := shortLeast * room.opts.Rate; room.rate != want {
		t.Errorf("a rate of %v, want %v", room.rate, want)
	}
}

// Who is next looks every second, who is far away seldom, and the more wait the less often.
func TestAgain(t *testing.T) {
	t.Parallel()
	s := newRush(t, 100)
	for _, c := range []struct {
		waiting  int64
		estimate time.Duration
		want     int
	}{
		{10, 0, 1}, {10, 2 * time.Second, 1}, {10, 8 * time.Second, 6}, {10, time.Minute, farLeast},
		{20_000, time.Second, 1}, {20_000, time.Minute, 25}, {20_000, 12 * time.Second, 9}, {1_000_000, time.Hour, farMost},
	} {
		s.room.counts = Counts{Issued: c.waiting}
		if got := s.room.again(c.estimate); got != c.want {
			t.Errorf("%d wait, %v to go: look again after %d s, want %d", c.waiting, c.estimate, got, c.want)
		}
	}
}

// Numbers beyond the bound, of other edges and of those let in long ago count as present, and are not kept.
func TestPresentIsBounded(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	var p present
	p.see(now, 7, 4, Place{Again: 1})
	if p.see(now, 3, 4, Place{Admitted: true}) || p.see(now, presentMax+5, 4, Place{Again: 1}) || len(p.dues) != 3 {
		t.Errorf("%d are kept", len(p.dues))
	}
	if n, cost := p.more(now.Add(time.Minute), Counts{Issued: 8, Admitted: 4}, 10); n != 4 || cost != 3+gonerCost {
		t.Errorf("%d for %v, want 4 of whom one is gone", n, cost)
	}
	if back := p.settle(now.Add(time.Minute), 8); back != 0 || len(p.dues) > 1 {
		t.Errorf("%v back, %d kept", back, len(p.dues))
	}
	p.see(now, 9, 8, Place{Again: 1})
	if back := p.settle(now.Add(time.Minute), 9); back != 1-gonerCost {
		t.Errorf("%v back for somebody who was let in and has not come", back)
	}
}
