package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"sync"
	"time"
)

// What can be wrong with an answer, apart from its connection breaking.
var (
	ErrProtocol = errors.New("the answer is not HTTP/1.1")
	ErrTooLong  = errors.New("the answer is too long")
	ErrRequest  = errors.New("the request cannot be written")
	ErrClosed   = errors.New("the client is closed")
)

// Options of a client. Base is needed.
type Options struct {
	Base    *url.URL      // scheme, host and port; the path is not used
	Head    string        // header lines of every request, each ending in CR LF
	Idle    int           // connections kept for the next request; default 64
	MaxBody int           // bytes of an answer's body; default 8 MiB
	Stale   time.Duration // a connection that nobody used for longer is not trusted; default 50 s
	TLS     *tls.Config   // for https; default the system's roots
}

// Client makes connections to one server and keeps those that nobody uses. Safe for concurrent use.
type Client struct {
	o       Options
	address string
	host    string
	tls     *tls.Config

	mu     sync.Mutex
	idle   []*Conn // the one used last is taken first
	open   map[*Conn]struct{}
	closed bool
}

// New makes a client; nothing is connected yet.
func New(o Options) *Client {
	if o.Idle == 0 {
		o.Idle = 64
	}
	if o.MaxBody == 0 {
		o.MaxBody = 8 << 20
	}
	if o.Stale == 0 {
		o.Stale = 50 * time.Second
	}
	c := &Client{o: o, host: o.Base.Host, address: o.Base.Host, open: map[*Conn]struct{}{}}
	port := o.Base.Port()
	if o.Base.Scheme == "https" {
		c.tls = tlsConfig(o.TLS, o.Base.Hostname())
		if port == "" {
			port = "443"
		}
	}
	if port == "" {
		port = "80"
	}
	c.address = net.JoinHostPort(o.Base.Hostname(), port)
	return c
}

func tlsConfig(given *tls.Config, name string) *tls.Config {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if given != nil {
		cfg = given.Clone()
	}
	if cfg.ServerName == "" {
		cfg.ServerName = name
	}
	cfg.NextProtos = []string{"http/1.1"}
	if cfg.ClientSessionCache == nil {
		cfg.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	}
	return cfg
}

// Get takes a kept connection or makes one, which must succeed before the deadline.
func (c *Client) Get(ctx context.Context, deadline time.Time) (*Conn, error) {
	c.mu.Lock()
	if n := len(c.idle); n > 0 {
		cn := c.idle[n-1]
		c.idle = c.idle[:n-1]
		c.mu.Unlock()
		if time.Since(cn.used) < c.o.Stale {
			return cn, nil
		}
		cn.Close()
		return c.Dial(ctx, deadline)
	}
	c.mu.Unlock()
	return c.Dial(ctx, deadline)
}

// Dial makes a new connection.
func (c *Client) Dial(ctx context.Context, deadline time.Time) (*Conn, error) {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	var d net.Dialer
	raw, err := d.DialContext(ctx, "tcp", c.address)
	if err != nil {
		return nil, err
	}
	if c.tls != nil {
		secure := tls.Client(raw, c.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = raw.Close()
			return nil, err
		}
		raw = secure
	}
	cn := &Conn{client: c, net: raw, used: time.Now()}
	c.mu.Lock()
	closed := c.closed
	if !closed {
		c.open[cn] = struct{}{}
	}
	c.mu.Unlock()
	if closed {
		_ = raw.Close()
		return nil, ErrClosed
	}
	return cn, nil
}

// Put gives a connection back: kept when its last answer was complete and there is room, else closed. The last answer's
// body is not valid any more.
func (c *Client) Put(cn *Conn) {
	cn.letGo()
	if cn.kept {
		cn.used = time.Now()
		c.mu.Lock()
		room := !c.closed && len(c.idle) < c.o.Idle
		if room {
			c.idle = append(c.idle, cn)
		}
		c.mu.Unlock()
		if room {
			return
		}
	}
	cn.Close()
}

// Open is how many connections there are, kept ones included.
func (c *Client) Open() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open)
}

// Close closes all connections, those in use too: requests on their way end with an error. Closing twice is fine.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	all := c.open
	c.open, c.idle = map[*Conn]struct{}{}, nil
	c.mu.Unlock()
	for cn := range all {
		_ = cn.net.Close()
	}
}

func (c *Client) forget(cn *Conn) {
	c.mu.Lock()
	delete(c.open, cn)
	c.mu.Unlock()
}
