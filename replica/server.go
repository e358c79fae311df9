package replica

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// server is one PostgreSQL server: what reads of all Sets count, and what its watcher found.
type server struct {
	name   string
	writer bool            // the way to the primary, whichever server that is
	config *pgx.ConnConfig // of the watcher's own connection, so that a busy pool is not taken for a dead server
	poke   chan struct{}   // somebody waits for a measurement
	nudge  chan struct{}   // one soon would be good

	breaker
	replayed atomic.Uint64 // LSN; of the primary: its current one
	wanted   atomic.Uint64 // LSN that some read waits for
	timeline atomic.Uint32
	lagBytes atomic.Int64
	lag      atomic.Int64 // nanoseconds
	delay    atomic.Int64 // nanoseconds since the last replayed commit
	primary  atomic.Bool  // it accepts writes at present
	answers  atomic.Bool  // its last check found a standby, however late

	begun    atomic.Int64 // reads
	ended    atomic.Int64 // of them
	failures atomic.Uint64
	latency  atomic.Uint64 // bits of a float64: smoothed seconds of a read

	conn    *pgx.Conn     // these six are the watcher's alone
	checked int64         // reads at the last check
	strikes int           // failed checks in a row
	pause   time.Duration // until the next look, while behind
	gap     time.Duration // before a look that somebody waits for
	cut     bool          // its lines are

	entries entries

	mu     sync.Mutex
	reason string // why it is out
}

func newServer(name string, config *pgx.ConnConfig) *server {
	return &server{name: name, config: config, reason: "not measured yet", poke: make(chan struct{}, 1), nudge: make(chan struct{}, 1), gap: eager}
}

// signal asks a watcher for a measurement.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // one is due already
	}
}

// smoothing is the weight of the newest latency.
const smoothing = 0.1

// observe smooths the latency; of two reads that end at the same moment one may be left out.
func (n *server) observe(d time.Duration) {
	old := n.latency.Load()
	v := d.Seconds()
	if prev := math.Float64frombits(old); prev > 0 {
		v = prev + smoothing*(v-prev)
	}
	n.latency.CompareAndSwap(old, math.Float64bits(v))
}

func (n *server) smoothed() time.Duration {
	return time.Duration(math.Float64frombits(n.latency.Load()) * float64(time.Second))
}

// inFlight is how many reads are under way. Of two counters the one that is never ahead is read first.
func (n *server) inFlight() int64 {
	ended := n.ended.Load()
	return n.begun.Load() - ended
}

// score is the expected wait: smaller is better.
func (n *server) score() float64 {
	return float64(n.inFlight()+1) * math.Float64frombits(n.latency.Load())
}

func (n *server) setReason(r string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.reason = r
}

// Status is what is known of a node. Lag is for how long it has been behind the primary, by this process's own readings of
// the primary's position, as exact as the checker's interval; ReplayDelay is the age of the last commit that it replayed,
// by PostgreSQL's clock, which also grows while nothing is written. Reason says why a node is not healthy.
type Status struct {
	Name        string        `json:"name"`
	Role        string        `json:"role"` // primary or replica, at present
	Healthy     bool          `json:"healthy"`
	Breaker     string        `json:"breaker"` // closed, open or half-open
	Reason      string        `json:"reason,omitempty"`
	LSN         string        `json:"lsn"` // replayed; of the primary: written
	Timeline    uint32        `json:"timeline"`
	LagBytes    int64         `json:"lag_bytes"`
	Lag         time.Duration `json:"lag_ns"`
	ReplayDelay time.Duration `json:"replay_delay_ns"`
	InFlight    int64         `json:"in_flight"`
	Latency     time.Duration `json:"latency_ns"` // smoothed time of a read
	Reads       uint64        `json:"reads"`
	Failures    uint64        `json:"failures"`
}

func (n *server) status() Status {
	st := Status{
		Name: n.name, Role: "replica", Healthy: n.healthy.Load(), Breaker: n.state(), LSN: LSN(n.replayed.Load()).String(),
		Timeline: n.timeline.Load(), LagBytes: n.lagBytes.Load(), Lag: time.Duration(n.lag.Load()),
		ReplayDelay: time.Duration(n.delay.Load()), InFlight: n.inFlight(), Latency: n.smoothed(),
		Reads: uint64(n.ended.Load()), Failures: n.failures.Load(),
	}
	if n.writer || n.primary.Load() {
		st.Role = "primary"
	}
	if !st.Healthy {
		n.mu.Lock()
		st.Reason = n.reason
		n.mu.Unlock()
	}
	return st
}
