package cache

import "time"

// FamilyOptions of a Family; the zero value works.
type FamilyOptions struct {
	// TTL is how long a value lives, counted from the start of its load. Default 5 min.
	TTL time.Duration
	// L1TTL bounds it in memory. Default the lesser of TTL and 1 min. Below 2 s the exact time is asked at each use,
	// otherwise time moves in steps of 10 ms.
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
	// Schema is the version of the value's meaning: raise it when old bytes must not be read any more although the type
	// looks the same. Its look (fields, types, tags) is part of the version by itself. Values of different versions live side by side.
	Schema int

	// LoadTimeout bounds a load. Default 10 s.
	LoadTimeout time.Duration
	// SoftTimeout is how long a caller waits for a load when there is an expired value that FailSafe allows; the load goes on
	// without them. 0 means as long as it takes.
	SoftTimeout time.Duration
	// HardTimeout is how long a caller waits for a load at all: ErrTimeout; the load goes on. 0 means until LoadTimeout.
	HardTimeout time.Duration
	// StaleFor is how long after its TTL a value is still served at once, while one load in the background replaces it
	// (RFC 5861, stale-while-revalidate). An invalidated value never is. Default 0.
	StaleFor time.Duration
	// FailSafe is how long after its TTL a value is served when the load fails or exceeds SoftTimeout (stale-if-error). An
	// invalidated value never is. Default 0.
	FailSafe time.Duration
	// Beta tunes the early refresh (Vattani and others, "Optimal probabilistic cache stampede prevention", 2015): the more a
	// value cost to load, the earlier before its end it is refreshed, by chance, in the background. Default 1; negative means never.
	Beta float64
	// LeaseWait is how long a miss waits for another process that is loading the same key. Default LoadTimeout; negative
	// means that processes load without regard to each other.
	LeaseWait time.Duration
	// Gutter bounds the loads of this family at a time while Redis is configured and out, or has just lost everything, so
	// that the source is not hit by all that Redis would have answered. Default 32; negative means no bound. At most 100
	// times as many wait for their turn; the others get ErrOverloaded.
	Gutter int

	// NotFound tells which errors of a loader mean that there is no such thing; they are cached for NegativeTTL
	// (default 5 s) with the tags the loader returned. nil means errors are never cached.
	NotFound    func(error) bool
	NegativeTTL time.Duration
	// Absent makes the error of an absence found in L2 or reported by a batch. Default ErrNotFound, wrapped.
	Absent func(key string) error

	// Size estimates the bytes of a value in memory; default is the length of its encoding.
	Size func(value any) int
	// CompressAbove is from how many bytes on a value is compressed in L2. Default 1 KiB; negative means never.
	CompressAbove int
}

// exactBelow is the L1TTL below which the steps of the coarse clock would matter.
const exactBelow = 2 * time.Second

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
	o.StaleFor, o.FailSafe = max(o.StaleFor, 0), max(o.FailSafe, 0)
	if o.LeaseWait == 0 {
		o.LeaseWait = o.LoadTimeout
	}
	if o.Jitter == 0 {
		o.Jitter = 0.1
	}
	o.Jitter = min(max(o.Jitter, 0), 1)
	if o.Beta == 0 {
		o.Beta = 1
	}
	if o.L1Bytes == 0 {
		o.L1Bytes = 32 << 20
	}
	if o.Gutter == 0 {
		o.Gutter = 32
	}
	if o.CompressAbove == 0 {
		o.CompressAbove = 1 << 10
	}
	return o
}

// staleWindow is how long after its end a value may be of use.
func (o FamilyOptions) staleWindow() time.Duration { return max(o.StaleFor, o.FailSafe) }
