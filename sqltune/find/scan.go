package find

import (
	"fmt"
	"strings"

	"github.com/stampede-shop/stampede/sqltune/index"
	"github.com/stampede-shop/stampede/sqltune/plan"
	"github.com/stampede-shop/stampede/sqltune/schema"
	"github.com/stampede-shop/stampede/sqltune/sqltext"
)

// scans finds those that read many rows to keep few.
func (f *finder) scans() {
	for n := range f.p.Root.All() {
		if !index.Scans(n) || f.done[n] || n.Never() || n.Filter == "" || n.Share < f.o.MinShare {
			continue
		}
		looked, kept := f.scanned(n)
		if looked < f.o.ManyRows || kept > looked*f.o.Selective {
			continue
		}
		if !reads(n) && !n.Analyzed {
			continue // how much an index leaves to its filter is only known when it was run
		}
		f.scan(n, looked, kept)
	}
}

// reads tells whether a scan reads all of its table, or all of an index.
func reads(n *plan.Node) bool {
	return n.Type == "Seq Scan" || n.IndexCond == "" && (n.Type == "Index Scan" || n.Type == "Index Only Scan")
}

// scan says what to do about a scan that throws most away.
func (f *finder) scan(n *plan.Node, looked, kept float64) {
	d := index.NeedOf(n, f.s)
	x := Finding{Share: n.Share, Evidence: fmt.Sprintf("%s rows read, %s kept; filter %s", plan.Count(looked), plan.Count(kept), n.Filter)}
	if !n.Analyzed {
		x.Evidence = fmt.Sprintf("about %s rows to read, %s expected to be kept; filter %s", plan.Count(looked), plan.Count(kept), n.Filter)
	}
	f.done[n] = true
	if reads(n) {
		if t, by := f.defeated(d); t != nil {
			f.defeat(d, *t, by, x)
			return
		}
	}
	c, ok := f.best(d)
	switch {
	case !ok && reads(n):
		x.Rule, x.Title = SeqScan, "whole table read for few rows: "+n.Relation
		x.Advice = "No index serves this condition as it is written. " + f.rewrite(d)
	case !ok:
		f.done[n] = false
		return
	case c.Exists(d.Table) != nil:
		if !reads(n) {
			return
		}
		f.unused(d, c.Exists(d.Table), x)
		return
	default:
		f.propose(d, c, &x)
	}
	f.add(n, x)
}

// propose fills in the index that would help.
func (f *finder) propose(d index.Need, c index.Candidate, x *Finding) {
	x.Rule, x.Title = MissingIndex, "missing index on "+d.Name
	x.SQL = []string{c.SQL()}
	if c.Requires != "" && !f.s.Has(c.Requires) {
		x.SQL = append([]string{"CREATE EXTENSION IF NOT EXISTS " + c.Requires + ";"}, x.SQL...)
	}
	if d.Table == nil {
		x.Advice = "If there is no such index yet; if there is, ANALYZE the table and see what keeps it from being used."
	} else {
		x.Advice = fmt.Sprintf("It will take about %s.", Bytes(c.Bytes(d.Table)))
	}
	if d.Node.Type != "Seq Scan" {
		x.Title = "index " + d.Node.Index + " leaves most of the work to a filter"
		if d.Node.Index == "" {
			x.Title = "the indexes used on " + d.Name + " leave most of the work to a filter"
		}
	}
}

// best is the first candidate for what a scan's own conditions ask.
func (f *finder) best(d index.Need) (index.Candidate, bool) {
	d.Joins = nil
	list := d.Candidates()
	if len(list) == 0 || len(d.Equal)+len(d.Range)+len(d.Special)+len(d.Tests)+len(d.Order) == 0 {
		return index.Candidate{}, false
	}
	return list[0], true
}

// defeated looks for a condition on an expression where the column itself has an index, or might have where no schema tells.
func (f *finder) defeated(d index.Need) (*index.Term, *schema.Index) {
	for _, list := range [][]index.Term{d.Equal, d.Range} {
		for i, t := range list {
			if t.Plain || len(d.Table.Leads(t.Text, "btree")) > 0 {
				continue
			}
			if leads := d.Table.Leads(schema.Quote(t.Of), "btree"); len(leads) > 0 {
				return &list[i], leads[0]
			}
			if d.Table == nil && (isCast(t) || t.Stable) {
				return &list[i], nil
			}
		}
	}
	return nil, nil
}

// side is the expression that is compared.
func side(t index.Term) *sqltext.Expr {
	for _, a := range t.Expr.Args {
		if len(a.Columns()) > 0 && a.Columns()[0].Name == t.Of {
			return a
		}
	}
	return t.Expr
}

func isCast(t index.Term) bool { return side(t).Op == sqltext.Cast }

func (f *finder) defeat(d index.Need, t index.Term, by *schema.Index, x Finding) {
	x.Rule = DefeatedIndex
	what := "a function"
	if isCast(t) {
		what = "a cast"
	}
	x.Title = fmt.Sprintf("%s on %s.%s keeps its index from being used", what, d.Name, t.Of)
	if by != nil {
		x.Evidence += "; index " + by.Name + " begins with " + t.Of
	}
	x.Advice = advise(d, t)
	if c, ok := f.best(d); ok && !t.Stable && !isCast(t) {
		x.SQL = []string{c.SQL()}
	}
	f.add(d.Node, x)
}

// advise says how to write the condition so that the column stands alone.
func advise(d index.Need, t index.Term) string {
	e, col := side(t), t.Of
	kind := "the column's own type"
	if c := d.Table.Column(col); c != nil {
		kind = c.Type
	}
	switch {
	case e.Op == sqltext.Cast && e.Name == "date":
		return fmt.Sprintf("Ask for a range instead: %[1]s >= DAY AND %[1]s < DAY + 1, with the value's type that of the column.", col)
	case e.Op == sqltext.Cast:
		return fmt.Sprintf("Compare %s with a value of type %s, not %s: cast the value, or bind the parameter with that type.", col, kind, e.Name)
	case e.Name == "date_trunc" || e.Name == "date_part" || e.Name == "extract" || e.Name == "date":
		return fmt.Sprintf("Ask for a range instead: %[1]s >= BEGIN AND %[1]s < END.", col)
	case t.Stable:
		return "Write the condition so that " + col + " stands alone on its side: this expression depends on settings, so that no index can hold it."
	}
	return "Either this index on the expression, or write the condition so that " + col + " stands alone on its side."
}

// unused speaks of an index that could serve, and was passed over.
func (f *finder) unused(d index.Need, i *schema.Index, x Finding) {
	x.Rule, x.Title = UnusedIndex, "index "+i.Name+" is not used"
	x.Evidence += "; " + i.Name + " is on (" + strings.Join(i.Keys, ", ") + ")"
	x.SQL = []string{"ANALYZE " + d.Table.FullName() + ";"}
	x.Advice = "The planner expects the whole table to be cheaper. After ANALYZE, see whether random_page_cost and effective_cache_size fit the disk, " +
		"and whether enable_indexscan is off."
	for k, v := range f.p.Settings {
		if strings.HasPrefix(k, "enable_") && v == "off" {
			x.Evidence += "; " + k + " is off"
			x.SQL = append(x.SQL, "RESET "+k+";")
		}
	}
	f.add(d.Node, x)
}

// rewrite is advice for conditions that no index serves.
func (f *finder) rewrite(d index.Need) string {
	for _, t := range d.Other {
		if t.Expr != nil && t.Expr.Op == sqltext.OrExpr {
			return "Conditions on different columns joined by OR: write a UNION of two queries, each with its index."
		}
	}
	return "If it always asks for the same rows, a partial index WHERE the condition holds them."
}

// topN finds sorts of many rows of which only the first are wanted.
func (f *finder) topN() {
	f.nodes(func(sort *plan.Node) {
		scan := only(sort)
		if sort.Parent == nil || scan == nil || !index.Scans(scan) || f.done[scan] || !sort.Below(func(n *plan.Node) bool { return n.Type == "Limit" }) {
			return
		}
		d := index.NeedOf(scan, f.s)
		looked, given := scan.Rows(), sort.Rows()
		if !sort.Analyzed {
			looked, given = scan.PlanRows, limitAbove(sort).PlanRows
		}
		share := f.p.InclusiveShare(sort)
		if len(d.Order) == 0 || looked < f.o.ManyRows || given > looked*f.o.Selective || share < f.o.MinShare {
			return
		}
		c, ok := f.best(d)
		if !ok || c.Exists(d.Table) != nil {
			return
		}
		x := Finding{Share: share, Evidence: fmt.Sprintf("%s rows sorted for the first %s by %s", plan.Count(looked), plan.Count(given),
			strings.Join(sort.SortKey, ", "))}
		f.propose(d, c, &x)
		x.Title = "missing index on " + d.Name + " for the order of the first rows"
		f.done[scan] = true
		f.add(sort, x)
	}, "Sort")
}

func limitAbove(n *plan.Node) *plan.Node {
	for ; n.Parent != nil && n.Type != "Limit"; n = n.Parent {
	}
	return n
}

// only is the one node below, through gathers; nil when there are several.
func only(n *plan.Node) *plan.Node {
	for {
		c := n.Child("Outer")
		if c == nil || len(n.Children) != 1 {
			return nil
		}
		if c.Type != "Gather" && c.Type != "Result" {
			return c
		}
		n = c
	}
}

// Bytes is a size for people.
func Bytes(b float64) string {
	for _, u := range []struct {
		name string
		unit float64
	}{{"GB", 1 << 30}, {"MB", 1 << 20}, {"kB", 1 << 10}} {
		if b >= u.unit {
			return fmt.Sprintf("%.3g %s", b/u.unit, u.name)
		}
	}
	return fmt.Sprintf("%.0f bytes", b)
}
