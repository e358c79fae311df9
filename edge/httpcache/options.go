package httpcache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

// Errors of this package.
var (
	// ErrOptions means that options make no sense.
	ErrOptions = errors.New("httpcache: bad options")
	// ErrInUse means that another cache, of this process or another one, has the folder.
	ErrInUse = errors.New("httpcache: the folder is in use")
	// ErrNotStored is what Options.Fail is told when a client asked with only-if-cached and nothing can be served. The answer
	// must be 504 (RFC 9111, section 5.2.1.7).
	ErrNotStored = errors.New("httpcache: nothing stored that may be served")
)

// Options of a [Cache]; the zero value is a cache in memory. Negative durations mean "none".
type Options struct {
	// Name identifies this cache in Cache-Status and Surrogate-Capability: a token. Default "httpcache".
	Name string
	// Memory bounds what is kept in memory, in bytes, overhead included. Default 256 MiB.
	Memory int64
	// MaxObject bounds the body of one kept answer, in bytes; larger ones are passed on. Default 8 MiB, at most Memory/32.
	MaxObject int64
	// MaxVariants bounds how many variants (Vary) of one address are kept; the oldest goes. Default 64.
	MaxVariants int

	// Dir is where answers are kept on disk; "" means memory only. One cache at a time: ErrInUse.
	Dir string
	// Disk bounds what Dir takes, in bytes. Default 1 GiB.
	Disk int64
	// Recheck makes the cache ask the origin before it first uses an answer that was on the disk when it started:
	// needed when purges come from elsewhere and may have been missed meanwhile.
	Recheck bool

	// Shared says of a request whether its answer cannot depend on Cookie or Authorization, because the application
	// guarantees it. Such requests are fetched without Cookie and always collapsed. nil means that none is known to be.
	Shared func(*http.Request) bool
	// Query brings a raw query into the form that is used as key and sent to the origin; nil leaves it alone. See
	// [SortQuery].
	Query func(raw string) string
	// Private says which response headers are not kept, besides Surrogate-*; names are canonical. nil means none.
	Private func(name string) bool
	// Live says whether purges reach this cache at present. While they may pass it by, nothing is used before the origin
	// has confirmed it; call Recheck when some were missed. nil means always.
	Live func() bool
	// Strip names further request headers that a fetch whose answer may be kept does not pass on.
	Strip []string

	// StaleIfError is how long beyond its freshness an answer is used when the origin fails (500, 502, 503, 504) and the
	// answer itself does not say. must-revalidate, proxy-revalidate, s-maxage and no-cache forbid it. Default 10 min.
	StaleIfError time.Duration
	// MaxHeuristic bounds the guess from Last-Modified (a tenth of its age). Default 24 h, negative: no guessing.
	MaxHeuristic time.Duration
	// Negative is how long 404, 405, 410, 414 and 501 are kept when nothing at all is said about it. Default none.
	Negative time.Duration
	// HonorClient makes the cache obey a client's Cache-Control (no-cache, max-age, max-stale, min-fresh), as a browser's
	// reload sends them. RFC 9111 leaves it open; it lets any client ask the origin at will. only-if-cached and no-store
	// are always obeyed.
	HonorClient bool

	// FetchTimeout bounds a fetch that runs on behalf of several clients or of none. Default 30 s.
	FetchTimeout time.Duration
	// MaxBackground bounds how many answers are refreshed in the background at once. Default 64.
	MaxBackground int
	// Fail answers a client that got no answer in time, or whose answer broke off before its header; err is the context's
	// cause, or ErrNotStored. nil means 504 or 502 in plain text.
	Fail func(w http.ResponseWriter, r *http.Request, err error)
	// FetchContext makes the context of such a fetch; nil means context.WithoutCancel of the client's.
	FetchContext func(r *http.Request) (context.Context, context.CancelFunc)

	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Log receives what goes wrong with the disk; nil means nothing is logged.
	Log *slog.Logger
}

func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

func (o Options) withDefaults() (Options, error) {
	def(&o.Name, "httpcache")
	def(&o.Memory, 256<<20)
	def(&o.MaxObject, 8<<20)
	def(&o.MaxVariants, 64)
	def(&o.Disk, 1<<30)
	def(&o.StaleIfError, 10*time.Minute)
	def(&o.MaxHeuristic, 24*time.Hour)
	def(&o.FetchTimeout, 30*time.Second)
	def(&o.MaxBackground, 64)
	o.StaleIfError = max(o.StaleIfError, 0)
	o.MaxHeuristic = max(o.MaxHeuristic, 0)
	o.Negative = max(o.Negative, 0)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if !isToken(o.Name) {
		return o, fmt.Errorf("%w: Name %q: it must be a token, such as edge-1", ErrOptions, o.Name)
	}
	if o.Memory < 0 || o.MaxObject < 0 || o.MaxVariants < 0 || o.Disk < 0 || o.FetchTimeout < 0 || o.MaxBackground < 0 {
		return o, fmt.Errorf("%w: sizes, counts and FetchTimeout must not be negative", ErrOptions)
	}
	o.MaxObject = min(o.MaxObject, o.Memory/(2*shardCount))
	return o, nil
}
