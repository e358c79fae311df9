package sqltune

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/stampede-shop/stampede/sqltune/find"
	"github.com/stampede-shop/stampede/sqltune/plan"
	"github.com/stampede-shop/stampede/sqltune/schema"
)

// Report is what was found out about one statement.
type Report struct {
	SQL string `json:"sql,omitempty"`
	// Note says what the reader has to know about how the plan came to be.
	Note     string         `json:"note,omitempty"`
	Findings []find.Finding `json:"findings"`
	Plan     *plan.Plan     `json:"plan"`
}

// Read reads plans from a document and looks through each.
func Read(doc []byte, s *schema.Schema, o find.Options) ([]*Report, error) {
	plans, err := plan.Parse(doc)
	if err != nil {
		return nil, err
	}
	var list []*Report
	for _, p := range plans {
		list = append(list, newReport(p, "", s, o))
	}
	return list, nil
}

func newReport(p *plan.Plan, sql string, s *schema.Schema, o find.Options) *Report {
	r := &Report{SQL: sql, Plan: p, Findings: find.Plan(p, sql, s, o)}
	if r.SQL == "" {
		r.SQL = p.Query
	}
	if r.Findings == nil {
		r.Findings = []find.Finding{}
	}
	return r
}

// WriteText writes the report for people: the plan as a tree with numbers of findings at its nodes, then the findings.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintln(&b, r.heading())
	err := r.Plan.WriteTree(&b, func(n *plan.Node) string { return r.marks(n.ID) })
	if err != nil {
		return err
	}
	b.WriteByte('\n')
	WriteFindings(&b, r.Findings)
	_, err = io.WriteString(w, b.String())
	return err
}

func (r *Report) heading() string {
	p := r.Plan
	parts := []string{"estimated cost " + plan.Count(p.Total)}
	if p.Timed {
		parts = []string{plan.Millis(p.Total)}
	}
	if p.Planning > 0 {
		parts = append(parts, "planning "+plan.Millis(p.Planning))
	}
	if p.JIT != nil {
		parts = append(parts, "compiling "+plan.Millis(p.JIT.Total))
	}
	if r.Note != "" {
		parts = append(parts, r.Note)
	}
	return strings.Join(parts, "; ")
}

// marks are the numbers of the findings at a node.
func (r *Report) marks(id int) string {
	var at []string
	for i, f := range r.Findings {
		if f.Node == id {
			at = append(at, fmt.Sprint(i+1))
		}
	}
	return strings.Join(at, ", ")
}

// WriteFindings writes findings for people.
func WriteFindings(w io.Writer, list []find.Finding) {
	if len(list) == 0 {
		_, _ = fmt.Fprintln(w, "Nothing found.")
	}
	for i, f := range list {
		_, _ = fmt.Fprintf(w, "%d. %s  [%s, %.0f%% of the time]\n", i+1, f.Title, f.Rule, 100*f.Share)
		if f.Path != "" {
			_, _ = fmt.Fprintf(w, "   at   %s\n", f.Path)
		}
		_, _ = fmt.Fprintf(w, "   seen %s\n", f.Evidence)
		for _, sql := range f.SQL {
			_, _ = fmt.Fprintf(w, "   fix  %s\n", sql)
		}
		if f.Advice != "" {
			_, _ = fmt.Fprintf(w, "   do   %s\n", f.Advice)
		}
	}
}

// Rules are the rules by which findings were made, each once.
func (r *Report) Rules() (rules []string) {
	for _, f := range r.Findings {
		if !slices.Contains(rules, f.Rule) {
			rules = append(rules, f.Rule)
		}
	}
	slices.Sort(rules)
	return rules
}
