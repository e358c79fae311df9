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
	// ErrTimeout means that a load took longer than FamilyOptions.HardTimeout; it goes on, and whoever asks later has its
	// result.
	ErrTimeout = errors.New("cache: the load takes too long")
	// ErrOverloaded means that Redis is out and more loads wait for their turn than the family admits.
	ErrOverloaded = errors.New("cache: too many loads wait while Redis is out")
	// ErrQueueFull means that the queue of background work is full: wait for it, or use the waiting form.
	ErrQueueFull = errors.New("cache: the queue of background work is full")
	// ErrOptions means that options make no sense together.
	ErrOptions = errors.New("cache: bad options")
)

// Bus carries invalidations between processes. It may or may not deliver to its own process. One that also has a method
// Live() bool is asked before L1 is used, at most once in 10 ms for a thing that is found there: while it says false, invalidations may
// pass us by, and what is in memory is not trusted. So it has to say false some 20 ms before others stop waiting for us.
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
	// Timeout bounds every exchange with Redis on behalf of a reader; invalidations have five times as long. Time in which this process
	// stood still does not count, but for a fifth. Default 100 ms.
	Timeout time.Duration
	// Trip is by how many failures have to outnumber successes until Redis is left alone for a while: so many in a row, or more
	// than half of all for some time. Default 5.
	Trip int
	// Probe is the longest pause between probes of a Redis that was left alone. Default 1 s.
	Probe time.Duration
	// MaxPending bounds the tags remembered while Redis is away. Default 10,000.
	MaxPending int
	// Beat is how often the count of invalidations in Redis is compared with those heard, so that a process that lost a
	// message finds out: within twice this long it trusts nothing in its memory. Default 500 ms.
	Beat time.Duration
	// LeaseTTL is after how long without a sign of life the load of another process is taken for dead. Default 1 s.
	LeaseTTL time.Duration
	// Queue bounds the background work (the forms named Behind) that waits. Default 4096.
	Queue int
	// Dictionary makes small values compress better: see TrainDictionary. All processes need the same one; values written
	// with another are misses. nil means none.
	Dictionary []byte
	// Bus joins the processes; nil means that this is the only one.
	Bus Bus
	// OnInvalidate hears of each invalidation that carries Meta, in every process, before any value is dropped; it may hear of
	// one twice. It must be quick.
	OnInvalidate func(Invalidation)
	// Unheard is called before each load while the Bus says that it is not Live, and when messages turn out to be lost: what
	// OnInvalidate would have been told may be missing, and has to be found out otherwise.
	Unheard func(ctx context.Context)
	// Codec turns values into bytes for L2. Default JSON; []byte and string go as they are, and what has
	// MarshalBinary and UnmarshalBinary goes by these.
	Codec Codec
	// Observe is told how long each exchange with Redis that answered, and each load, took, by family. It must be quick. nil: nobody
	// wants to know.
	Observe func(family string, by Source, took time.Duration, failed bool)
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
	if o.Beat <= 0 {
		o.Beat = 500 * time.Millisecond
	}
	if o.LeaseTTL <= 0 {
		o.LeaseTTL = time.Second
	}
	if o.Queue <= 0 {
		o.Queue = 4096
	}
	if o.Codec == nil {
		o.Codec = JSON{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}
