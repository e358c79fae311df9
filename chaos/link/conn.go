package link

import (
	"context"
	"io"
	"net"
	"sync"
)

// conn is one connection through the proxy.
type conn struct {
	p         *Proxy
	id        int64
	near, far net.Conn // far is nil until it is made
	up, down  *stream

	mu      sync.Mutex
	label   string
	effects []*inForce
	changed chan struct{} // closed at each change
	halved  bool          // the far side was ended, and the near one not told
	broken  bool
	dead    chan struct{} // closed when broken
}

func newConn(p *Proxy, id int64, near net.Conn) *conn {
	return &conn{p: p, id: id, near: near, changed: make(chan struct{}), dead: make(chan struct{})}
}

// change takes over what is in force now.
func (c *conn) change(effects []*inForce) {
	c.mu.Lock()
	c.effects = effects
	close(c.changed)
	c.changed = make(chan struct{})
	c.mu.Unlock()
	c.obey()
}

// obey does what effects do to the connection as a whole.
func (c *conn) obey() {
	cut, half := c.fate()
	c.mu.Lock()
	wasHalf := c.halved
	c.halved = c.halved || half
	far := c.far
	c.mu.Unlock()
	switch {
	case cut, wasHalf && !half:
		c.breakOff()
	case half && far != nil:
		_ = far.Close()
	}
}

// fate is what effects do to the connection as a whole.
func (c *conn) fate() (cut, half bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.effects {
		if (e.Cut || e.HalfOpen) && e.hits(c.id, c.label) {
			cut, half = cut || e.Cut, half || e.HalfOpen
		}
	}
	return cut, half
}

// way is what is in force for one direction, and a channel that is closed when that changes.
func (c *conn) way(d Direction) (w way, changed <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.effects {
		if (e.Direction == Both || e.Direction == d) && e.hits(c.id, c.label) {
			w.add(&e.Effect)
		}
	}
	return w, c.changed
}

// isHalf tells whether the far side is gone without the near one knowing.
func (c *conn) isHalf() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.halved
}

// breakOff ends both sides at once, by a reset where there is such a thing.
func (c *conn) breakOff() { c.close(true) }

// close ends both sides, if they have not ended.
func (c *conn) close(reset bool) {
	c.mu.Lock()
	if c.broken {
		c.mu.Unlock()
		return
	}
	c.broken = true
	close(c.dead)
	far := c.far
	c.mu.Unlock()
	for _, side := range []net.Conn{c.near, far} {
		if tcp, ok := side.(*net.TCPConn); ok && reset {
			_ = tcp.SetLinger(0)
		}
		if side != nil {
			_ = side.Close()
		}
	}
}

// carry is the whole life of the connection.
func (c *conn) carry() {
	defer c.close(false)
	first, ok := c.begin()
	if !ok || !c.connect() {
		return
	}
	c.up, c.down = newStream(c, Up, c.near, c.far), newStream(c, Down, c.far, c.near)
	var both sync.WaitGroup
	both.Go(func() { c.up.run(first) })
	both.Go(func() { c.down.run(nil) })
	both.Wait()
	c.linger()
}

// begin reads as much as it takes to label the connection.
func (c *conn) begin() (first []byte, ok bool) {
	if c.p.o.Label == nil {
		c.obey()
		return nil, true
	}
	buf := make([]byte, 0, 512)
	for len(buf) < cap(buf) {
		n, err := c.near.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if label, enough := c.p.o.Label(buf); enough {
			c.mu.Lock()
			c.label = label
			c.mu.Unlock()
			break
		}
		if err != nil {
			return nil, false
		}
	}
	c.obey()
	return buf, true
}

// connect makes the far side. Where it is half open there is none to be made.
func (c *conn) connect() bool {
	if c.isHalf() {
		c.linger()
		return false
	}
	select {
	case <-c.dead:
		return false
	default:
	}
	ctx, cancel := context.WithTimeout(c.p.ctx, c.p.o.DialTimeout)
	defer cancel()
	far, err := c.p.o.Dial(ctx)
	if err != nil {
		c.p.o.Log.Debug("the far side of a link cannot be reached", "error", err)
		return false
	}
	c.mu.Lock()
	broken := c.broken
	c.far = far
	c.mu.Unlock()
	if broken {
		_ = far.Close()
		return false
	}
	c.obey() // it may have been cut meanwhile
	return true
}

// linger keeps a near side that was told nothing until it gives up or somebody tells it.
func (c *conn) linger() {
	if !c.isHalf() {
		return
	}
	_, _ = io.Copy(io.Discard, c.near) // ends when either side breaks it off
}
