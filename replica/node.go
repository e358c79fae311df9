package replica

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// node is one server: what reads count, and what the checker found.
type node struct {
	name string
	pool *pgxpool.Pool
	conn *pgx.Conn // the checker's own, so that a busy pool is not taken for a dead server; only the checker uses it

	healthy  atomic.Bool
	replayed atomic.Uint64 // LSN; of the primary: its current one
	lagBytes atomic.Int64
	lag      atomic.Int64 // nanoseconds

	inFlight atomic.Int64
	reads    atomic.Uint64
	failures atomic.Uint64
	latency  atomic.Uint64 // bits of a float64: smoothed seconds of a read
	checked  uint64        // reads at the last check; only the checker uses it
	strikes  int           // failed checks in a row; only the checker uses it

	mu      sync.Mutex
	reason  string // why it is out
	lifeCtx context.Context
	kill    context.CancelFunc
}

func newNode(name string, pool *pgxpool.Pool) *node {
	n := &node{name: name, pool: pool, reason: "not measured yet"}
	n.lifeCtx, n.kill = context.WithCancel(context.Background())
	return n
}

// life is cancelled when a check of the node fails.
func (n *node) life() context.Context {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.lifeCtx
}

// dropReads lets the reads that wait for the node fail now; new ones get a new life.
func (n *node) dropReads() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.kill()
	n.lifeCtx, n.kill = context.WithCancel(context.Background())
}

// smoothing is the weight of the newest latency.
const smoothing = 0.1

func (n *node) observe(d time.Duration) {
	for {
		old := n.latency.Load()
		v := d.Seconds()
		if prev := math.Float64frombits(old); prev > 0 {
			v = prev + smoothing*(v-prev)
		}
		if n.latency.CompareAndSwap(old, math.Float64bits(v)) {
			return
		}
	}
}

// score is the expected wait: smaller is better.
func (n *node) score() float64 {
	return float64(n.inFlight.Load()+1) * math.Float64frombits(n.latency.Load())
}

func (n *node) setReason(r string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.reason = r
}

// Status is what is known of a node. Lag is how long ago the primary was where the replica is now, measured by this
// process: as exact as the checker's interval. Reason says why a node is not healthy.
type Status struct {
	Name     string        `json:"name"`
	Role     string        `json:"role"` // primary or replica
	Healthy  bool          `json:"healthy"`
	Reason   string        `json:"reason,omitempty"`
	LSN      string        `json:"lsn"` // replayed; of the primary: written
	LagBytes int64         `json:"lag_bytes"`
	Lag      time.Duration `json:"lag_ns"`
	InFlight int64         `json:"in_flight"`
	Latency  time.Duration `json:"latency_ns"` // smoothed time of a read
	Reads    uint64        `json:"reads"`
	Failures uint64        `json:"failures"`
}

func (n *node) status(role string) Status {
	st := Status{
		Name: n.name, Role: role, Healthy: n.healthy.Load(), LSN: LSN(n.replayed.Load()).String(),
		LagBytes: n.lagBytes.Load(), Lag: time.Duration(n.lag.Load()), InFlight: n.inFlight.Load(),
		Latency: time.Duration(math.Float64frombits(n.latency.Load()) * float64(time.Second)),
		Reads:   n.reads.Load(), Failures: n.failures.Load(),
	}
	if !st.Healthy {
		n.mu.Lock()
		st.Reason = n.reason
		n.mu.Unlock()
	}
	return st
}

// Status lists the primary first, then the replicas as they were given.
func (s *Set) Status() []Status {
	all := []Status{s.primary.status("primary")}
	for _, r := range s.replicas {
		all = append(all, r.status("replica"))
	}
	return all
}
