package telemetry

import (
	"cmp"
	"slices"
	"time"
)

// Export is what a process, or several together, know of their series, by kind and name. It travels as JSON.
type Export struct {
	At     time.Time      `json:"at"`
	Series []SeriesExport `json:"series"`
}

// SeriesExport is one series: its windows from the shortest to the longest.
type SeriesExport struct {
	Kind    Kind           `json:"kind"`
	Name    string         `json:"name"`
	Windows []WindowExport `json:"windows"`
}

// WindowExport are the figures of a span of time. Durations are in seconds.
type WindowExport struct {
	Window  string    `json:"window"`  // 10s, 1m, 5m or 1h
	Seconds float64   `json:"seconds"` // covered: the window and up to a twelfth more, or less while the process is young
	Count   uint64    `json:"count"`
	Errors  uint64    `json:"errors"`
	Rate    float64   `json:"rate"` // a second
	Sum     float64   `json:"sum"`  // of all durations
	P50     float64   `json:"p50"`
	P95     float64   `json:"p95"`
	P99     float64   `json:"p99"`
	P999    float64   `json:"p999"`
	Classes []uint64  `json:"classes,omitempty"` // of statuses, 1xx to 5xx; left out where none was recorded
	Values  *Snapshot `json:"values,omitempty"`  // what the quantiles are of; left out where there are none
}

// Window finds the figures of a window by its name; nil when there are none.
func (s SeriesExport) Window(name string) *WindowExport {
	i := slices.IndexFunc(s.Windows, func(w WindowExport) bool { return w.Window == name })
	if i < 0 {
		return nil
	}
	return &s.Windows[i]
}

// Find is the series of a name; nil when there is none.
func (e Export) Find(kind Kind, name string) *SeriesExport {
	i := slices.IndexFunc(e.Series, func(s SeriesExport) bool { return s.Kind == kind && s.Name == name })
	if i < 0 {
		return nil
	}
	return &e.Series[i]
}

// Total is all series of a kind as one; its name is "".
func (e Export) Total(kind Kind) SeriesExport {
	sum := SeriesExport{Kind: kind}
	for _, s := range e.Series {
		if s.Kind == kind {
			sum.Windows = mergeWindows(sum.Windows, s.Windows)
		}
	}
	return sum
}

// Export is what is known up to the last full second.
func (s *Set) Export() Export {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.o.Now()
	s.advance(now)
	e := Export{At: now}
	for _, sr := range *s.series.Load() {
		e.Series = append(e.Series, s.export(sr))
	}
	e.sort()
	return e
}

func (e *Export) sort() {
	slices.SortFunc(e.Series, func(a, b SeriesExport) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) })
}

// export reads one series; under the lock. Long windows are read anew less often than the short ones, because that takes most
// of the time and they change least.
func (s *Set) export(sr *Series) SeriesExport {
	due := 0 // the windows from which on all that was read before will do
	for i := range windows {
		if s.ticks-sr.read[i].at >= refresh[i] || sr.read[i].figures.Window == "" {
			due = i + 1
		}
	}
	s.sum.reset()
	sr.past.sums(&s.sum, due, func(i, ticks int) {
		w := WindowExport{Window: windows[i].name, Errors: s.sum.counts[errorCount]}
		// A series that is new has fewer slots, but nothing happened before.
		covered := max(int64(ticks), min(s.ticks, int64(windows[i].span/tick)))
		w.Seconds = (time.Duration(covered) * tick).Seconds()
		if classes := s.sum.counts[:errorCount]; slices.Max(classes) > 0 {
			w.Classes = slices.Clone(classes)
		}
		w.fill(s.sum.snapshot())
		sr.read[i] = reading{s.ticks, w}
	})
	out := SeriesExport{Kind: sr.kind, Name: sr.name, Windows: make([]WindowExport, len(windows))}
	for i := range windows {
		out.Windows[i] = sr.read[i].figures
	}
	return out
}

// refresh is after how many ticks a window is read anew: a sixtieth of it or less.
var refresh = [len(windows)]int64{1, 1, 5, 30}

// reading is what was read of a window, and at which tick.
type reading struct {
	at      int64
	figures WindowExport
}

// fill sets what follows from the values and the seconds.
func (w *WindowExport) fill(v Snapshot) {
	w.Count = v.Count()
	if w.Seconds > 0 {
		w.Rate = float64(w.Count) / w.Seconds
	}
	w.Values, w.Sum = nil, v.Sum()/float64(time.Second)
	if w.Count > 0 {
		w.Values = &v
	}
	at := func(q float64) float64 { return v.quantile(q) / float64(time.Second) }
	w.P50, w.P95, w.P99, w.P999 = at(.5), at(.95), at(.99), at(.999)
}

// Merge adds up what several processes have exported. Rates are added, too: that of a process that is younger than a window is
// one over its own time.
func Merge(exports ...Export) Export {
	var out Export
	at := map[key]int{}
	for _, e := range exports {
		if e.At.After(out.At) {
			out.At = e.At
		}
		for _, s := range e.Series {
			i, ok := at[key{s.Kind, s.Name}]
			if !ok {
				i = len(out.Series)
				at[key{s.Kind, s.Name}] = i
				out.Series = append(out.Series, SeriesExport{Kind: s.Kind, Name: s.Name})
			}
			out.Series[i].Windows = mergeWindows(out.Series[i].Windows, s.Windows)
		}
	}
	out.sort()
	return out
}

// mergeWindows adds b to a, window by window. a is changed, b is not.
func mergeWindows(a, b []WindowExport) []WindowExport {
	for _, w := range b {
		i := slices.IndexFunc(a, func(x WindowExport) bool { return x.Window == w.Window })
		if i < 0 {
			a = append(a, w)
			continue
		}
		a[i] = a[i].plus(w)
	}
	return a
}

func (w WindowExport) plus(o WindowExport) WindowExport {
	rate := w.Rate + o.Rate
	w.Seconds, w.Errors = max(w.Seconds, o.Seconds), w.Errors+o.Errors
	if len(w.Classes) < len(o.Classes) {
		w.Classes, o.Classes = o.Classes, w.Classes
	}
	w.Classes = slices.Clone(w.Classes)
	for i, n := range o.Classes {
		w.Classes[i] += n
	}
	w.fill(w.values().Merge(o.values()))
	w.Rate = rate
	return w
}

func (w WindowExport) values() Snapshot {
	if w.Values == nil {
		return Snapshot{}
	}
	return *w.Values
}
