package telemetry

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// Options configure a [Set]; the zero value works.
type Options struct {
	// MaxNames bounds the names of each kind; those that come later are counted as [Other]. Default 256.
	MaxNames int
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Set is the series of a process. Make it with [NewSet]; it is safe for concurrent use.
type Set struct {
	o      Options
	series atomic.Pointer[map[key]*Series] // is replaced under the lock, never changed

	mu    sync.Mutex
	names map[Kind]int
	begun time.Time
	ticks int64 // since begun
	sum   sum   // scratch
}

type key struct {
	kind Kind
	name string
}

// NewSet makes an empty set. Figures are right to the second when [Set.Run] runs or somebody exports that often.
func NewSet(o Options) *Set {
	if o.MaxNames <= 0 {
		o.MaxNames = 256
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Set{o: o, names: map[Kind]int{}, begun: o.Now()}
	s.series.Store(&map[key]*Series{})
	return s
}

// Series finds or makes the series of a name. Finding one takes no lock. It is O(number of series) the first time.
func (s *Set) Series(kind Kind, name string) *Series {
	if sr := (*s.series.Load())[key{kind, name}]; sr != nil {
		return sr
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	known := *s.series.Load()
	if sr := known[key{kind, name}]; sr != nil {
		return sr
	}
	if s.names[kind] >= s.o.MaxNames {
		name = Other
		if sr := known[key{kind, name}]; sr != nil {
			return sr
		}
	}
	sr := &Series{kind: kind, name: name}
	grown := maps.Clone(known)
	grown[key{kind, name}] = sr
	s.names[kind]++
	s.series.Store(&grown)
	return sr
}

// Run moves the windows on every second until ctx ends.
func (s *Set) Run(ctx context.Context) {
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			s.mu.Lock()
			s.advance(s.o.Now())
			s.mu.Unlock()
		}
	}
}

// advance closes the slots that have ended by now; under the lock. What was recorded since the last call goes into the newest: a
// process that was stopped for a while has recorded nothing meanwhile.
func (s *Set) advance(now time.Time) {
	due := int64(now.Sub(s.begun)/tick) - s.ticks
	if due <= 0 {
		return
	}
	s.ticks += due
	longest := int64(windows[len(windows)-1].span / tick)
	for _, sr := range *s.series.Load() {
		for range min(due-1, 2*longest) {
			sr.past.push(nil)
		}
		sr.past.push(sr.drain())
	}
}
