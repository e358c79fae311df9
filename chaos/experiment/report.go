package experiment

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"
)

// Verdicts.
const (
	Passed = "passed"
	Failed = "failed"
)

// Report is what came of an experiment.
type Report struct {
	Name     string    `json:"name"`
	About    string    `json:"about"`
	Started  time.Time `json:"started"`
	Verdict  string    `json:"verdict"`
	Reason   string    `json:"reason,omitempty"`
	Checks   []Check   `json:"checks"`
	Windows  []Window  `json:"faults"`
	Without  Side      `json:"without"`
	With     Side      `json:"with"`
	Changes  []Change  `json:"changes"`
	Recovery float64   `json:"recovery_s"`
}

// Check is one expectation and what was found.
type Check struct {
	Phase string `json:"phase"`
	Text  string `json:"text"`
	Got   string `json:"got"`
	Holds bool   `json:"holds"`
}

// Injected is a step that was carried out, or not.
type Injected struct {
	Step
	From, To time.Time // To is zero when it was not injected
	Error    string
}

// Window is when a fault was in force, in seconds since the load began.
type Window struct {
	Fault string            `json:"fault"`
	With  map[string]string `json:"with,omitempty"`
	From  float64           `json:"from_s"`
	To    float64           `json:"to_s"`
	Since time.Time         `json:"since"`
}

// Side is one of the two loads.
type Side struct {
	Metrics Metrics `json:"metrics"`
	Series  []Point `json:"series"`
	// Failures are the bad answers in words, a line for each kind.
	Failures []string `json:"failures,omitempty"`
	Doubts   []string `json:"doubts,omitempty"`
}

func sideOf(l Load) Side { return Side{l.Metrics(0, 0), l.Series(), l.Failures(), l.Doubts()} }

type namedSide struct {
	name string
	Side
}

func (r *Report) sides() []namedSide { return []namedSide{{"without", r.Without}, {"with", r.With}} }

func (r *Report) add(c Check) { r.Checks = append(r.Checks, c) }

// judge makes the verdict: everything that was checked holds, and it came to the end.
func (r *Report) judge() {
	r.Verdict = Passed
	for _, c := range r.Checks {
		if !c.Holds {
			r.Verdict = Failed
			if r.Reason == "" {
				r.Reason = fmt.Sprintf("%s: %s: %s", c.Phase, c.Text, c.Got)
			}
		}
	}
	if r.With.Metrics == nil {
		r.Verdict = Failed
		if r.Reason == "" {
			r.Reason = "it was broken off"
		}
	}
}

// WriteText writes the report for a terminal.
func (r *Report) WriteText(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "%s: %s\n%s\n", r.Name, r.Verdict, r.About); err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, c := range r.Checks {
		mark := "ok"
		if !c.Holds {
			mark = "FAILS"
		}
		_, _ = fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", mark, c.Phase, c.Text, c.Got)
	}
	for _, c := range r.Changes {
		if c.Proven {
			_, _ = fmt.Fprintf(t, "  change\t\t%s\t%s\n", c.Metric, c.String())
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, s := range r.sides() {
		for _, f := range s.Failures {
			if _, err := fmt.Fprintf(w, "  bad answers, %s faults: %s\n", s.name, f); err != nil {
				return err
			}
		}
		for _, d := range s.Doubts {
			if _, err := fmt.Fprintf(w, "  doubt, %s faults: %s\n", s.name, d); err != nil {
				return err
			}
		}
	}
	return nil
}

// String is the change and its interval.
func (c Change) String() string {
	unit := "%"
	if c.Share {
		unit = " points"
	}
	return fmt.Sprintf("%+.3g%s (%+.3g to %+.3g)", 100*c.Change, unit, 100*c.Low, 100*c.High)
}

// figure writes a value of the metric.
func (c Change) figure(v float64) string {
	switch name, _, _ := strings.Cut(c.Metric, "("); {
	case c.Share:
		return fmt.Sprintf("%.4f %%", 100*v)
	case name == "avg" || name[0] == 'p':
		return formatSeconds(v)
	default:
		return fmt.Sprintf("%.4g", v)
	}
}

// Write writes report.json and report.html into dir, which is made.
func (r *Report) Write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "report.json"), append(raw, '\n'), 0o644); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, "report.html"))
	if err != nil {
		return err
	}
	if err := r.WriteHTML(f); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}
