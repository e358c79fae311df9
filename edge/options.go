package edge

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stampede-shop/stampede/edge/httpcache"
)

// Options configure an [Edge]. Zero means the default, negative durations mean "none"
// where that is said.
type Options struct {
	// Origins are base addresses: http://host:port or unix:/path/to/socket. Duplicates count once.
	// May be empty until SetOrigins.
	Origins []string
	// Name identifies this cache in Cache-Status. Default "stampede".
	Name string
	// RetryUnsafe says whether a request that is not safe (POST, PUT, PATCH, DELETE) may be repeated after its connection
	// broke, because the origin recognises the repetition by Stampede-Op. nil means never.
	RetryUnsafe func(*http.Request) bool
	// TrustedProxies are the networks whose X-Forwarded-* headers are believed. Default none.
	TrustedProxies []netip.Prefix
	// Cache keeps answers in front of the balancer; nil means no cache. Name, FetchContext, Fail and Private are set by the edge.
	Cache *httpcache.Options
	// Bypass says of a GET or HEAD that its answer is never kept, so that the cache need not find out: such requests never
	// wait for each other's answers. nil means that none is known to be so.
	Bypass func(*http.Request) bool
	// Validators adds to an If-None-Match what would do as well, such as the tags of the same answer under other content codings.
	// nil adds nothing.
	Validators func(ifNoneMatch string) string
	// Bus joins several edges, so that a purge on one reaches all; nil means that this is the only one.
	Bus Bus
	// Admission wraps the cache, the first outermost: what every request has to pass. Hits that are answered straight
	// from the connection pass Admit instead.
	Admission []func(http.Handler) http.Handler
	// Admit says whether a hit may be answered straight from the connection; if not, the request goes through Admission
	// as any other. It runs on each such hit, on nothing else, and must be quick. nil means always.
	Admit func(*Visit) bool
	// Refuse answers a request for which there is no origin (503) in words of its own, such as a page, and tells whether it did;
	// retryAfter is in whole seconds. If not, and when it is nil, the answer is a problem (RFC 9457).
	Refuse func(w http.ResponseWriter, r *http.Request, retryAfter int) bool
	// SlowOnly makes every request go through net/http, also those that the cache could answer from the connection.
	SlowOnly bool
	// Middleware wraps the balancer, the first outermost; hits of the cache do not pass it.
	Middleware []func(http.Handler) http.Handler

	// Timeout bounds a request from its arrival to the answer's headers, attempts and waiting included. Default 15 s.
	Timeout time.Duration
	// StallTimeout bounds each silence inside a body: of the client while it sends, of the client while it receives, of
	// the origin while it answers (event streams and upgraded connections excepted). Default 15 s.
	StallTimeout time.Duration
	// WaitForOrigin bounds how long a request waits for an origin when none is healthy. Default 2 s, negative none.
	WaitForOrigin time.Duration
	// MaxWaiters bounds how many requests may wait at once; the others get 503 immediately. Default 1000.
	MaxWaiters int
	// MaxAttempts bounds how often one request is sent. Default 3.
	MaxAttempts int
	// RetryRatio bounds repetitions to this share of the requests of the last ten seconds. Default 0.2.
	RetryRatio float64
	// RetryFloor is how many repetitions per ten seconds are always allowed. Default 100.
	RetryFloor int

	// HealthPath is asked on each origin; anything below 500 is healthy. Default /readyz.
	HealthPath string
	// HealthInterval is the time between two health checks of an origin. Default 300 ms.
	HealthInterval time.Duration
	// HealthTimeout bounds one health check. Two in a row that time out make an origin slow: it gets requests only
	// when no healthy one is left. Default 1 s.
	HealthTimeout time.Duration
	// DialTimeout bounds making a connection to an origin. Default 1 s.
	DialTimeout time.Duration
	// SlowStart is how long an origin that is new or back gets less than its share, growing. Default 5 s, negative none.
	SlowStart time.Duration
	// Sticky names what a request belongs to, such as its session: requests with the same name go to the same origin as
	// long as it is healthy. "" means any origin. nil means any always.
	Sticky func(*http.Request) string
	// MaxConnsPerOrigin bounds connections to one origin. Default 4096.
	MaxConnsPerOrigin int

	// ReplayBytes is how much of a request body is kept for repetition; larger bodies are streamed and not repeated.
	// Default 1 MiB.
	ReplayBytes int64
	// ReplayMemory bounds what all kept bodies take together; beyond it bodies are streamed. Default 256 MiB.
	ReplayMemory int64
	// MaxBodyBytes bounds a request body. Default 16 MiB, negative unbounded.
	MaxBodyBytes int64
	// MaxHeaderBytes bounds request headers. Default 32 KiB.
	MaxHeaderBytes int
	// HeaderTimeout bounds how long a client may take to send its headers. Default 5 s.
	HeaderTimeout time.Duration
	// IdleTimeout closes a client's connection that is idle. Default 60 s.
	IdleTimeout time.Duration
	// DrainGrace is how long open connections are still served, each being closed after its answer, before idle ones are cut. Default
	// 300 ms, negative none.
	DrainGrace time.Duration
	// DrainTimeout bounds draining as a whole when [Edge.Serve] ends because its context did. Default 10 s.
	DrainTimeout time.Duration

	// Observe is told of each request once it is answered, also of hits that are answered straight from the connection. It must be
	// quick. nil means that nobody wants to know.
	Observe func(Answered)
	// Registerer receives the metrics; nil means no metrics.
	Registerer prometheus.Registerer
	// Log receives what goes wrong; nil means nothing is logged.
	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	def(&o.Name, "stampede")
	def(&o.Timeout, 15*time.Second)
	def(&o.StallTimeout, 15*time.Second)
	def(&o.WaitForOrigin, 2*time.Second)
	def(&o.MaxWaiters, 1000)
	def(&o.MaxAttempts, 3)
	def(&o.RetryRatio, 0.2)
	def(&o.RetryFloor, 100)
	def(&o.HealthPath, "/readyz")
	def(&o.HealthInterval, 300*time.Millisecond)
	def(&o.HealthTimeout, time.Second)
	def(&o.DialTimeout, time.Second)
	def(&o.MaxConnsPerOrigin, 4096)
	def(&o.SlowStart, 5*time.Second)
	def(&o.ReplayBytes, 1<<20)
	def(&o.ReplayMemory, 256<<20)
	def(&o.MaxBodyBytes, 16<<20)
	def(&o.MaxHeaderBytes, 32<<10)
	def(&o.HeaderTimeout, 5*time.Second)
	def(&o.IdleTimeout, time.Minute)
	def(&o.DrainGrace, 300*time.Millisecond)
	def(&o.DrainTimeout, 10*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

func (o Options) check() error {
	for name, d := range map[string]time.Duration{
		"Timeout": o.Timeout, "StallTimeout": o.StallTimeout, "HealthInterval": o.HealthInterval,
		"HealthTimeout": o.HealthTimeout, "DialTimeout": o.DialTimeout, "HeaderTimeout": o.HeaderTimeout,
		"IdleTimeout": o.IdleTimeout, "DrainTimeout": o.DrainTimeout,
	} {
		if d < 0 {
			return fmt.Errorf("edge: %s is %v: it must be positive, or 0 for the default", name, d)
		}
	}
	if o.MaxAttempts < 1 || o.RetryRatio < 0 || o.RetryFloor < 0 || o.MaxWaiters < 0 || o.ReplayBytes < 0 {
		return fmt.Errorf("edge: MaxAttempts, RetryRatio, RetryFloor, MaxWaiters and ReplayBytes must not be negative")
	}
	return nil
}

// def sets *v to d when it is the zero value.
func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}
