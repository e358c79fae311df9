package cache_test

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// proxy is a network between a process and Redis that can be cut: connections hang, as when a cable is pulled, and new ones are
// not answered.
type proxy struct {
	addr string
	to   string

	mu    sync.Mutex
	heal  chan struct{} // closed while the network is whole
	slow  time.Duration // how long answers are held back
	every int           // one of so many
	seen  int           // answers so far
	conns []net.Conn
}

func newProxy(tb testing.TB, to string) *proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &proxy{addr: l.Addr().String(), to: to, heal: make(chan struct{})}
	close(p.heal)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { p.serve(c) })
		}
	})
	tb.Cleanup(func() {
		_ = l.Close()
		p.restore()
		p.mu.Lock()
		for _, c := range p.conns {
			_ = c.Close()
		}
		p.mu.Unlock()
		wg.Wait()
	})
	return p
}

func (p *proxy) serve(c net.Conn) {
	defer c.Close()
	r, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer r.Close()
	p.mu.Lock()
	p.conns = append(p.conns, c, r)
	p.mu.Unlock()
	done := make(chan struct{})
	go func() { defer close(done); p.copy(r, c, nil); _ = r.Close() }()
	p.copy(c, r, p.late)
	_ = c.Close()
	<-done
}

// delay holds back one of every so many answers.
func (p *proxy) delay(d time.Duration, every int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slow, p.every = d, every
}

// late is how long to hold back the next answer.
func (p *proxy) late() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen++; p.every == 0 || p.seen%p.every > 0 {
		return 0
	}
	return p.slow
}

// copy passes bytes on while the network is whole.
func (p *proxy) copy(to io.Writer, from io.Reader, late func() time.Duration) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		heal := p.heal
		p.mu.Unlock()
		<-heal
		if late != nil {
			if d := late(); d > 0 {
				time.Sleep(d) // that is what a slow network does
			}
		}
		if n > 0 {
			if _, werr := to.Write(buf[:n]); werr != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heal = make(chan struct{})
}

func (p *proxy) restore() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.heal:
	default:
		close(p.heal)
	}
}
