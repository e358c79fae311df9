package link

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"
)

// Options of a Proxy. Dial is needed.
type Options struct {
	// Dial connects to the far side.
	Dial func(ctx context.Context) (net.Conn, error)
	// DialTimeout bounds it. Default 5 s.
	DialTimeout time.Duration
	// Label names a connection by the first bytes that come from the near side; it returns false when it needs more, and gets
	// at most 512. nil: connections have no label.
	Label func(first []byte) (label string, enough bool)
	// Log hears of connections that could not be made. Default: nothing.
	Log *slog.Logger
}

// Proxy stands between a listener and a server. Safe for concurrent use.
type Proxy struct {
	o      Options
	ctx    context.Context // ends with the proxy
	cancel context.CancelFunc
	all    sync.WaitGroup

	mu        sync.Mutex
	closed    bool
	listeners []net.Listener
	conns     map[*conn]struct{}
	serial    int64
	effects   []*inForce
	effectID  int64
}

// New makes a proxy; Serve makes it work.
func New(o Options) *Proxy {
	o.DialTimeout = cmp.Or(o.DialTimeout, 5*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	p := &Proxy{o: o, conns: map[*conn]struct{}{}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// Serve takes connections from l in the background until Close, which closes l.
func (p *Proxy) Serve(l net.Listener) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = l.Close()
		return
	}
	p.listeners = append(p.listeners, l)
	p.all.Go(func() { p.accept(l) })
}

// acceptPause is how long nobody is taken after the system had no more descriptors.
const acceptPause = 50 * time.Millisecond

func (p *Proxy) accept(l net.Listener) {
	for {
		near, err := l.Accept()
		if err == nil {
			p.take(near)
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		select {
		case <-p.ctx.Done():
			return
		case <-time.After(acceptPause):
		}
	}
}

// take gives a connection a number and carries it.
func (p *Proxy) take(near net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = near.Close()
		return
	}
	p.serial++
	c := newConn(p, p.serial, near)
	p.conns[c] = struct{}{}
	c.mu.Lock()
	c.effects = p.effects
	c.mu.Unlock()
	p.all.Go(func() {
		c.carry()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.conns, c)
	})
}

// Add puts an effect in force for connections that are open and for new ones, and returns how to end it. Ending it twice is
// fine.
func (p *Proxy) Add(e Effect) (end func(), err error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.effectID++
	f := &inForce{e, p.effectID}
	p.change(append(slices.Clone(p.effects), f))
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.change(slices.DeleteFunc(slices.Clone(p.effects), func(x *inForce) bool { return x == f }))
	}, nil
}

// change tells every connection which effects there are.
func (p *Proxy) change(effects []*inForce) {
	p.effects = effects
	for c := range p.conns {
		c.change(effects)
	}
}

// Conns is how many connections are open.
func (p *Proxy) Conns() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns)
}

// Close ends everything and returns when it has ended. Safe to call twice.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	for _, l := range p.listeners {
		_ = l.Close() // what is closed already is closed
	}
	for c := range p.conns {
		c.breakOff()
	}
	p.mu.Unlock()
	p.cancel()
	p.all.Wait()
	return nil
}
