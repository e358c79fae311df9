package replica

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// PrimaryName is the node name of the primary in reads, Status and metrics.
const PrimaryName = "primary"

// Options of a Group, and of a Set that has one of its own; the zero value works. Negative limits mean "no limit".
type Options struct {
	// Name names the database in tokens and, with New, tells Sets apart in metrics and logs. Default "default".
	Name string
	// Interval is how often the nodes are measured. Default 1 s. Reads that wait for a replica, and a Require that replicas
	// have not reached yet, make the checker look more often.
	Interval time.Duration
	// CheckTimeout bounds one measurement. A node that fails it is taken out, after two time-outs in a row or at once when
	// it refuses; reads that still wait for a replica are then repeated elsewhere. Default 500 ms.
	CheckTimeout time.Duration
	// MaxLagBytes and MaxLag take a replica out that is further behind the primary. Default 64 MiB and 10 s.
	MaxLagBytes int64
	MaxLag      time.Duration
	// MaxLatency takes a replica out whose smoothed read is slower, for at least Cooldown. Default 1 s and 5 s. The cool-down
	// doubles, up to a minute, each time that a probe fails again.
	MaxLatency time.Duration
	Cooldown   time.Duration
	// TokenWait is for how long a read with a token waits for a replica before it goes to the primary. Default 5 ms.
	TokenWait time.Duration
	// PrimaryReadLimit is how many reads at a time the primary serves in place of replicas, over all Sets of a Group;
	// PrimaryReadQueue how many more may wait, each for PrimaryReadWait. The rest gets ErrOverloaded. Without replicas
	// there is no limit. Default 16, 64 and 100 ms.
	PrimaryReadLimit int
	PrimaryReadQueue int
	PrimaryReadWait  time.Duration
	// WriteWait is for how long Write looks for a primary before it gives up. Default 10 s.
	WriteWait time.Duration
	// ReadWait is for how long a read that only the primary can serve, or replicas that are not as far yet, looks for either while
	// there is no primary. Default 2 s.
	ReadWait time.Duration
	// Fence remembers the newest timeline; pools made with its Guard refuse a primary of an older one. Nil is the Gate's, or makes
	// one.
	Fence *Fence
	// Gate is what the primary's pools were opened with; it hears of a new primary at once. May be nil.
	Gate *Gate
	// Registerer gets the metrics; nil means none.
	Registerer prometheus.Registerer
	// Logger hears when a node goes out or comes back; nil discards.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	def(&o.Name, "default")
	def(&o.Interval, time.Second)
	def(&o.CheckTimeout, 500*time.Millisecond)
	def(&o.MaxLagBytes, 64<<20)
	def(&o.MaxLag, 10*time.Second)
	def(&o.MaxLatency, time.Second)
	def(&o.Cooldown, 5*time.Second)
	def(&o.TokenWait, 5*time.Millisecond)
	def(&o.PrimaryReadLimit, 16)
	def(&o.PrimaryReadQueue, 64)
	def(&o.PrimaryReadWait, 100*time.Millisecond)
	def(&o.WriteWait, 10*time.Second)
	def(&o.ReadWait, 2*time.Second)
	if o.Fence == nil && o.Gate != nil {
		o.Fence = o.Gate.Fence()
	}
	if o.Fence == nil {
		o.Fence = &Fence{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// def sets what was left at its zero value.
func def[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}
