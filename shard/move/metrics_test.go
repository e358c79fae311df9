package move_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/stampede-shop/stampede/shard"
	"github.com/stampede-shop/stampede/shard/move"
)

// gathered is the sum of a metric over its labels: counts and gauges by value, histograms by number.
func gathered(tb testing.TB, reg *prometheus.Registry, name string, with ...string) (sum float64) {
	tb.Helper()
	families, err := reg.Gather()
	check(tb, err)
	found := false
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		found = true
		for _, m := range f.GetMetric() {
			if len(with) == 0 || labelled(m, with[0]) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	if !found {
		tb.Errorf("no metric %s", name)
	}
	return sum
}

func labelled(m *dto.Metric, value string) bool {
	for _, l := range m.GetLabel() {
		if l.GetValue() == value {
			return true
		}
	}
	return false
}

// The metrics of a move and of a process that follows it say what the move itself says.
func TestMetrics(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, "shard3")
	a, _ := w.process(t, "a")
	w.seed(t, a)
	reg := prometheus.NewRegistry()
	f := w.follower(t, reg)
	stop := w.load(t, a)
	o := w.options(t)
	o.Registerer = reg
	m := move.New(o)
	next := w.top.With(move.Shard{ID: "shard3", DSN: w.dsns["shard3"]})
	_, err := m.Begin(t.Context(), next)
	check(t, err)
	if reached, err := dying(o, "window-copied", func(m *move.Mover) error { _, err := m.Run(t.Context()); return err }); !reached {
		t.Fatal(err) // another mover goes on, and counts on
	}
	done, err := m.Run(t.Context())
	stop()
	check(t, err)
	p := done.Progress
	for name, want := range map[string]int64{"copied_rows": p.Copied, "applied_changes": p.Replayed, "repaired_rows": p.Repaired, "deleted_rows": p.Deleted} {
		if got := gathered(t, reg, "stampede_shard_move_"+name+"_total"); got < float64(want) || want > 0 && got == 0 {
			t.Errorf("%s is %v, the move counted %d", name, got, want)
		}
	}
	if n := gathered(t, reg, "stampede_shard_move_cutovers_total"); n != float64(p.Attempts) || gathered(t, reg, "stampede_shard_move_held_seconds") != n {
		t.Errorf("%v attempts, the move counted %d", n, p.Attempts)
	}
	if gathered(t, reg, "stampede_shard_move_cutovers_total", "done") != 1 || gathered(t, reg, "stampede_shard_move_state", "done") != 1 {
		t.Error("it is not done")
	}
	if n := gathered(t, reg, "stampede_shard_move_lag_changes"); n < 0 || n > 1000 {
		t.Errorf("%v changes behind at the end", n)
	}
	eventuallyVersion(t, f, 2)
	if v := gathered(t, reg, "stampede_shard_topology_version"); v != 2 {
		t.Errorf("the map in force is of version %v", v)
	}
	if gathered(t, reg, "stampede_shard_topology_holds_total") < 1 || gathered(t, reg, "stampede_shard_topology_held_seconds_total") <= 0 {
		t.Error("no hold was noticed")
	}
}

// follower is one more process, with metrics.
func (w *world) follower(tb testing.TB, reg *prometheus.Registry) *move.Follower {
	tb.Helper()
	pools := map[string]*pgxpool.Pool{}
	for _, s := range w.top.Shards {
		pools[s.ID] = connect(tb, s.DSN)
	}
	m, err := w.top.Map()
	check(tb, err)
	c, err := shard.New(m, pools, shard.Options{})
	check(tb, err)
	f := move.Follow(c, w.top, move.FollowerOptions{Coordinator: connect(tb, w.coordinator), ID: "counted", Every: 200 * time.Millisecond,
		Lease: 3 * time.Second, Registerer: reg,
		Open: func(ctx context.Context, s move.Shard) (*pgxpool.Pool, error) { return pgxpool.New(ctx, s.DSN) }})
	tb.Cleanup(f.Close)
	check(tb, f.Ready(tb.Context()))
	return f
}

func eventuallyVersion(tb testing.TB, f *move.Follower, version int64) {
	tb.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for {
		if st, ok := f.State(); ok && st.Version == version && st.Phase == move.Steady {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			tb.Fatalf("version %d is not in force", version)
		}
	}
}
