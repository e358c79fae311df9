package replica

import (
	"context"
	"math/rand/v2"
	"sync"
)

// flight is one read on its way to a server.
type flight struct {
	ctx   context.Context // what it runs under
	cuts  uint64          // of the member's line, at the beginning
	entry *entry          // nil: it has no context of its own
}

// depart begins a read. One that cannot be ended by cutting its connection gets a context, to be ended by that. The primary's reads
// have nowhere else to go: they are not ended.
func (m member) depart(ctx context.Context) flight {
	m.begun.Add(1)
	switch {
	case m.writer:
		return flight{ctx: ctx}
	case m.line != nil:
		return flight{ctx: ctx, cuts: m.line.cuts.Load()}
	}
	e := &entry{}
	f := flight{entry: e}
	f.ctx, e.cancel = context.WithCancelCause(ctx)
	m.entries.add(e)
	return f
}

// arrive ends a read.
func (m member) arrive(f flight) {
	m.ended.Add(1)
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
