package loadsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Recording is everything a run measured, in a form that can be sent and added to that of another generator: histograms,
// not percentiles. Its size does not depend on the run's length.
type Recording struct {
	Meta
	sum    *tally
	points []Point
}

// Meta is what a recording says about its run.
type Meta struct {
	Target      string    `json:"target"`
	Scenario    string    `json:"scenario"`
	Model       string    `json:"model"`
	Per         string    `json:"per"`
	Users       int       `json:"users"` // of a closed model, at level 1
	Rate        float64   `json:"rate"`  // of an open model, at level 1
	Seed        uint64    `json:"seed"`
	Started     time.Time `json:"started"`
	Took        float64   `json:"took"`   // seconds until the last answer
	Length      float64   `json:"length"` // seconds for which load was offered
	GoodWithin  float64   `json:"good_within"`
	Interrupted bool      `json:"interrupted"`
	Generators  int       `json:"generators"`
	Lost        []string  `json:"lost"` // generators whose recording is missing
	Cores       int       `json:"cores"`
	CPU         float64   `json:"cpu"` // seconds
	Peak        int64     `json:"peak"`
	Due         int64     `json:"due"`
	Unsent      int64     `json:"unsent"`
	Crowded     int64     `json:"crowded"`
}

func (r *run) recording(points []Point, took time.Duration) *Recording {
	l, f := r.plan.Load, r.pace.figures()
	m := Meta{
		Target: r.opts.Target, Scenario: r.plan.Name, Model: l.Model, Per: l.Per, Seed: r.opts.Seed, Started: r.started.UTC(),
		Took: took.Seconds(), Length: r.curve.Length().Seconds(), GoodWithin: r.plan.GoodWithin.Seconds(),
		Generators: 1, Cores: runtime.GOMAXPROCS(0), Peak: r.peak.Load(), Due: f.due, Unsent: f.unsent, Crowded: f.crowded,
	}
	if r.pace.open() {
		m.Rate = l.Rate
	} else {
		m.Users = l.Users
	}
	return &Recording{m, r.rec.total(), points}
}

// ErrRecordings says that two recordings are not of the same load.
var ErrRecordings = errors.New("loadsim: recordings of different loads")

// Merge adds the recording of another generator that played another part of the same load at the same time.
func (r *Recording) Merge(o *Recording) error {
	if r.Scenario != o.Scenario || r.Target != o.Target || r.Model != o.Model {
		return fmt.Errorf("%w: %s %s on %s, %s %s on %s", ErrRecordings, r.Model, r.Scenario, r.Target, o.Model, o.Scenario, o.Target)
	}
	if o.Started.Before(r.Started) {
		r.Started = o.Started
	}
	r.Took, r.Length = max(r.Took, o.Took), max(r.Length, o.Length)
	r.Interrupted = r.Interrupted || o.Interrupted
	r.Lost = append(r.Lost, o.Lost...)
	r.Generators += o.Generators
	r.Cores += o.Cores
	r.CPU += o.CPU
	r.Peak += o.Peak
	r.Due += o.Due
	r.Unsent += o.Unsent
	r.Crowded += o.Crowded
	r.sum.merge(o.sum)
	r.points = mergePoints(r.points, o.points)
	return nil
}

// encoded is a Recording as JSON.
type encoded struct {
	Meta
	Counts    counts               `json:"counts"`
	Steps     map[string]histogram `json:"steps"`
	Lag       histogram            `json:"lag"`
	Queue     histogram            `json:"queue"`
	Wait      histogram            `json:"wait"`
	Failed    map[string]*Failures `json:"failed"`
	Refused   map[int]int64        `json:"refused"`
	Abandoned map[string]int64     `json:"abandoned"`
	Points    []Point              `json:"points"`
}

// histogram is a distribution as JSON; Hist is HdrHistogram's own compressed form.
type histogram struct {
	N    int64  `json:"n"`
	Sum  int64  `json:"sum"` // nanoseconds
	Max  int64  `json:"max"`
	Hist []byte `json:"hist"`
}

func (s *stats) encode() (histogram, error) {
	raw, err := s.hist.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	return histogram{s.n, int64(s.sum), int64(s.max), raw}, err
}

func (s *stats) decode(h histogram) error {
	hist, err := hdrhistogram.Decode(h.Hist)
	if err != nil {
		return fmt.Errorf("loadsim: decode histogram: %w", err)
	}
	s.n, s.sum, s.max = h.N, time.Duration(h.Sum), time.Duration(h.Max)
	if dropped := s.hist.Merge(hist); dropped > 0 || hist.TotalCount() != h.N {
		return fmt.Errorf("loadsim: decode histogram: %d values of %d do not fit", dropped, h.N)
	}
	return nil
}

// MarshalJSON encodes the recording, histograms included.
func (r *Recording) MarshalJSON() ([]byte, error) {
	t := r.sum
	e := encoded{
		Meta: r.Meta, Counts: t.counts, Steps: map[string]histogram{}, Failed: t.failed, Refused: t.refused,
		Abandoned: t.abandoned, Points: r.points,
	}
	var errs []error
	put := func(into *histogram, s *stats) {
		var err error
		*into, err = s.encode()
		errs = append(errs, err)
	}
	for i, name := range stepNames {
		var h histogram
		put(&h, &t.steps[i])
		e.Steps[name] = h
	}
	put(&e.Lag, &t.lag)
	put(&e.Queue, &t.queue)
	put(&e.Wait, &t.wait)
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("loadsim: encode recording: %w", err)
	}
	return json.Marshal(e)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (r *Recording) UnmarshalJSON(data []byte) error {
	var e encoded
	if err := json.Unmarshal(data, &e); err != nil {
		return err
	}
	t := newTally()
	t.counts = e.Counts
	errs := []error{t.lag.decode(e.Lag), t.queue.decode(e.Queue), t.wait.decode(e.Wait)}
	for i, name := range stepNames {
		errs = append(errs, t.steps[i].decode(e.Steps[name]))
	}
	for kind, f := range e.Failed {
		if f != nil {
			note(t.failed, kind, f.Count, f.Samples...)
		}
	}
	for status, n := range e.Refused {
		t.refused[status] = n
	}
	addUp(t.abandoned, e.Abandoned)
	*r = Recording{e.Meta, t, e.Points}
	return errors.Join(errs...)
}
