package edge

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stampede-shop/stampede/edge/httpcache"
)

// What Ready, Drain and SetOrigins may answer.
var (
	ErrClosed   = errors.New("edge: closed")
	ErrDraining = errors.New("edge: draining")
)

// Edge is an http.Handler that answers from its cache or passes requests to the least busy healthy origin. Make it with [New], end it with
// [Edge.Close].
type Edge struct {
	opts    Options
	m       *metrics
	pool    *pool
	budget  *budget
	cache   *httpcache.Cache // nil: none
	handler http.Handler     // admission, the cache, middlewares, then the balancer
	proxy   *httputil.ReverseProxy
	server  *http.Server

	ctx      context.Context
	cancel   context.CancelFunc
	kept     atomic.Int64 // bytes of request bodies kept for repetition
	conns    atomic.Int64 // open client connections of Serve
	draining atomic.Bool
	drained  chan struct{} // closed when Drain has ended
	drainErr error

	unsubscribe func()

	mu        sync.Mutex
	listeners []net.Listener
}

// New makes an Edge and starts watching its origins, which count as healthy until a check or a connection fails.
func New(o Options) (*Edge, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	e := &Edge{
		opts: o, m: m, ctx: ctx, cancel: cancel, drained: make(chan struct{}),
		pool:   newPool(ctx, o, m),
		budget: &budget{ratio: o.RetryRatio, floor: o.RetryFloor, now: time.Now},
	}
	e.proxy = e.newProxy()
	e.handler = http.HandlerFunc(e.balance)
	for _, wrap := range slices.Backward(o.Middleware) {
		e.handler = wrap(e.handler)
	}
	e.server = e.newServer()
	if err := errors.Join(e.pool.set(o.Origins), e.addCache(), e.joinBus()); err != nil {
		e.Close()
		return nil, err
	}
	for _, wrap := range slices.Backward(o.Admission) {
		e.handler = wrap(e.handler)
	}
	return e, nil
}

// SetOrigins replaces the origins at run time. Those that stay keep their connections; requests in flight on those
// that go are finished. On an error nothing has changed.
func (e *Edge) SetOrigins(addrs []string) error { return e.pool.set(addrs) }

// Ready is nil while the edge takes requests and has an origin for them.
func (e *Edge) Ready() error {
	if e.ctx.Err() != nil {
		return ErrClosed
	}
	if e.draining.Load() {
		return ErrDraining
	}
	if up, _ := e.pool.usable(); up == 0 {
		return ErrNoOrigin
	}
	return nil
}

// OriginStatus is what the edge knows about one origin.
type OriginStatus struct {
	Address  string `json:"address"`
	State    string `json:"state"` // up, slow, down
	InFlight int64  `json:"in_flight"`
}

// Origins lists the origins in the order they were given.
func (e *Edge) Origins() []OriginStatus {
	all := *e.pool.origins.Load()
	list := make([]OriginStatus, len(all))
	for i, o := range all {
		list[i] = OriginStatus{Address: o.id, State: o.is().String(), InFlight: o.inFlight.Load()}
	}
	return list
}

// Close ends everything at once: listeners, requests in flight, health checks. It may be called again and at any time.
func (e *Edge) Close() {
	e.cancel()
	e.closeListeners()
	_ = e.server.Close()
	e.pool.close()
	if e.unsubscribe != nil {
		e.unsubscribe()
	}
	if e.cache != nil {
		e.cache.Close()
	}
}

func (e *Edge) newProxy() *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite:        rewrite,
		Transport:      forwarder{e},
		ModifyResponse: e.markAnswer,
		ErrorHandler:   e.fail,
		BufferPool:     newBuffers(32 << 10),
		ErrorLog:       slog.NewLogLogger(e.opts.Log.Handler(), slog.LevelDebug),
	}
}

// buffers recycles the buffers that bodies are copied through.
type buffers struct{ pool sync.Pool }

func newBuffers(size int) *buffers {
	return &buffers{sync.Pool{New: func() any { b := make([]byte, size); return &b }}}
}

func (b *buffers) Get() []byte  { return *b.pool.Get().(*[]byte) }
func (b *buffers) Put(p []byte) { b.pool.Put(&p) }
