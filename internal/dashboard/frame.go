package dashboard

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// frame is everything that was measured at one moment, by process.
type frame struct {
	at    time.Time
	byKey map[string]series
	cpu   map[string]float64 // seconds of CPU so far, of each process with its children
	rss   map[string]float64 // bytes
}

// series is a metric of one process.
type series struct {
	process string
	Metric
}

func newFrame(at time.Time, all map[string][]Metric) *frame {
	f := &frame{at: at, byKey: map[string]series{}}
	for process, ms := range all {
		for _, m := range ms {
			f.byKey[key(process, m)] = series{process, m}
		}
	}
	return f
}

func key(process string, m Metric) string {
	var b strings.Builder
	b.WriteString(process)
	b.WriteByte(0)
	b.WriteString(m.Name)
	for _, k := range slices.Sorted(maps.Keys(m.Labels)) {
		b.WriteByte(0)
		b.WriteString(k)
		b.WriteByte('=')
		b.WriteString(m.Labels[k])
	}
	return b.String()
}

// span is what happened between two frames.
type span struct {
	from, to *frame
}

func (s span) seconds() float64 { return s.to.at.Sub(s.from.at).Seconds() }

// selector picks series: all labels given must be as said.
type selector struct {
	name   string
	labels map[string]string
}

func sel(name string, labels ...string) selector {
	m := map[string]string{}
	for i := 0; i+1 < len(labels); i += 2 {
		m[labels[i]] = labels[i+1]
	}
	return selector{name, m}
}

func (q selector) takes(m series) bool {
	if m.Name != q.name {
		return false
	}
	for k, v := range q.labels {
		if m.Labels[k] != v {
			return false
		}
	}
	return true
}

// each calls f with every selected series and what it was before; a process that began anew counts from zero.
func (s span) each(q selector, f func(now series, before Metric)) {
	for k, now := range s.to.byKey {
		if !q.takes(now) {
			continue
		}
		before := s.from.byKey[k].Metric
		if before.Value > now.Value || before.Hist != nil && now.Hist != nil && before.Hist.Count > now.Hist.Count {
			before = Metric{}
		}
		f(now, before)
	}
}

// growth is how much the selected counters grew, and with by the part of each value of that label.
func (s span) growth(q selector) (sum float64) {
	s.each(q, func(now series, before Metric) { sum += now.Value - before.Value })
	return sum
}

func (s span) growthBy(q selector, label string) map[string]float64 {
	m := map[string]float64{}
	s.each(q, func(now series, before Metric) {
		if d := now.Value - before.Value; d > 0 {
			m[now.Labels[label]] += d
		}
	})
	return m
}

// values are the selected gauges, now.
func (s span) values(q selector) []series {
	var list []series
	for _, m := range s.to.byKey {
		if q.takes(m) {
			list = append(list, m)
		}
	}
	return list
}

func (s span) sum(q selector) (sum float64) {
	for _, m := range s.values(q) {
		sum += m.Value
	}
	return sum
}
