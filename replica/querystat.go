package replica

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// finest is the upper end of the histogram's first bucket, in nanoseconds.
const finest = 50_000

// bounds are the upper ends of the buckets in nanoseconds: from finest, by the square root of two, to 13 s.
var bounds = func() (b [37]int64) {
	for i := range b {
		b[i] = int64(math.Round(finest * math.Pow(2, float64(i)/2)))
	}
	return b
}()

// bucketOf is the first bucket that holds ns, the number of bounds for one that lasted longer: two of them begin within each power of
// two, so that nothing has to be searched.
func bucketOf(ns int64) int {
	if ns <= finest {
		return 0
	}
	power := bits.Len64(uint64(ns-1) / finest) //nolint:gosec // more than 0
	if i := 2*power - 1; i < len(bounds) && ns <= bounds[i] {
		return i
	}
	return min(2*power, len(bounds))
}

// queryStat is a statement on one node.
type queryStat struct {
	buckets [len(bounds) + 1]atomic.Uint64
	rows    atomic.Int64
	errors  atomic.Uint64
	nanos   atomic.Int64
}

func (s *queryStat) add(took time.Duration, rows int64, failed bool) {
	s.buckets[bucketOf(int64(took))].Add(1)
	s.nanos.Add(int64(took))
	if rows > 0 {
		s.rows.Add(rows)
	}
	if failed {
		s.errors.Add(1)
	}
}

func (s *queryStat) counts() (per [len(bounds) + 1]uint64, total uint64) {
	for i := range s.buckets {
		per[i] = s.buckets[i].Load()
		total += per[i]
	}
	return per, total
}

// quantile is the upper end of the bucket in which the q-th statement lies: at most 41 % too high.
func quantile(per [len(bounds) + 1]uint64, total uint64, q float64) time.Duration {
	rank := uint64(math.Ceil(q * float64(total)))
	var seen uint64
	for i, n := range per {
		if seen += n; seen >= rank && n > 0 {
			return time.Duration(bounds[min(i, len(bounds)-1)])
		}
	}
	return 0
}

// QueryStat is what is known of a statement on one node since the start. Quantiles are upper ends of histogram buckets, which grow
// by 41 %.
type QueryStat struct {
	Name     string        `json:"name"`
	Database string        `json:"database"`
	Node     string        `json:"node"`
	Count    uint64        `json:"count"`
	Rows     int64         `json:"rows"`
	Errors   uint64        `json:"errors"`
	Total    time.Duration `json:"total_ns"`
	P50      time.Duration `json:"p50_ns"`
	P95      time.Duration `json:"p95_ns"`
	P99      time.Duration `json:"p99_ns"`
}

// Stats lists all statements, those that took the most time altogether first.
func (q *Queries) Stats() []QueryStat {
	q.mu.Lock()
	defer q.mu.Unlock()
	list := make([]QueryStat, 0, len(q.stats))
	for k, s := range q.stats {
		per, total := s.counts()
		list = append(list, QueryStat{Name: k.name, Database: k.database, Node: k.node, Count: total, Rows: s.rows.Load(),
			Errors: s.errors.Load(), Total: time.Duration(s.nanos.Load()),
			P50: quantile(per, total, 0.50), P95: quantile(per, total, 0.95), P99: quantile(per, total, 0.99)})
	}
	slices.SortFunc(list, func(a, b QueryStat) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Node, b.Node))
	})
	return list
}

var (
	queryLabels = []string{"statement", "database", "node"}
	querySecs   = prometheus.NewDesc("stampede_query_seconds", "Time of a statement, by its name.", queryLabels, nil)
	queryRows   = prometheus.NewDesc("stampede_query_rows_total", "Rows that a statement returned or changed.", queryLabels, nil)
	queryErrors = prometheus.NewDesc("stampede_query_errors_total", "Statements that failed.", queryLabels, nil)
)

// Describe names the metrics.
func (q *Queries) Describe(ch chan<- *prometheus.Desc) {
	ch <- querySecs
	ch <- queryRows
	ch <- queryErrors
	ch <- queryFails
}

// Collect sends a histogram and two counters for each statement and node. Every other bucket is left out: they are many.
func (q *Queries) Collect(ch chan<- prometheus.Metric) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.collectFails(ch)
	for k, s := range q.stats {
		per, total := s.counts()
		le := make(map[float64]uint64, len(bounds)/2+1)
		var sum uint64
		for i, b := range bounds {
			if sum += per[i]; i%2 == 0 {
				le[time.Duration(b).Seconds()] = sum
			}
		}
		labels := []string{k.name, k.database, k.node}
		ch <- prometheus.MustNewConstHistogram(querySecs, total, time.Duration(s.nanos.Load()).Seconds(), le, labels...)
		ch <- prometheus.MustNewConstMetric(queryRows, prometheus.CounterValue, float64(s.rows.Load()), labels...)
		ch <- prometheus.MustNewConstMetric(queryErrors, prometheus.CounterValue, float64(s.errors.Load()), labels...)
	}
}
