package sqltune

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/stampede-shop/stampede/sqltune/index"
	"github.com/stampede-shop/stampede/sqltune/plan"
	"github.com/stampede-shop/stampede/sqltune/schema"
)

// Skipped is a statement that could not be looked at.
type Skipped struct {
	SQL string `json:"sql"`
	Why string `json:"why"`
}

// planner explains statements within one transaction; one that fails does not spoil the others.
type planner struct {
	tx      pgx.Tx
	version int
}

func (p planner) plan(ctx context.Context, sql string) (*plan.Plan, error) {
	sql, _, err := check(sql)
	if err != nil {
		return nil, err
	}
	save, err := p.tx.Begin(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = save.Rollback(context.WithoutCancel(ctx)) }()
	if hasParams(sql) {
		return genericPlan(ctx, save, sql, p.version)
	}
	return explain(ctx, save, sql, options(p.version, false))
}

// Filter is a condition by which statements look for rows.
type Filter struct {
	Table     string  `json:"table"`
	Condition string  `json:"condition"` // a column or expression, and how it is compared
	Calls     float64 `json:"calls"`
	Total     float64 `json:"total_ms"` // of the statements that have it
	Queries   int     `json:"statements"`
	// Index is one that begins with the column or expression, empty when there is none.
	Index string `json:"index,omitempty"`
}

// Filters finds what the statements of a workload filter by, most often asked for first. It looks at the most costly ones, up to most.
func Filters(ctx context.Context, conn *pgx.Conn, list []Statement, most int, l Limits) (filters []Filter, skipped []Skipped, err error) {
	by := map[string]*Filter{}
	err = rolledBack(ctx, conn, l, false, func(ctx context.Context, tx pgx.Tx) error {
		s, err := schema.Read(ctx, tx)
		if err != nil {
			return err
		}
		for _, st := range list[:min(most, len(list))] {
			p, err := planner{tx, s.Version}.plan(ctx, st.SQL)
			if err != nil {
				if ctx.Err() != nil {
					return errors.Join(ctx.Err(), err)
				}
				skipped = append(skipped, Skipped{st.SQL, err.Error()})
				continue
			}
			count(by, p, st, s)
		}
		return nil
	})
	for _, f := range by {
		filters = append(filters, *f)
	}
	SortFilters(filters)
	return filters, skipped, err
}

// SortFilters puts what is asked for most often first.
func SortFilters(filters []Filter) {
	slices.SortFunc(filters, func(a, b Filter) int {
		return cmp.Or(cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Table, b.Table), cmp.Compare(a.Condition, b.Condition))
	})
}

// count adds a statement to the filters that it has, once each.
func count(by map[string]*Filter, p *plan.Plan, st Statement, s *schema.Schema) {
	seen := map[string]bool{}
	for n := range p.Root.All() {
		if !index.Scans(n) {
			continue
		}
		d := index.NeedOf(n, s)
		if d.Table == nil {
			continue // a system table
		}
		for _, t := range slices.Concat(d.Equal, d.Range, d.Special, d.Tests, d.Joins) {
			f := Filter{Table: d.Table.FullName(), Condition: t.Text}
			if t.Value != "" { // tests like IS NULL have all of it in their text
				f.Condition += " " + t.Op
			}
			key := f.Table + "\x00" + f.Condition
			if seen[key] {
				continue
			}
			seen[key] = true
			if by[key] == nil {
				f.Index = leading(d.Table, t.Text)
				by[key] = &f
			}
			by[key].Calls, by[key].Total, by[key].Queries = by[key].Calls+st.Calls, by[key].Total+st.Total, by[key].Queries+1
		}
	}
}

// leading is an index that begins with a column or expression, one over all rows rather than a partial one; empty without one.
func leading(t *schema.Table, key string) (name string) {
	for _, method := range []string{"btree", "gin", "gist", "hash", "brin"} {
		for _, i := range t.Leads(key, method) {
			if i.Where == "" {
				return i.Name
			}
			name = cmp.Or(name, i.Name)
		}
	}
	return name
}
