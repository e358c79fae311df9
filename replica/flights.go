package replica

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// flight is one read on its way to a server.
type flight struct {
	ctx   context.Context // what it runs under
	cuts  uint64          // of the member's line, at the beginning
	entry *entry          // nil: it has no context of its own
	timed bool
	start time.Duration // since birth, if it is timed
}

// birth is what times of reads are counted from: time.Now costs twice as much as time.Since, as it reads the time of day as well.
var birth = time.Now()

// Of many reads at a time one in eight is timed: two looks at the clock cost as much as the rest of routing.
const (
	fewReads   = 2
	timedReads = 8
)

// depart begins a read. One that cannot be ended by cutting its connection gets a context, to be ended by that. The primary's reads
// have nowhere else to go: they are not ended.
func (m member) depart(ctx context.Context) flight {
	f := flight{ctx: ctx}
	switch {
	case m.writer:
	case m.line != nil:
		f.cuts = m.line.cuts.Load()
	default:
		f.entry = &entry{}
		f.ctx, f.entry.cancel = context.WithCancelCause(ctx)
		m.entries.add(f.entry)
	}
	n := m.begun.Add(1)
	if f.timed = n%timedReads == 0 || n-m.ended.Load() <= fewReads; f.timed {
		f.start = time.Since(birth)
	}
	return f
}

// arrive ends a read.
func (m member) arrive(f flight, well bool) {
	m.ended.Add(1)
	if f.timed && well {
		m.observe(time.Since(birth) - f.start)
	}
	if f.entry != nil {
		m.entries.remove(f.entry)
		f.entry.cancel(nil)
	}
}

// dropped tells that a read was ended because its server does not answer, whatever it made of that.
func (m member) dropped(f flight) bool {
	if f.entry != nil {
		return context.Cause(f.ctx) == errTakenOut
	}
	return m.line != nil && m.line.cuts.Load() != f.cuts
}

// entries are the reads under way that have a context of their own. In parts, each with a lock of its own: every such read passes
// here twice.
type entries [8]struct {
	mu    sync.Mutex
	first *entry
	_     [40]byte // a cache line each
}

// entry is one of them, in a list.
type entry struct {
	cancel     context.CancelCauseFunc
	next, prev *entry
	part       uint32
}

func (l *entries) add(e *entry) {
	e.part = rand.Uint32() % uint32(len(l)) //nolint:gosec // eight
	p := &l[e.part]
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.next = p.first; e.next != nil {
		e.next.prev = e
	}
	p.first = e
}

func (l *entries) remove(e *entry) {
	p := &l[e.part]
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.next != nil {
		e.next.prev = e.prev
	}
	if e.prev != nil {
		e.prev.next = e.next
	} else {
		p.first = e.next
	}
}

// drop lets the reads that wait for the server fail now.
func (l *entries) drop(why error) {
	for i := range l {
		p := &l[i]
		p.mu.Lock()
		for e := p.first; e != nil; e = e.next {
			e.cancel(why)
		}
		p.mu.Unlock()
	}
}
