package prove

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

const (
	targetStatement = 0.010 // seconds
	statementMetric = "stampede_query_seconds"
)

var databaseLatency = Criterion{
	Number: 5, ID: "database-latency", Name: "Database: time of a statement",
	Target:  "p99 < 10 ms",
	Measure: measureDatabase,
}

// histogram is cumulative counts by upper end of the bucket, in seconds.
type histogram map[float64]uint64

// queries are histograms by statement.
type queries map[string]histogram

// statements are those of all processes so far.
func (t *trial) statements(ctx context.Context) (queries, error) {
	raw, err := t.platform.Metrics(ctx)
	if err != nil {
		return nil, err
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("the platform's metrics: %w", err)
	}
	q := queries{}
	for _, m := range families[statementMetric].GetMetric() {
		name := label(m, "statement") + " on " + label(m, "node")
		if q[name] == nil {
			q[name] = histogram{}
		}
		for _, b := range m.GetHistogram().GetBucket() {
			q[name][b.GetUpperBound()] += b.GetCumulativeCount()
		}
		q[name][math.Inf(1)] = max(q[name][math.Inf(1)], 0) // some write it, some leave it to the count
		if n := m.GetHistogram().GetBucket(); len(n) == 0 || !math.IsInf(n[len(n)-1].GetUpperBound(), 1) {
			q[name][math.Inf(1)] += m.GetHistogram().GetSampleCount()
		}
	}
	return q, nil
}

func label(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

// since is what came between two looks; a process that was started anew meanwhile counts from its start.
func (q queries) since(before queries) queries {
	out := queries{}
	for name, h := range q {
		d := histogram{}
		for le, n := range h {
			if was := before[name][le]; was <= n {
				d[le] = n - was
			} else {
				d[le] = n
			}
		}
		out[name] = d
	}
	return out
}

func (q queries) all() histogram {
	sum := histogram{}
	for _, h := range q {
		for le, n := range h {
			sum[le] += n
		}
	}
	return sum
}

func (h histogram) count() uint64 { return h[math.Inf(1)] }

// quantile lies within its bucket as far as its rank does, as Prometheus reckons; buckets double.
func (h histogram) quantile(q float64) float64 {
	ends := slices.Sorted(maps.Keys(h))
	rank := q * float64(h.count())
	low, below := 0.0, uint64(0)
	for _, end := range ends {
		if n := h[end]; float64(n) >= rank && n > below {
			if math.IsInf(end, 1) {
				return low
			}
			return low + (end-low)*(rank-float64(below))/float64(n-below)
		}
		low, below = end, h[end]
	}
	return low
}

// above is how many took longer than x seconds, by the rule of quantile.
func (h histogram) above(x float64) float64 {
	low, below := 0.0, uint64(0)
	for _, end := range slices.Sorted(maps.Keys(h)) {
		if n := h[end]; end >= x {
			if math.IsInf(end, 1) {
				return float64(n - below)
			}
			return float64(h.count()) - float64(below) - float64(n-below)*(x-low)/(end-low)
		}
		low, below = end, h[end]
	}
	return 0
}

func measureDatabase(ctx context.Context, t *trial) (Finding, error) {
	w, err := t.walk(ctx)
	if err != nil {
		return Finding{}, err
	}
	all := w.queries.all()
	if all.count() == 0 {
		return Finding{}, fmt.Errorf("%w: the platform's metrics have no %s, or nothing was asked of a database", ErrCannot, statementMetric)
	}
	p99 := all.quantile(0.99)
	f := Finding{
		Measured: fmt.Sprintf("p99 %s (p50 %s) of %s statements", milliseconds(p99), milliseconds(all.quantile(0.5)), thousands(float64(all.count()))),
		Value:    p99, Unit: "s",
		How: fmt.Sprintf("times of all statements of all processes, as their clients saw them, on primaries and replicas, commits with their wait for disk and standby among them, while %.0f journeys began in a second, each of %d requests and an order: a third of the %.0f that are reached here with %d shoppers who walk as fast as they are answered (%s requests/s, of which few come as far as a database)",
			w.Offered, t.o.lists+walkViews+walkUnits+1, w.reached, walkUsers, thousands(w.Rate)),
		Limits: w.where(),
		Holds:  p99 < targetStatement,
	}
	if wait := w.used[RolePrimary].Wait + w.used[RoleReplica].Wait; wait > 0 {
		f.Details = append(f.Details, fmt.Sprintf("for a processor the databases' processes waited %s a statement, on average", milliseconds(wait/float64(all.count()))))
	}
	f.Details = append(f.Details, slowest(w.queries)...)
	return f, nil
}

// slowest are the statements of which most took longer than all should.
func slowest(q queries) (lines []string) {
	type row struct {
		name  string
		above float64
		h     histogram
	}
	var rows []row
	for name, h := range q {
		if above := h.above(targetStatement); above >= 1 {
			rows = append(rows, row{name, above, h})
		}
	}
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(b.above, a.above), cmp.Compare(a.name, b.name))
	})
	for _, r := range rows[:min(len(rows), 5)] {
		lines = append(lines, fmt.Sprintf("%s: %s of %s took longer than %s (p99 %s)", r.name, thousands(r.above), thousands(float64(r.h.count())),
			milliseconds(targetStatement), milliseconds(r.h.quantile(0.99))))
	}
	return lines
}
