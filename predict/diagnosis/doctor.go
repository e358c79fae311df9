package diagnosis

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Finding is a fault that is there now.
type Finding struct {
	Component  string    `json:"component"` // such as replica-1 or edge:api-1
	Fault      string    `json:"fault"`     // one of [Faults]
	Title      string    `json:"title"`
	Cause      string    `json:"cause"` // what probably is behind it
	Since      time.Time `json:"since"`
	Evidence   []string  `json:"evidence"`
	Command    string    `json:"command"`
	Runbook    string    `json:"runbook"`
	Confidence float64   `json:"confidence"`        // 0 to 1
	Primary    bool      `json:"primary,omitempty"` // a database server that took writes when this began; names do not change with roles
	Weight     float64   `json:"weight"`            // what shoppers feel of it: 3 cannot buy, 2 is slow or at risk, 1 is to be known
}

// sign is that a sample looks like a fault.
type sign struct {
	component, fault string
	evidence         []string
	sure             float64 // 0 to 1
}

type key struct{ component, fault string }

// track is a fault that shows, or did a moment ago.
type track struct {
	since       time.Time
	primary     bool   // the component was one when it began
	hits        []bool // in the last samples
	told        bool
	gone, times int
	hidden      time.Time // when it was last another's consequence
	last        sign
}

// Doctor finds faults. It is not safe for concurrent use.
type Doctor struct {
	o      Options
	past   past
	tracks map[key]*track
	found  []Finding
}

// New makes a Doctor that has seen nothing.
func New(o Options) *Doctor {
	o = o.withDefaults()
	return &Doctor{o: o, past: past{window: o.Window}, tracks: map[key]*track{}}
}

// Observe takes in a sample, later than all before. O(rules × instances × Window).
func (d *Doctor) Observe(s Sample) {
	if n := len(d.past.samples); n > 0 && !s.At.After(d.past.samples[n-1].At) {
		return
	}
	d.past.add(s)
	shown := map[key]sign{}
	v := view{past: &d.past, since: func(component, fault string) time.Time {
		if t := d.tracks[key{component, fault}]; t != nil {
			return t.since
		}
		return time.Time{}
	}}
	for _, rule := range rules {
		for _, g := range rule(v) {
			shown[key{g.component, g.fault}] = g
		}
	}
	for k, g := range shown {
		if d.tracks[k] == nil {
			d.tracks[k] = &track{since: s.At, primary: d.past.led(k.component)}
		}
		d.tracks[k].last = g
	}
	for k, t := range d.tracks {
		_, here := shown[k]
		if t.step(here, d.o) {
			delete(d.tracks, k)
		}
	}
	d.tell()
}

// step notes whether the sign was there; true when the track is over.
func (t *track) step(here bool, o Options) bool {
	t.hits = append(t.hits, here)
	t.hits = t.hits[max(0, len(t.hits)-o.Confirm-1):]
	if here {
		t.gone = 0
		t.times++
	} else {
		t.gone++
	}
	n := 0
	for _, h := range t.hits {
		if h {
			n++
		}
	}
	t.told = t.told || n >= o.Confirm
	return t.gone >= o.Gone || !t.told && n == 0
}

// Findings are the faults of the last sample, what shoppers feel most at the head.
func (d *Doctor) Findings() []Finding { return slices.Clone(d.found) }

func (d *Doctor) tell() {
	d.found = d.found[:0:0]
	for k, t := range d.tracks {
		if t.told && !d.explained(k, t) {
			d.found = append(d.found, finding(t))
		}
	}
	slices.SortFunc(d.found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(b.Weight*b.Confidence, a.Weight*a.Confidence), a.Since.Compare(b.Since), cmp.Compare(a.Component, b.Component), cmp.Compare(a.Fault, b.Fault))
	})
}

// explained tells whether another fault, seen or about to be, has this one as its consequence.
func (d *Doctor) explained(k key, t *track) bool {
	now := d.past.samples[len(d.past.samples)-1].At
	for other, o := range d.tracks {
		if other != k && o.since.Sub(t.since) < explainWithin && hides(other, k, o.primary) && (o.told || o.times > 0) {
			t.hidden = now
			return true
		}
	}
	return now.Sub(t.hidden) < hiddenFor // it outlives its cause
}

// hiddenFor is for how long a consequence may outlive its cause before it is told by itself.
const hiddenFor = 20 * time.Second

// explainWithin is how much later a cause may show than its consequence.
const explainWithin = 8 * time.Second

func finding(t *track) Finding {
	g := t.last
	f := about(g)
	f.Component, f.Fault, f.Since, f.Evidence, f.Primary = g.component, g.fault, t.since, g.evidence, t.primary
	f.Confidence = math.Round(100*math.Min(g.sure+0.01*float64(min(t.times, 5)), 0.99)) / 100
	return f
}
