package bottleneck

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
)

// Errors of this package.
var (
	// ErrRun means that a recording is not one; the error names the line.
	ErrRun = errors.New("bottleneck: bad recording")
	// ErrExplain means that the language model did not explain.
	ErrExplain = errors.New("bottleneck: no explanation")
)

// Kinds of resources. A resource is named KIND/INSTANCE, such as pool/shard2.
const (
	CPU    = "cpu"    // of a process or machine: share of its cores
	Pool   = "pool"   // connections in use
	Shard  = "shard"  // time in which a shard's server works
	HotRow = "hotrow" // time in which what must come one after the other is taken
	Queue  = "queue"  // what waits, by what may
	Lag    = "lag"    // of a replica, by what is allowed
	Memory = "memory" // of a cache
)

// KindOf is the kind of a resource.
func KindOf(resource string) string {
	kind, _, _ := strings.Cut(resource, "/")
	return kind
}

// Sample is what was measured at a moment.
type Sample struct {
	At   time.Time          `json:"at"`
	Load float64            `json:"load"` // requests a second
	Use  map[string]float64 `json:"use"`  // by resource; 1 is full
}

// Label says what came of a run: which resource was full first, and when. Without a cause, nothing was.
type Label struct {
	Cause string    `json:"cause,omitempty"`
	At    time.Time `json:"at,omitzero"`
	Note  string    `json:"note,omitempty"`
}

// Run is a recording with its label.
type Run struct {
	Name    string
	Label   Label
	Samples []Sample
}

// A recording is a text of JSON documents, one a line: first {"label":{…}}, then samples in order.
type labelLine struct {
	Label *Label `json:"label"`
}

// Recorder writes a recording as it comes.
type Recorder struct{ enc *json.Encoder }

// NewRecorder begins a recording.
func NewRecorder(w io.Writer, l Label) (*Recorder, error) {
	r := &Recorder{json.NewEncoder(w)}
	return r, r.enc.Encode(labelLine{&l})
}

// Add writes a sample.
func (r *Recorder) Add(s Sample) error { return r.enc.Encode(s) }

// Write writes the whole run.
func (r Run) Write(w io.Writer) error {
	rec, err := NewRecorder(w, r.Label)
	for _, s := range r.Samples {
		if err == nil {
			err = rec.Add(s)
		}
	}
	return err
}

const (
	maxLine    = 1 << 20
	maxSamples = 1 << 20
)

// ReadRun reads a recording.
func ReadRun(in io.Reader, name string) (Run, error) {
	run := Run{Name: name}
	sc := bufio.NewScanner(in)
	sc.Buffer(nil, maxLine)
	for line := 1; sc.Scan(); line++ {
		bad := func(err error) (Run, error) { return run, fmt.Errorf("%w: %s, line %d: %w", ErrRun, name, line, err) }
		if line == 1 {
			var l labelLine
			if err := json.Unmarshal(sc.Bytes(), &l); err != nil {
				return bad(err)
			}
			if l.Label == nil {
				return bad(errors.New(`it does not begin with {"label":{…}}`))
			}
			run.Label = *l.Label
			continue
		}
		var s Sample
		if err := json.Unmarshal(sc.Bytes(), &s); err != nil {
			return bad(err)
		}
		if n := len(run.Samples); n > 0 && !s.At.After(run.Samples[n-1].At) || n == maxSamples {
			return bad(errors.New("samples have to be in order, at most a million"))
		}
		run.Samples = append(run.Samples, s)
	}
	if err := sc.Err(); err != nil {
		return run, fmt.Errorf("%w: %s: %w", ErrRun, name, err)
	}
	if len(run.Samples) == 0 {
		return run, fmt.Errorf("%w: %s: there is no sample in it", ErrRun, name)
	}
	return run, nil
}

// Full is where a resource counts as full.
const Full = 0.97

// FirstFull finds which resource stayed full first: for five samples of six. It labels recordings whose cause nobody knows; a known
// cause is better.
func FirstFull(samples []Sample) Label {
	const span, most = 6, 5
	recent := map[string][]bool{}
	for i, s := range samples {
		for _, name := range names(s.Use) {
			r := append(recent[name], s.Use[name] >= Full)
			r = r[max(0, len(r)-span):]
			recent[name] = r
			n := 0
			for _, full := range r {
				if full {
					n++
				}
			}
			if n >= most {
				return Label{Cause: name, At: samples[max(0, i-span+1)].At}
			}
		}
	}
	return Label{}
}

func names(use map[string]float64) []string {
	out := make([]string, 0, len(use))
	for name := range use {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
