package analytics

import (
	"testing"
	"time"
)

// While events come, who looks does not wait for who counts, and sees what was counted a moment ago.
func TestLatestWaitsForNobody(t *testing.T) {
	t.Parallel()
	l, b := NewLive(), &Batch{}
	b.Add(&Event{ID: NewID(), Time: noon, Kind: KindView})
	if n := l.Latest(noon).Hour.Events["view"]; n != 0 {
		t.Fatal(n)
	}
	now := noon.Add(showEvery)
	l.Observe(now, b)
	l.mu.Lock() // somebody counts: it would wait for ever
	s := l.Latest(now.Add(showEvery))
	l.mu.Unlock()
	if s.Hour.Events["view"] != 1 || !s.Time.Equal(now) {
		t.Errorf("%v at %v", s.Hour.Events, s.Time)
	}
	if s = l.Latest(now.Add(time.Minute)); !s.Time.Equal(now.Add(time.Minute)) { // nothing came: it is made anew
		t.Error(s.Time)
	}
	l.Observe(now.Add(time.Hour), b) // nobody has looked for long
	if at := l.shown.Load().Time; !at.Equal(now.Add(time.Minute)) {
		t.Error("a snapshot for nobody", at)
	}
}
