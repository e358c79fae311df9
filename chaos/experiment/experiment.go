package experiment

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"

	"gopkg.in/yaml.v3"
)

// Experiment is one, as its file says.
type Experiment struct {
	Name  string            `yaml:"name"`
	About string            `yaml:"about"`
	Needs map[string]string `yaml:"needs,omitempty"` // what the system has to be, for the lab to judge
	// Load is what is offered, in the words of the lab.
	Load yaml.Node `yaml:"load"`
	// Steady has to hold without faults: otherwise nothing can be told.
	Steady []Condition `yaml:"steady"`
	// Warm is for how long the load is offered before either measurement, so that both find caches warm. Default 3 s; negative
	// is not at all.
	Warm   time.Duration `yaml:"warm,omitempty"`
	Faults []Step        `yaml:"faults"`
	Expect Expect        `yaml:"expect"`
	Abort  Abort         `yaml:"abort,omitempty"`
	// Recovery is how long the system may take to be whole again after the last fault. Default 60 s.
	Recovery time.Duration `yaml:"recovery,omitempty"`
}

// Step is a fault at its time.
type Step struct {
	Fault string            `yaml:"fault" json:"fault"`
	With  map[string]string `yaml:"with,omitempty" json:"with,omitempty"`
	At    time.Duration     `yaml:"at" json:"at"`                       // after the load has begun
	For   time.Duration     `yaml:"for,omitempty" json:"for,omitempty"` // 0: until the end of the load
	// Optional steps may turn out to be impossible, as random ones do, without spoiling the experiment.
	Optional bool `yaml:"optional,omitempty" json:"optional,omitempty"`
}

// Expect is what has to come of it, for the run with faults: on the whole, while the first to the last fault is in force, and
// after that; Change is of the run with against the run without: differences of shares, for all else ratios less one.
type Expect struct {
	Whole  []Condition `yaml:"whole,omitempty"`
	During []Condition `yaml:"during,omitempty"`
	After  []Condition `yaml:"after,omitempty"`
	Change []Condition `yaml:"change,omitempty"`
}

// Abort ends an experiment that does more than it should: when a condition holds for so long, judged second by second.
type Abort struct {
	When []Condition   `yaml:"when,omitempty"`
	For  time.Duration `yaml:"for,omitempty"` // default 5 s
}

const (
	defaultRecovery = 60 * time.Second
	defaultAbort    = 5 * time.Second
	defaultWarm     = 3 * time.Second
)

var nameForm = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// Parse reads an experiment, fills in defaults and checks it.
func Parse(data []byte) (*Experiment, error) {
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	e := &Experiment{}
	if err := d.Decode(e); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrExperiment, err)
	}
	if err := d.Decode(new(Experiment)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: there is more than one document", ErrExperiment)
	}
	e.defaults()
	return e, e.check()
}

func (e *Experiment) defaults() {
	if e.Recovery == 0 {
		e.Recovery = defaultRecovery
	}
	if e.Warm == 0 {
		e.Warm = defaultWarm
	}
	if e.Abort.For == 0 {
		e.Abort.For = defaultAbort
	}
}

func (e *Experiment) check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s: %s", ErrExperiment, e.Name, fmt.Sprintf(format, args...))
	}
	if !nameForm.MatchString(e.Name) {
		return bad("name %q: lower case words and numbers joined by hyphens", e.Name)
	}
	if e.About == "" || len(e.Faults) == 0 || e.Load.IsZero() {
		return bad("about, load and at least one fault are needed")
	}
	if len(e.Steady) == 0 {
		return bad("steady: what holds without faults? Give at least one condition, like success_rate >= 99.9%%")
	}
	if x := e.Expect; len(x.Whole)+len(x.During)+len(x.After)+len(x.Change) == 0 {
		return bad("expect: nothing is expected")
	}
	for _, s := range e.Faults {
		if s.Fault == "" || s.At < 0 || s.For < 0 {
			return bad("faults: each has a name, and times from 0 on: %+v", s)
		}
	}
	return nil
}

// Write writes the experiment as YAML that Parse reads.
func (e *Experiment) Write(w io.Writer) error {
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	if err := enc.Encode(e); err != nil {
		return err
	}
	return enc.Close()
}
