package sqltune

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/sqltune/find"
	"github.com/stampede-shop/stampede/sqltune/index"
	"github.com/stampede-shop/stampede/sqltune/plan"
	"github.com/stampede-shop/stampede/sqltune/schema"
)

// AdviseOptions say how much is looked at; the zero value works.
type AdviseOptions struct {
	Limits
	// MaxStatements are looked at, the most costly first. Default 100.
	MaxStatements int
	// MinGain is the part of the time of the statements on a table that an index must save to be proposed. Default 0.05.
	MinGain float64
	// MaxProposals bounds how many indexes are proposed. Default 10.
	MaxProposals int
	// WriteMillis is what an entry of an index is taken to cost a write. Default 0.005 ms.
	WriteMillis float64
	// NoHypoPG leaves HypoPG alone although it is there.
	NoHypoPG bool
	// Scans are scans of indexes on other nodes, by "schema.index": one that is used there is not unused.
	Scans map[string]float64
}

func (o *AdviseOptions) defaults() {
	o.Limits.defaults()
	o.MaxStatements, o.MaxProposals = cmp.Or(o.MaxStatements, 100), cmp.Or(o.MaxProposals, 10)
	o.MinGain, o.WriteMillis = cmp.Or(o.MinGain, 0.05), cmp.Or(o.WriteMillis, 0.005)
}

// Proposal is an index that may be worth having.
type Proposal struct {
	index.Candidate
	Name string `json:"name"`
	SQL  string `json:"sql"`
	// Statements are those that it is for, the most costly first.
	Statements []string `json:"statements"`
	// Costed proposals were shown to the planner, which would use them. Gain is the part of the time of the statements that it expects
	// to save, Saved that in milliseconds since the statistics began.
	Costed bool    `json:"costed"`
	Gain   float64 `json:"gain,omitempty"`
	Saved  float64 `json:"saved_ms,omitempty"`
	Bytes  float64 `json:"bytes"`
	// Writes are rows written to the table since the statistics began, WriteCost what an index more costs them, in milliseconds.
	Writes    float64 `json:"writes"`
	WriteCost float64 `json:"write_cost_ms"`
	// HotLoss is set when rows are updated without touching indexes today, which this one may end for updates of its columns.
	HotLoss bool `json:"hot_loss,omitempty"`
}

// Advice is what was found out about the indexes of a database.
type Advice struct {
	// Costed tells whether HypoPG was there to ask the planner; if not, Note says what to do.
	Costed    bool            `json:"costed"`
	Note      string          `json:"note,omitempty"`
	Proposals []Proposal      `json:"proposals"`
	Unused    []schema.Unused `json:"unused"`
	// Since is when the server began to count: what nobody has scanned for an hour may be for the end of the month.
	Since   time.Time `json:"since,omitzero"`
	Skipped []Skipped `json:"skipped,omitempty"`
}

const noHypoPG = "HypoPG is not installed in this database, so proposals are not costed: install it (apt-get install postgresql-NN-hypopg) and " +
	"CREATE EXTENSION hypopg"

// Advise proposes indexes for a workload, what saves most first, and names those that nobody uses. Nothing is created.
func Advise(ctx context.Context, conn *pgx.Conn, work []Statement, o AdviseOptions) (*Advice, error) {
	o.defaults()
	a := &Advice{Proposals: []Proposal{}, Unused: []schema.Unused{}}
	l := o.Limits
	l.whole = 4 * l.Timeout // a plan takes milliseconds, but there are many
	err := rolledBack(ctx, conn, l, false, func(ctx context.Context, tx pgx.Tx) error {
		s, err := schema.Read(ctx, tx)
		if err != nil {
			return err
		}
		a.Since = s.Since
		a.Unused = append(a.Unused, s.Unused(o.Scans)...)
		v := &advisor{planner: planner{tx, s.Version}, s: s, o: o}
		if err := v.look(ctx, work[:min(len(work), o.MaxStatements)]); err != nil {
			return err
		}
		a.Costed = s.Has("hypopg") && !o.NoHypoPG && v.works(ctx)
		if a.Costed {
			err = v.weigh(ctx)
		} else {
			a.Note = noHypoPG
			v.guess()
		}
		a.Proposals, a.Skipped = append(a.Proposals, v.chosen...), v.skipped
		return err
	})
	return a, err
}

// advisor proposes indexes within one transaction.
type advisor struct {
	planner
	s       *schema.Schema
	o       AdviseOptions
	asked   []*asked
	options []*option
	chosen  []Proposal
	skipped []Skipped
}

// asked is a statement and its plan as it is now.
type asked struct {
	Statement
	plan   *plan.Plan
	tables map[*schema.Table]bool
	cost   float64 // with the indexes chosen so far
}

// option is an index that might be chosen.
type option struct {
	index.Candidate
	table *schema.Table
	for_  []*asked
	out   bool // has been chosen, or cannot be made
}

// look explains the statements and collects what indexes they would like.
func (v *advisor) look(ctx context.Context, work []Statement) error {
	for _, st := range work {
		p, err := v.plan(ctx, st.SQL)
		if err != nil {
			if ctx.Err() != nil {
				return errors.Join(ctx.Err(), err)
			}
			v.skipped = append(v.skipped, Skipped{st.SQL, err.Error()})
			continue
		}
		a := &asked{Statement: st, plan: p, tables: map[*schema.Table]bool{}, cost: p.Root.TotalCost}
		v.asked = append(v.asked, a)
		for n := range p.Root.All() {
			if index.Scans(n) {
				v.collect(a, n)
			}
		}
	}
	return nil
}

// worthRows is how many rows a table has that is worth an index.
const worthRows = 1000

func (v *advisor) collect(a *asked, n *plan.Node) {
	d := index.NeedOf(n, v.s)
	if d.Table == nil {
		return
	}
	a.tables[d.Table] = true
	if d.Table.Rows < worthRows || d.Table.Partition || d.Empty() {
		return
	}
	for _, c := range d.Candidates() {
		if c.Exists(d.Table) != nil || c.Requires != "" && !v.s.Has(c.Requires) {
			continue
		}
		at := slices.IndexFunc(v.options, func(o *option) bool { return o.Def() == c.Def() })
		if at < 0 {
			at = len(v.options)
			v.options = append(v.options, &option{Candidate: c, table: d.Table})
		}
		if !slices.Contains(v.options[at].for_, a) {
			v.options[at].for_ = append(v.options[at].for_, a)
		}
	}
}

// proposal is an option put into words.
func (v *advisor) proposal(o *option) Proposal {
	p := Proposal{Candidate: o.Candidate, Name: o.Name(), SQL: o.SQL(), Bytes: o.Bytes(o.table), Writes: o.table.Writes(),
		HotLoss: o.table.HotUpdated > o.table.Updated/2 && o.table.Updated > 0}
	p.WriteCost = p.Writes * v.o.WriteMillis
	return p
}

// guess proposes what findings propose, where nobody can be asked about costs.
func (v *advisor) guess() {
	for _, a := range v.asked {
		for _, f := range find.Plan(a.plan, a.SQL, v.s, find.Options{}) {
			for _, sql := range f.SQL {
				at := slices.IndexFunc(v.options, func(o *option) bool { return o.SQL() == sql })
				if at < 0 {
					continue
				}
				v.add(v.options[at], a, f.Share)
			}
		}
	}
	slices.SortStableFunc(v.chosen, func(a, b Proposal) int { return cmp.Compare(b.Saved, a.Saved) })
	v.chosen = v.chosen[:min(len(v.chosen), v.o.MaxProposals)]
	for i := range v.chosen {
		v.chosen[i].Gain, v.chosen[i].Saved = 0, 0 // an upper bound, good for the order alone
	}
	v.dropPrefixes()
}

func (v *advisor) add(o *option, a *asked, share float64) {
	at := slices.IndexFunc(v.chosen, func(p Proposal) bool { return p.Name == o.Name() })
	if at < 0 {
		at = len(v.chosen)
		v.chosen = append(v.chosen, v.proposal(o))
	}
	p := &v.chosen[at]
	p.Statements = append(p.Statements, a.SQL)
	p.Saved += a.Total * share
}

// dropPrefixes leaves out proposals that another proposal does as well.
func (v *advisor) dropPrefixes() {
	v.chosen = slices.DeleteFunc(v.chosen, func(p Proposal) bool {
		return slices.ContainsFunc(v.chosen, func(o Proposal) bool {
			return o.Name != p.Name && o.TableName() == p.TableName() && o.Candidate.Index().Covers(p.Candidate.Index())
		})
	})
}
