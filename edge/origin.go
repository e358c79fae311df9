package edge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// state is what is known about an origin.
type state int32

const (
	stateUp   state = iota // answers its health check, or was not checked yet
	stateSlow              // its health check times out: last resort
	stateDown              // refuses connections, or says that it is not ready
)

func (s state) String() string { return [...]string{"up", "slow", "down"}[s] }

// origin is one server behind the edge, with connections of its own.
type origin struct {
	id        string // as given in Options.Origins
	host      string // for URLs
	transport *http.Transport
	probes    *http.Transport // a fresh connection each, so that a stuck accept loop is seen
	inFlight  atomic.Int64
	state     atomic.Int32
	breaks    atomic.Int32  // connections broken in a row
	warming   atomic.Int64  // when its slow start began (Unix nanoseconds), 0 when it is over
	kick      chan struct{} // asks for a health check now
	stop      context.CancelFunc

	mu       sync.Mutex
	lost     context.Context // cancelled when the origin hangs, replaced when it is back
	lose     context.CancelFunc
	ejected  time.Time     // when it last went down by a failed connection
	holdDown time.Duration // how long after that a good health check is not believed yet
}

// dialError marks failures to make a connection: no byte of the request was sent.
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

func isDialError(err error) bool {
	var d *dialError
	return errors.As(err, &d)
}

func newOrigin(addr string, o Options) (*origin, error) {
	network, target, host, err := parseOrigin(addr)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: o.DialTimeout, KeepAlive: 30 * time.Second}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		c, err := dialer.DialContext(ctx, network, target)
		if err != nil {
			return nil, &dialError{err}
		}
		return c, nil
	}
	or := &origin{id: addr, host: host, kick: make(chan struct{}, 1)}
	or.lost, or.lose = context.WithCancel(context.Background())
	or.transport = &http.Transport{
		DialContext:            dial,
		DisableCompression:     true, // what the shopper accepts is between them and the origin
		MaxIdleConns:           0,
		MaxIdleConnsPerHost:    min(o.MaxConnsPerOrigin, 1024),
		MaxConnsPerHost:        o.MaxConnsPerOrigin,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 256 << 10,
		ReadBufferSize:         16 << 10,
	}
	or.probes = &http.Transport{DialContext: dial, DisableKeepAlives: true, DisableCompression: true}
	return or, nil
}

// parseOrigin splits an origin's address into what to dial and the host to name in URLs.
func parseOrigin(addr string) (network, target, host string, err error) {
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		if path == "" {
			return "", "", "", fmt.Errorf("edge: origin %q has no path: write unix:/path/to/socket", addr)
		}
		return "unix", path, "origin", nil
	}
	u, err := url.Parse(addr)
	if err != nil || u.Scheme != "http" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		return "", "", "", fmt.Errorf("edge: origin %q: write http://host:port or unix:/path/to/socket", addr)
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	return "tcp", net.JoinHostPort(u.Hostname(), port), u.Host, nil
}

func (o *origin) is() state { return state(o.state.Load()) }

// lostContext is cancelled when the origin has stopped answering.
func (o *origin) lostContext() context.Context {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.lost
}

// askProbe makes the checker look at once; it never blocks.
func (o *origin) askProbe() {
	select {
	case o.kick <- struct{}{}:
	default:
	}
}
