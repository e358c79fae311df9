package sqltune

import (
	"context"
	"errors"
	"slices"

	"github.com/stampede-shop/stampede/sqltune/schema"
)

// hypothetical is an index that the planner is made to believe in.
type hypothetical struct {
	oid   uint32
	bytes float64
}

func (v *advisor) hypo(name string) string {
	return schema.Quote(v.s.Extensions["hypopg"]) + "." + name
}

// works tells whether HypoPG answers: its library may be gone, or its functions not be granted.
func (v *advisor) works(ctx context.Context) bool {
	save, err := v.tx.Begin(ctx)
	if err != nil {
		return false
	}
	defer func() { _ = save.Rollback(context.WithoutCancel(ctx)) }()
	_, err = save.Exec(ctx, "SELECT "+v.hypo("hypopg_reset")+"()")
	return err == nil
}

// suppose makes an index hypothetically; false when PostgreSQL does not take it.
func (v *advisor) suppose(ctx context.Context, o *option) (h hypothetical, ok bool, err error) {
	save, err := v.tx.Begin(ctx)
	if err != nil {
		return h, false, err
	}
	err = save.QueryRow(ctx, "SELECT indexrelid::oid FROM "+v.hypo("hypopg_create_index")+"($1)", "CREATE INDEX ON "+o.Def()).Scan(&h.oid)
	if err != nil {
		_ = save.Rollback(context.WithoutCancel(ctx))
		if ctx.Err() != nil {
			return h, false, errors.Join(ctx.Err(), err)
		}
		v.skipped = append(v.skipped, Skipped{o.SQL(), err.Error()})
		return h, false, nil
	}
	if err := save.Commit(ctx); err != nil { // the savepoint
		return h, false, err
	}
	err = v.tx.QueryRow(ctx, "SELECT "+v.hypo("hypopg_relation_size")+"($1::oid)::float8", h.oid).Scan(&h.bytes)
	return h, err == nil, err
}

func (v *advisor) forget(ctx context.Context, h hypothetical) error {
	_, err := v.tx.Exec(ctx, "SELECT "+v.hypo("hypopg_drop_index")+"($1::oid)", h.oid)
	return err
}

// trial is what an option would save.
type trial struct {
	o          *option
	hypo       hypothetical
	gain       float64 // milliseconds of all statements that it is for
	part       float64 // of their time
	costs      []float64
	statements []string
}

// weigh asks the planner what each option would save, takes the best, and goes on with that one in place, until none is worth its
// writes.
func (v *advisor) weigh(ctx context.Context) error {
	defer func() {
		_, _ = v.tx.Exec(context.WithoutCancel(ctx), "SELECT "+v.hypo("hypopg_reset")+"()")
	}()
	for len(v.chosen) < v.o.MaxProposals {
		best, err := v.round(ctx)
		if err != nil || best == nil {
			return err
		}
		best.o.out = true
		if _, ok, err := v.suppose(ctx, best.o); err != nil || !ok {
			return err
		}
		for i, a := range best.o.for_ {
			a.cost = best.costs[i]
		}
		p := v.proposal(best.o)
		p.Costed, p.Gain, p.Saved, p.Statements = true, best.part, best.gain, best.statements
		if best.hypo.bytes > 0 {
			p.Bytes = best.hypo.bytes
		}
		v.chosen = append(v.chosen, p)
	}
	return nil
}

// round tries all options; nil when none is worth it.
func (v *advisor) round(ctx context.Context) (best *trial, err error) {
	for _, o := range v.options {
		if o.out || v.covered(o) {
			continue
		}
		t, err := v.try(ctx, o)
		if err != nil {
			return nil, err
		}
		if t == nil {
			o.out = true
			continue
		}
		if t.part < v.o.MinGain || t.gain <= o.table.Writes()*v.o.WriteMillis {
			continue
		}
		if best == nil || better(t, best) {
			best = t
		}
	}
	return best, nil
}

// covered tells whether an index chosen already does all that the option would, or the other way round: one of two like these is enough.
func (v *advisor) covered(o *option) bool {
	return slices.ContainsFunc(v.chosen, func(p Proposal) bool {
		mine, theirs := o.Candidate.Index(), p.Candidate.Index()
		return p.TableName() == o.TableName() && (theirs.Covers(mine) || mine.Covers(theirs))
	})
}

// alike is how near two gains are that are decided by size.
const alike = 0.95

func better(a, b *trial) bool {
	if a.gain*alike <= b.gain && b.gain*alike <= a.gain {
		return a.hypo.bytes < b.hypo.bytes
	}
	return a.gain > b.gain
}

// try is what an option saves; nil when PostgreSQL does not take it.
func (v *advisor) try(ctx context.Context, o *option) (*trial, error) {
	h, ok, err := v.suppose(ctx, o)
	if err != nil || !ok {
		return nil, err
	}
	t := &trial{o: o, hypo: h}
	total := 0.
	for _, a := range o.for_ {
		cost := a.cost
		p, err := v.plan(ctx, a.SQL)
		if err != nil && ctx.Err() != nil {
			return nil, err
		}
		if err == nil {
			cost = min(cost, p.Root.TotalCost)
		}
		t.costs = append(t.costs, cost)
		total += a.Total
		if a.cost > 0 && cost < a.cost {
			t.gain += a.Total * (1 - cost/a.cost)
			t.statements = append(t.statements, a.SQL)
		}
	}
	if total > 0 {
		t.part = t.gain / total
	}
	return t, v.forget(ctx, h)
}
