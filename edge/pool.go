package edge

import (
	"context"
	"errors"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// ErrNoOrigin says that no origin is healthy and none came back in time.
var ErrNoOrigin = errors.New("edge: no healthy origin")

// pool is the set of origins and the choice among them.
type pool struct {
	opts    Options
	m       *metrics
	ctx     context.Context // ends with the edge
	origins atomic.Pointer[[]*origin]
	waiters atomic.Int64

	mu      sync.Mutex
	changed chan struct{} // closed when an origin has become usable, then replaced
	closed  bool
	wg      sync.WaitGroup // the checkers
}

func newPool(ctx context.Context, o Options, m *metrics) *pool {
	p := &pool{opts: o, m: m, ctx: ctx, changed: make(chan struct{})}
	p.origins.Store(&[]*origin{})
	return p
}

// set replaces the origins; those that stay keep their connections and what is known of them.
func (p *pool) set(addrs []string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrClosed
	}
	old := *p.origins.Load()
	var next, added []*origin
	for _, addr := range addrs {
		same := func(o *origin) bool { return o.id == addr }
		if slices.ContainsFunc(next, same) {
			continue
		}
		if i := slices.IndexFunc(old, same); i >= 0 {
			next = append(next, old[i])
			continue
		}
		o, err := newOrigin(addr, p.opts)
		if err != nil {
			return err
		}
		if len(old) > 0 && p.opts.SlowStart > 0 {
			o.warming.Store(time.Now().UnixNano())
		}
		next, added = append(next, o), append(added, o)
	}
	p.origins.Store(&next)
	for _, o := range added {
		ctx, cancel := context.WithCancel(p.ctx)
		o.stop = cancel
		p.m.up(o.id, true)
		p.wg.Go(func() { p.check(ctx, o) })
	}
	for _, o := range old {
		if !slices.Contains(next, o) {
			p.retire(o)
		}
	}
	p.wake()
	return nil
}

// retire stops watching an origin. Its requests in flight finish; its connections close as they become idle.
func (p *pool) retire(o *origin) {
	o.stop()
	o.transport.CloseIdleConnections()
	p.m.forget(o.id)
}

// pick chooses the less busy of two random origins among the healthiest that were not tried yet; when all were, any.
func (p *pool) pick(tried []*origin) *origin {
	all := *p.origins.Load()
	var buf [16]*origin
	for _, want := range [...]state{stateUp, stateSlow} {
		for _, again := range [...]bool{false, true} {
			c := buf[:0]
			for _, o := range all {
				if o.is() == want && slices.Contains(tried, o) == again {
					c = append(c, o)
				}
			}
			if len(c) > 0 {
				return p.lessBusy(c)
			}
		}
	}
	return nil
}

func (p *pool) lessBusy(c []*origin) *origin {
	if len(c) == 1 {
		return c[0]
	}
	i := rand.IntN(len(c))
	j := rand.IntN(len(c) - 1)
	if j >= i {
		j++
	}
	if p.load(c[j]) < p.load(c[i]) {
		return c[j]
	}
	return c[i]
}

// load is what an origin has to do. One that is new or just back counts as busier than it is, less and less so during
// SlowStart: its caches are cold and its connections are still to be made.
func (p *pool) load(o *origin) float64 {
	busy := float64(o.inFlight.Load())
	begun := o.warming.Load()
	if begun == 0 {
		return busy
	}
	share := float64(time.Now().UnixNano()-begun) / float64(p.opts.SlowStart)
	if share >= 1 {
		o.warming.CompareAndSwap(begun, 0)
		return busy
	}
	return (busy + 1) / max(share, 0.1)
}

// sticky is the healthy origin to which a key belongs, by the highest random weight: when one goes, only its keys move.
// nil when there is none.
func (p *pool) sticky(key string, tried []*origin) (best *origin) {
	var most uint64
	for _, o := range *p.origins.Load() {
		if o.is() != stateUp || slices.Contains(tried, o) {
			continue
		}
		h := fnv.New64a()
		_, _ = io.WriteString(h, key)
		_, _ = io.WriteString(h, "\x00"+o.id)
		if w := h.Sum64() * 0x9e3779b97f4a7c15; best == nil || w > most {
			best, most = o, w
		}
	}
	return best
}

// await is pick, but waits until deadline for an origin to become usable.
func (p *pool) await(ctx context.Context, tried []*origin, deadline time.Time) (*origin, error) {
	if o := p.pick(tried); o != nil {
		return o, nil
	}
	if p.waiters.Add(1) > int64(p.opts.MaxWaiters) {
		p.waiters.Add(-1)
		return nil, ErrNoOrigin
	}
	defer p.waiters.Add(-1)
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	for {
		changed := p.changes() // taken before looking, so that no change is missed
		if o := p.pick(tried); o != nil {
			return o, nil
		}
		select {
		case <-changed:
		case <-timer.C:
			return nil, ErrNoOrigin
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-p.ctx.Done():
			return nil, ErrClosed
		}
	}
}

func (p *pool) changes() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changed
}

// wake tells the waiters to look again; p.mu is held.
func (p *pool) wake() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// usable counts origins that would get a request now.
func (p *pool) usable() (up, total int) {
	all := *p.origins.Load()
	for _, o := range all {
		if o.is() != stateDown {
			up++
		}
	}
	return up, len(all)
}

// close stops all checkers and waits for them.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	all := *p.origins.Load()
	p.mu.Unlock()
	for _, o := range all {
		o.stop()
		o.transport.CloseIdleConnections()
	}
	p.wg.Wait()
}
