package cache

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Errors of this package.
var (
	// ErrNotFound is what a cached absence answers when its original error came from another process.
	ErrNotFound = errors.New("cache: not found")
	// ErrUnconfirmed means that an invalidation did not verifiably reach Redis or every process. It is remembered for
	// Redis; for the processes, repeat it.
	ErrUnconfirmed = errors.New("cache: invalidation not confirmed everywhere")
	// ErrClosed is the answer of a closed Store.
	ErrClosed = errors.New("cache: store is closed")
	// ErrOptions means that options make no sense together.
	ErrOptions = errors.New("cache: bad options")
)

// Bus carries invalidations between processes. It may or may not deliver to its own process. One that also has a method
// Live() bool is asked before every use of L1: while it says false, invalidations may pass us by, and what is in memory
// is not trusted.
type Bus interface {
	// Broadcast returns nil when every live member has acknowledged: its subscriber has returned.
	Broadcast(ctx context.Context, data []byte) error
	Subscribe(fn func(data []byte)) (cancel func(), err error)
}

// Invalidation is what is sent to every process. Meta is opaque to the cache.
type Invalidation struct {
	Tags []string
	Meta map[string]string
}

// Options of a Store; the zero value is a cache in memory only, for one process.
type Options struct {
	// Redis lists host:port addresses, absolute paths of Unix sockets, or one redis:// URL. Several are seeds of a
	// Redis Cluster. Empty means no L2.
	Redis []string
	// Prefix starts every key in Redis. Default "stampede:".
	Prefix string
	// Timeout bounds every exchange with Redis on behalf of a reader; invalidations have five times as long. Default 100 ms.
	Timeout time.Duration
	// Trip is after how many failures in a row Redis is left alone until it answers a probe. Default 5.
	Trip int
	// Probe is the longest pause between probes. Default 1 s.
	Probe time.Duration
	// MaxPending bounds the tags remembered while Redis is away. Default 10,000.
	MaxPending int
	// Bus joins the processes; nil means that this is the only one.
	Bus Bus
	// OnInvalidate hears of each invalidation that carries Meta, in every process, before any value is dropped; it may hear of
	// one twice. It must be quick.
	OnInvalidate func(Invalidation)
	// Unheard is called before each load while the Bus says that it is not Live: what OnInvalidate would have been told
	// may be missing, and has to be found out otherwise. ctx is the load's.
	Unheard func(ctx context.Context)
	// Codec turns values into bytes for L2. Default JSON.
	Codec Codec
	// Registerer gets the metrics; nil means none.
	Registerer prometheus.Registerer
	// Logger hears of Redis going and coming; nil discards.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Prefix == "" {
		o.Prefix = "stampede:"
	}
	if o.Timeout <= 0 {
		o.Timeout = 100 * time.Millisecond
	}
	if o.Trip <= 0 {
		o.Trip = 5
	}
	if o.Probe <= 0 {
		o.Probe = time.Second
	}
	if o.MaxPending <= 0 {
		o.MaxPending = 10_000
	}
	if o.Codec == nil {
		o.Codec = JSON{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// FamilyOptions of a Family; the zero value works.
type FamilyOptions struct {
	// TTL is how long a value lives, counted from the start of its load. Default 5 min.
	TTL time.Duration
	// L1TTL bounds it in memory. Default the lesser of TTL and 1 min.
	L1TTL time.Duration
	// Jitter shortens each TTL by a random part up to this fraction, so that values loaded together do not expire together.
	// Default 0.1; negative means none.
	Jitter float64
	// L1Bytes bounds the memory. Default 32 MiB.
	L1Bytes uint64
	// L1Only keeps the family out of Redis.
	L1Only bool
	// AnyAge says that a value is good for its TTL whatever was invalidated meanwhile, so that it may be used from memory
	// while the Bus is not Live.
	AnyAge bool
	// Schema is the version of the value's type: raise it when old bytes must not be read any more. Values of different
	// schemas live side by side.
	Schema int
	// LoadTimeout bounds a load. Default 10 s.
	LoadTimeout time.Duration
	// NotFound tells which errors of a loader mean that there is no such thing; they are cached for NegativeTTL
	// (default 5 s) with the tags the loader returned. nil means errors are never cached.
	NotFound    func(error) bool
	NegativeTTL time.Duration
	// Absent makes the error of an absence found in L2 or reported by a batch. Default ErrNotFound, wrapped.
	Absent func(key string) error
	// Size estimates the bytes of a value in memory; default is the length of its encoding.
	Size func(value any) int
}

func (o FamilyOptions) withDefaults() FamilyOptions {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&o.TTL, 5*time.Minute)
	def(&o.L1TTL, min(o.TTL, time.Minute))
	def(&o.LoadTimeout, 10*time.Second)
	def(&o.NegativeTTL, 5*time.Second)
	o.L1TTL = min(o.L1TTL, o.TTL)
	if o.Jitter == 0 {
		o.Jitter = 0.1
	}
	o.Jitter = min(max(o.Jitter, 0), 1)
	if o.L1Bytes == 0 {
		o.L1Bytes = 32 << 20
	}
	return o
}
