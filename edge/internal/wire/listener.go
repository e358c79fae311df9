package wire

import (
	"net"
	"sync"
)

// Listener wraps connections.
type Listener struct {
	net.Listener
	o Options

	mu    sync.Mutex
	conns map[*Conn]struct{}
}

// NewListener wraps l.
func NewListener(l net.Listener, o Options) *Listener {
	return &Listener{Listener: l, o: o, conns: map[*Conn]struct{}{}}
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	inner, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &Conn{Conn: inner, raw: rawConn(inner), o: &l.o, wake: make(chan struct{}, 1), onEnd: l.forget}
	if a, ok := inner.RemoteAddr().(*net.TCPAddr); ok {
		c.peer = a.AddrPort().Addr().Unmap()
	}
	l.mu.Lock()
	l.conns[c] = struct{}{}
	l.mu.Unlock()
	return c, nil
}

func (l *Listener) forget(c *Conn) {
	l.mu.Lock()
	delete(l.conns, c)
	l.mu.Unlock()
}

// CloseIdle closes the connections that wait for a request: net/http takes those of which it has never seen one for
// new, and would wait for them.
func (l *Listener) CloseIdle() {
	l.mu.Lock()
	conns := make([]*Conn, 0, len(l.conns))
	for c := range l.conns {
		conns = append(conns, c)
	}
	l.mu.Unlock()
	for _, c := range conns {
		if phase(c.phase.Load()) == boundary {
			_ = c.Close()
		}
	}
}
