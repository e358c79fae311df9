package move

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// moveMetrics are of a mover. Several movers of one process, one after the other, share them.
type moveMetrics struct {
	copied, replayed, repaired, deleted prometheus.Counter
	cutovers                            *prometheus.CounterVec // by outcome
	held                                prometheus.Histogram
	behind                              *prometheus.GaugeVec // by source
	state                               *prometheus.GaugeVec // by state
	throttled                           prometheus.Counter
}

func newMoveMetrics(reg prometheus.Registerer) *moveMetrics {
	counter := func(name, help string) prometheus.Counter {
		return register(reg, prometheus.NewCounter(prometheus.CounterOpts{Name: "stampede_shard_move_" + name, Help: help}))
	}
	return &moveMetrics{
		copied:   counter("copied_rows_total", "Rows copied to their new shard."),
		replayed: counter("applied_changes_total", "Changes that were made to moving rows while they were copied, and applied to the copies."),
		repaired: counter("repaired_rows_total", "Rows that differed from their copies without a change, and were copied again."),
		deleted:  counter("deleted_rows_total", "Rows deleted where they had moved away from."),
		throttled: counter("throttled_seconds_total",
			"Time that the mover rested: its share of time, and for replicas that lag or servers that have enough to do."),
		cutovers: register(reg, prometheus.NewCounterVec(prometheus.CounterOpts{Name: "stampede_shard_move_cutovers_total",
			Help: "Attempts to put the new map in force, by outcome: done or taken back."}, []string{"outcome"})),
		held: register(reg, prometheus.NewHistogram(prometheus.HistogramOpts{Name: "stampede_shard_move_held_seconds",
			Help: "How long an attempt held writes of moving keys.", Buckets: prometheus.ExponentialBuckets(.01, 2, 9)})),
		behind: register(reg, prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "stampede_shard_move_lag_changes",
			Help: "Changes noted on a shard and not applied to the copies yet, at the last look: at most so many."}, []string{"shard"})),
		state: register(reg, prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "stampede_shard_move_state",
			Help: "1 for the state that the move is in."}, []string{"state"})),
	}
}

// register takes what is registered already under the name; without a registry it registers nothing.
func register[C prometheus.Collector](reg prometheus.Registerer, c C) C {
	if reg == nil {
		return c
	}
	var dup prometheus.AlreadyRegisteredError
	if err := reg.Register(c); errors.As(err, &dup) {
		if old, ok := dup.ExistingCollector.(C); ok {
			return old
		}
	}
	return c
}

// progressed counts what has been done since.
func (m *moveMetrics) progressed(since, now Progress) {
	for _, c := range []struct {
		of   prometheus.Counter
		rows int64
	}{{m.copied, now.Copied - since.Copied}, {m.replayed, now.Replayed - since.Replayed}, {m.repaired, now.Repaired - since.Repaired},
		{m.deleted, now.Deleted - since.Deleted}} {
		if c.rows > 0 {
			c.of.Add(float64(c.rows))
		}
	}
}

// cutover notes an attempt that held writes.
func (m *moveMetrics) cutover(took time.Duration, done bool) {
	outcome := "done"
	if !done {
		outcome = "taken back"
	}
	m.cutovers.WithLabelValues(outcome).Inc()
	m.held.Observe(took.Seconds())
}

func (m *moveMetrics) enter(state string) {
	m.state.Reset()
	m.state.WithLabelValues(state).Set(1)
}

// backlogSQL bounds from above what is not replayed yet, without counting it.
const backlogSQL = `SELECT coalesce(max(id) - min(id) + 1, 0) FROM shard_move.changes`

// look measures how far the copies of a source's rows are behind. It is for the eyes only: its failure is none of the move.
func (m *moveMetrics) look(ctx context.Context, src *node) {
	var n float64
	if src.db.QueryRow(ctx, backlogSQL).Scan(&n) == nil {
		m.behind.WithLabelValues(src.id).Set(n)
	}
}

// followerMetrics are of a process that uses the shards.
type followerMetrics struct {
	version prometheus.Gauge
	phase   *prometheus.GaugeVec
	holds   prometheus.Counter
	held    prometheus.Counter
	since   time.Time // when the hold began that is on; zero without one
}

func newFollowerMetrics(reg prometheus.Registerer) *followerMetrics {
	counter := func(name, help string) prometheus.Counter {
		return register(reg, prometheus.NewCounter(prometheus.CounterOpts{Name: "stampede_shard_topology_" + name, Help: help}))
	}
	return &followerMetrics{
		version: register(reg, prometheus.NewGauge(prometheus.GaugeOpts{Name: "stampede_shard_topology_version",
			Help: "Version of the map of shards that is in force in this process."})),
		phase: register(reg, prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "stampede_shard_topology_phase",
			Help: "1 for the phase of the topology: steady, moving, holding or cleaning."}, []string{"phase"})),
		holds: counter("holds_total", "Times that work on moving keys was held in this process."),
		held:  counter("held_seconds_total", "How long work on moving keys was held in this process."),
	}
}

// act notes what the process acts on.
func (m *followerMetrics) act(st State) {
	m.version.Set(float64(st.Version))
	m.phase.Reset()
	m.phase.WithLabelValues(string(st.Phase)).Set(1)
	switch holding := st.Phase == Holding; {
	case holding && m.since.IsZero():
		m.since = time.Now()
		m.holds.Inc()
	case !holding && !m.since.IsZero():
		m.held.Add(time.Since(m.since).Seconds())
		m.since = time.Time{}
	}
}
