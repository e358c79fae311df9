package analytics

import (
	"encoding/binary"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// idOf makes a valid id of a number.
func idOf(n uint64, version byte) ID {
	var id ID
	binary.BigEndian.PutUint64(id[:], n<<16)
	id[6], id[8] = version<<4, 0x80
	return id
}

// Against a map: an id added within the window is not new; one that was never added is; what is older may be either.
func TestSeenAgainstAMap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(1e9, 0)
		const window = 10 * time.Minute
		s := newSeen(window, 1<<20, now)
		last := map[ID]time.Time{}
		for range rapid.IntRange(1, 400).Draw(t, "steps") {
			if rapid.IntRange(0, 4).Draw(t, "step") == 0 {
				now = now.Add(time.Duration(rapid.IntRange(0, 600).Draw(t, "s")) * time.Second)
				s.advance(now)
			}
			id := idOf(rapid.Uint64Range(0, 300).Draw(t, "id"), []byte{4, 7, 8}[rapid.IntRange(0, 2).Draw(t, "version")])
			isNew := s.add(id)
			at, known := last[id]
			switch {
			case !known && !isNew:
				t.Fatalf("%s was never added and is not new", id)
			case known && now.Sub(at) <= window && isNew:
				t.Fatalf("%s was added %s ago and is new", id, now.Sub(at))
			}
			if isNew {
				last[id] = now
			}
		}
	})
}

func TestSeenGrowsAndForgets(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	s := newSeen(10*time.Minute, 150_000, now)
	n := uint64(0)
	for range 30 { // minutes
		for range 20_000 {
			n++
			if !s.add(idOf(n, 7)) {
				t.Fatalf("%d is not new", n)
			}
		}
		now = now.Add(time.Minute)
		s.advance(now)
		s.trim()
		if s.len() > 150_000 {
			t.Fatalf("%d ids are remembered", s.len())
		}
	}
	slots := 0
	for _, seg := range s.segments {
		slots += len(seg.slots)
	}
	if slots > 1<<20 {
		t.Errorf("%d slots for %d ids", slots, s.len())
	}
	if s.early == 0 {
		t.Error("too many ids, and none was forgotten early")
	}
	if s.add(idOf(n, 7)) {
		t.Error("the newest id was forgotten")
	}
}

// BenchmarkSeenTouched is BenchmarkSeen as the ingester does it.
func BenchmarkSeenTouched(b *testing.B) {
	s := newSeen(10*time.Minute, 1<<30, time.Now())
	n := uint64(0)
	ids := make([]ID, touched)
	for b.Loop() {
		for i := range ids {
			n += 0x9e3779b97f4a7c15
			ids[i] = idOf(n>>16, 7)
		}
		s.touch(ids)
		for _, id := range ids {
			s.add(id)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/touched, "ns/id")
}

func BenchmarkSeen(b *testing.B) {
	s := newSeen(10*time.Minute, 1<<30, time.Now())
	n := uint64(0)
	for b.Loop() {
		n += 0x9e3779b97f4a7c15
		s.add(idOf(n>>16, 7))
	}
}
