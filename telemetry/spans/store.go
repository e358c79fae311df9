package spans

import (
	"slices"
	"sync"
	"time"
)

// Class is why a request is remembered.
type Class string

// The classes: failed before slow before recent.
const (
	Failed Class = "failed"
	Slow   Class = "slow"
	Recent Class = "recent"
)

// Options configure a [Store]; the zero value works.
type Options struct {
	Process string        // named in what is found
	Slow    time.Duration // from which on a request is slow; default 250 ms
	Recent  int           // requests that are remembered whatever they were; default 512
	Kept    int           // slow ones, and failed ones, each; default 128
}

// Answered is what is known of a request when it is answered.
type Answered struct {
	ID      string // of the request
	TraceID string // of the trace it is part of, "" for none
	Method  string
	Target  string
	Route   string
	Status  int
	Failed  bool
	Start   time.Time
	Took    time.Duration
	Request *Request // with its spans; nil for none
	Extra   []Span   // beside those
}

// Trace is a request as one process saw it.
type Trace struct {
	Process string        `json:"process"`
	Class   Class         `json:"class"`
	ID      string        `json:"id"`
	TraceID string        `json:"trace_id,omitempty"`
	Method  string        `json:"method"`
	Target  string        `json:"target"`
	Route   string        `json:"route"`
	Status  int           `json:"status"`
	Start   time.Time     `json:"start"`
	Took    time.Duration `json:"took_ns"`
	Spans   []Span        `json:"spans,omitempty"`
	Dropped int           `json:"dropped,omitempty"` // spans that were too many
}

// Store remembers requests. Make it with [NewStore]; it is safe for concurrent use.
type Store struct {
	o                    Options
	failed, slow, recent *ring
}

type ring struct {
	mu   sync.Mutex
	list []Answered // in place, so that remembering allocates nothing
	used int
	next int
}

// NewStore makes an empty store.
func NewStore(o Options) *Store {
	if o.Slow <= 0 {
		o.Slow = 250 * time.Millisecond
	}
	if o.Recent <= 0 {
		o.Recent = 512
	}
	if o.Kept <= 0 {
		o.Kept = 128
	}
	return &Store{o: o, failed: newRing(o.Kept), slow: newRing(o.Kept), recent: newRing(o.Recent)}
}

func newRing(size int) *ring { return &ring{list: make([]Answered, size)} }

// Keep remembers a request. Its Extra must not be changed afterwards.
func (s *Store) Keep(a Answered) {
	switch {
	case a.Failed:
		s.failed.put(&a)
	case a.Took >= s.o.Slow:
		s.slow.put(&a)
	default:
		s.recent.put(&a)
	}
}

func (r *ring) put(a *Answered) {
	r.mu.Lock()
	r.list[r.next] = *a
	r.next = (r.next + 1) % len(r.list)
	r.used = min(r.used+1, len(r.list))
	r.mu.Unlock()
}

// newest are the requests of a ring, the newest first.
func (r *ring) newest() []Answered {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Answered, r.used)
	for i := range out {
		out[i] = r.list[(r.next-1-i+2*len(r.list))%len(r.list)]
	}
	return out
}

func (s *Store) ring(c Class) *ring {
	switch c {
	case Failed:
		return s.failed
	case Slow:
		return s.slow
	case Recent:
		return s.recent
	}
	return nil
}

// Find is what is remembered under the id of a request or of a trace, in the order in which it began. O(requests remembered).
func (s *Store) Find(id string) []Trace {
	var out []Trace
	if id == "" {
		return nil
	}
	for _, class := range []Class{Failed, Slow, Recent} {
		for _, a := range s.ring(class).newest() {
			if a.ID == id || a.TraceID == id {
				out = append(out, s.trace(class, &a))
			}
		}
	}
	slices.SortFunc(out, func(a, b Trace) int { return a.Start.Compare(b.Start) })
	return out
}

// List is what is remembered of a class, the newest first and n at most, without spans.
func (s *Store) List(class Class, n int) []Trace {
	out := []Trace{}
	r := s.ring(class)
	if r == nil {
		return out
	}
	for _, a := range r.newest() {
		if len(out) >= n {
			break
		}
		t := s.trace(class, &a)
		t.Spans = nil
		out = append(out, t)
	}
	return out
}

func (s *Store) trace(class Class, a *Answered) Trace {
	spans, dropped := a.Request.copySpans()
	spans = append(spans, a.Extra...)
	slices.SortStableFunc(spans, func(a, b Span) int { return int(a.Start - b.Start) })
	return Trace{Process: s.o.Process, Class: class, ID: a.ID, TraceID: a.TraceID, Method: a.Method, Target: a.Target, Route: a.Route,
		Status: a.Status, Start: a.Start, Took: a.Took, Spans: spans, Dropped: dropped}
}

// TraceID is the trace's id in a traceparent header (W3C), "" when it is none.
func TraceID(traceparent string) string {
	const begin, end = 3, 35
	if len(traceparent) < 55 || traceparent[2] != '-' || traceparent[end] != '-' {
		return ""
	}
	return traceparent[begin:end]
}
