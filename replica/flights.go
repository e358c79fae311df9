package replica

import (
	"context"
	"math/rand/v2"
	"sync"
)

// flights are the reads on their way to one server, so that they can be dropped when it hangs. In parts, each with a lock of its
// own: every read passes here twice.
type flights [8]struct {
	mu    sync.Mutex
	first *flight
	_     [40]byte // a cache line each
}

// flight is one read, in a list.
type flight struct {
	cancel     context.CancelCauseFunc
	next, prev *flight
	part       uint32
}

func (l *flights) add(f *flight) {
	f.part = rand.Uint32() % uint32(len(l)) //nolint:gosec // eight
	p := &l[f.part]
	p.mu.Lock()
	defer p.mu.Unlock()
	if f.next = p.first; f.next != nil {
		f.next.prev = f
	}
	p.first = f
}

func (l *flights) remove(f *flight) {
	p := &l[f.part]
	p.mu.Lock()
	defer p.mu.Unlock()
	if f.next != nil {
		f.next.prev = f.prev
	}
	if f.prev != nil {
		f.prev.next = f.next
	} else {
		p.first = f.next
	}
}

// drop lets the reads that wait for the server fail now.
func (l *flights) drop(why error) {
	for i := range l {
		p := &l[i]
		p.mu.Lock()
		for f := p.first; f != nil; f = f.next {
			f.cancel(why)
		}
		p.mu.Unlock()
	}
}
