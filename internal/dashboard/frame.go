package dashboard

import (
	"strings"
	"time"
)

// frame is everything that was measured at one moment.
type frame struct {
	at     time.Time
	byName map[string]map[string]*point // by metric, then by process and labels
	cpu    map[string]float64           // seconds of CPU so far, of each process with its children
	rss    map[string]float64           // bytes
}

// point is a series of a process at one moment.
type point struct {
	family *Family
	*Series
}

func (p *point) label(name string) string { return p.family.Label(p.Series, name) }

func newFrame(at time.Time, all map[string][]Family) *frame {
	f := &frame{at: at, byName: map[string]map[string]*point{}}
	for process, families := range all {
		for i := range families {
			fam := &families[i]
			points := f.byName[fam.Name]
			if points == nil {
				points = make(map[string]*point, len(fam.Series))
				f.byName[fam.Name] = points
			}
			for j := range fam.Series {
				s := &fam.Series[j]
				points[process+"\x00"+strings.Join(s.Labels, "\x00")] = &point{fam, s}
			}
		}
	}
	return f
}

// span is what happened between two frames.
type span struct {
	from, to *frame
}

func (s span) seconds() float64 { return s.to.at.Sub(s.from.at).Seconds() }

// selector picks series: all labels given must be as said.
type selector struct {
	name   string
	labels []string // name, value, name, value …
}

func sel(name string, labels ...string) selector { return selector{name, labels} }

func (q selector) takes(p *point) bool {
	for i := 0; i+1 < len(q.labels); i += 2 {
		if p.label(q.labels[i]) != q.labels[i+1] {
			return false
		}
	}
	return true
}

// nothing is what a series was before it was there.
var nothing Series

// each calls f with every selected series and what it was before; a process that began anew counts from zero.
func (s span) each(q selector, f func(now *point, before *Series)) {
	past := s.from.byName[q.name]
	for k, now := range s.to.byName[q.name] {
		if !q.takes(now) {
			continue
		}
		before := &nothing
		if p := past[k]; p != nil && p.Value <= now.Value && p.Count <= now.Count {
			before = p.Series
		}
		f(now, before)
	}
}

// growth is how much the selected counters grew, and growthBy the part of each value of a label.
func (s span) growth(q selector) (sum float64) {
	s.each(q, func(now *point, before *Series) { sum += now.Value - before.Value })
	return sum
}

func (s span) growthBy(q selector, label string) map[string]float64 {
	m := map[string]float64{}
	s.each(q, func(now *point, before *Series) {
		if d := now.Value - before.Value; d > 0 {
			m[now.label(label)] += d
		}
	})
	return m
}

// values are the selected gauges, now.
func (s span) values(q selector) []*point {
	var list []*point
	for _, p := range s.to.byName[q.name] {
		if q.takes(p) {
			list = append(list, p)
		}
	}
	return list
}

func (s span) sum(q selector) (sum float64) {
	for _, p := range s.values(q) {
		sum += p.Value
	}
	return sum
}
