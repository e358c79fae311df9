package sqltune

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/stampede-shop/stampede/sqltune/schema"
)

// Verdict is what became of a proposal.
type Verdict struct {
	Name string `json:"name"`
	SQL  string `json:"sql"`
	Kept bool   `json:"kept"`
	Why  string `json:"why"`
	// On names the targets on which it was tried.
	On []string `json:"on"`
	// Measured are the statements that read its table; those that it is for are marked.
	Measured []Measured `json:"measured"`
	// WriteBefore and WriteAfter are what a row costs to insert, in milliseconds.
	WriteBefore float64 `json:"write_before_ms"`
	WriteAfter  float64 `json:"write_after_ms"`
}

// Measured is a statement before and after, in milliseconds.
type Measured struct {
	SQL    string  `json:"sql"`
	For    bool    `json:"for"` // the index is for it
	Uses   bool    `json:"uses"`
	Calls  float64 `json:"calls"`
	Runs   int     `json:"runs"`
	Before float64 `json:"p95_before_ms"`
	After  float64 `json:"p95_after_ms"`
}

// times of a statement on all targets together.
type times struct {
	Measured
	before, after []float64
}

// try tries one proposal on all targets.
func (a *applier) try(ctx context.Context, p Proposal) (v Verdict, err error) {
	v = Verdict{Name: p.Name, SQL: p.SQL}
	trial := trialName(p)
	keep := false
	defer func() {
		if !keep {
			err = errors.Join(err, a.dropAll(ctx, p, trial))
		}
	}()
	seen := map[string]*times{}
	for _, s := range a.on {
		if err := a.tryOn(ctx, s, p, trial, &v, seen); err != nil {
			return v, fmt.Errorf("%s: %w", s.Name, err)
		}
		v.On = append(v.On, s.Name)
		if v.judge(seen, a.o); !v.Kept {
			a.o.Report("%s: dropped: %s", p.Name, v.Why)
			return v, nil
		}
	}
	keep = true
	for _, s := range a.on {
		if err := a.keep(ctx, s, p, trial, v.Why); err != nil {
			return v, err
		}
	}
	a.o.Report("%s: kept: %s", p.Name, v.Why)
	return v, nil
}

// tryOn measures, creates and measures again on one target.
func (a *applier) tryOn(ctx context.Context, s *site, p Proposal, trial string, v *Verdict, seen map[string]*times) error {
	a.o.Report("%s on %s: measuring", p.Name, s.Name)
	table := p.TableName()
	without, with, err := writeCost(ctx, s.conn, p, a.o.Limits)
	if err != nil {
		return err
	}
	if extra(without, with) >= extra(v.WriteBefore, v.WriteAfter) {
		v.WriteBefore, v.WriteAfter = without, with
	}
	if extra(without, with) > a.o.WriteBudget {
		return nil // no need to create it
	}
	for _, r := range s.replays {
		if !r.reads(table) {
			continue
		}
		took, _, err := replay(ctx, s.conn, r, "", a.o.pace(), a.o.Limits)
		if err != nil {
			return err
		}
		m := seen[r.SQL]
		if m == nil {
			m = &times{Measured: Measured{SQL: r.SQL, For: slices.Contains(p.Statements, r.SQL), Calls: r.Calls}}
			seen[r.SQL] = m
		}
		m.before = append(m.before, took...)
	}
	a.o.Report("%s on %s: creating", p.Name, s.Name)
	if err := a.create(ctx, s, p, trial); err != nil {
		return err
	}
	for _, r := range s.replays {
		if m := seen[r.SQL]; m != nil && r.reads(table) {
			took, uses, err := replay(ctx, s.conn, r, trial, a.o.pace(), a.o.Limits)
			if err != nil {
				return err
			}
			m.after, m.Uses = append(m.after, took...), m.Uses || uses
		}
	}
	return nil
}

// extra is how much more a written row costs, as a part of what it costs without the index.
func extra(without, with float64) float64 { return (with - without) / max(without, writeFloor) }

const (
	worseFactor = 1.3 // how much slower another statement may get
	worseMillis = 1   // and by how many milliseconds at least, to count
)

// judge decides by what was measured so far.
func (v *Verdict) judge(seen map[string]*times, o ApplyOptions) {
	v.Kept, v.Measured = false, nil
	var before, after, middle float64
	used, worse := false, ""
	for _, m := range seen {
		m.Runs, m.Before, m.After = len(m.after), quantile(m.before, 0.95), quantile(m.after, 0.95)
		v.Measured = append(v.Measured, m.Measured)
		was, is := quantile(m.before, 0.5), quantile(m.after, 0.5)
		if m.For {
			before, after, used = before+m.Calls*m.Before, after+m.Calls*m.After, used || m.Uses
			middle += m.Calls * (is - was)
		} else if m.Uses && is > was && m.After > m.Before*worseFactor && m.After > m.Before+worseMillis { // what does not use it, it cannot slow down
			worse = fmt.Sprintf("another statement got slower (p95 %.2f ms, was %.2f): %s", m.After, m.Before, short(m.SQL))
		}
	}
	slices.SortFunc(v.Measured, func(a, b Measured) int { return strings.Compare(a.SQL, b.SQL) })
	more := extra(v.WriteBefore, v.WriteAfter)
	switch {
	case more > o.WriteBudget:
		v.Why = fmt.Sprintf("a written row costs %.0f %% more, over the budget of %.0f %%", 100*more, 100*o.WriteBudget)
	case before == 0:
		v.Why = "none of the statements it is for could be replayed"
	case !used:
		v.Why = "the planner does not use it"
	case after > before*(1-o.MinGain), middle >= 0: // a p95 alone may be luck
		v.Why = fmt.Sprintf("p95 of what it is for did not fall by %.0f %%: it went to %.0f %% of what it was", 100*o.MinGain, 100*after/before)
	case worse != "":
		v.Why = worse
	default:
		v.Kept = true
		v.Why = fmt.Sprintf("p95 of what it is for fell to %.1f %% of what it was; a written row costs %.0f %% more", 100*after/before, max(0, 100*more))
	}
}

// short is a statement on a line.
func short(sql string) string {
	r := []rune(strings.Join(strings.Fields(sql), " "))
	if len(r) > 80 {
		return string(r[:80]) + "…"
	}
	return string(r)
}

func qualified(schemaName, name string) string {
	if schemaName == "" {
		return schema.Quote(name)
	}
	return schema.Quote(schemaName) + "." + schema.Quote(name)
}
