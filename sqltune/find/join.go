package find

import (
	"fmt"
	"strings"

	"github.com/stampede-shop/stampede/sqltune/index"
	"github.com/stampede-shop/stampede/sqltune/plan"
)

const (
	manyLoops  = 50   // rows on the outer side of a nested loop from which on a large inner side counts
	fewPerLoop = 20   // rows that a lookup may look at
	joinShare  = 0.2  // of the time, from which on a join is worth a word
	manyRuns   = 1000 // of a subquery
)

// nestedLoops finds inner sides that are read over and over, and subqueries that run once a row.
func (f *finder) nestedLoops() {
	f.nodes(func(n *plan.Node) {
		inner, outer := n.Child("Inner"), n.Child("Outer")
		if inner == nil || outer == nil || inner.Never() {
			return
		}
		loops, rows := inner.Loops, inner.Rows()+below(inner)
		if !n.Analyzed {
			loops, rows = outer.PlanRows, outer.PlanRows*inner.PlanRows
		}
		share := f.p.InclusiveShare(inner) + n.Share
		if loops < manyLoops || rows < 10*f.o.ManyRows || rows/loops < fewPerLoop || share < joinShare {
			return
		}
		scans := whole(inner)
		if n.RemovedJoin*n.Loops > 10*f.o.ManyRows { // nothing tells which rows match but looking at all pairs
			scans = append(scans, whole(outer)...)
		}
		if len(scans) > 0 && !f.done[scans[0]] {
			f.nested(n, scans, loops, rows, share)
		}
	}, "Nested Loop")
	for n := range f.p.Root.All() {
		if n.Relationship == "SubPlan" && n.Loops >= manyRuns && f.p.InclusiveShare(n) >= joinShare {
			f.correlated(n)
		}
	}
}

// below are the rows that filters under a node threw away.
func below(n *plan.Node) float64 {
	sum := 0.
	for c := range n.All() {
		sum += (c.RemovedFilter + c.RemovedCheck) * c.Loops
	}
	return sum
}

// whole are the tables that are read as a whole in the inner side, not looked up.
func whole(n *plan.Node) (list []*plan.Node) {
	for c := range n.All() {
		if c.Type == "Seq Scan" || (c.Analyzed && index.Scans(c) && c.RemovedFilter > fewPerLoop) {
			list = append(list, c)
		}
	}
	return list
}

func (f *finder) nested(n *plan.Node, scans []*plan.Node, loops, rows, share float64) {
	x := Finding{Rule: NestedLoop, Title: "nested loop over a large inner side: " + scans[0].Relation, Share: share,
		Evidence: fmt.Sprintf("%s times, %s rows looked at in all, %s of them for nothing", plan.Count(loops), plan.Count(rows),
			plan.Count(max(0, rows-n.Rows()))),
		Advice: "Join by equality of columns, so that a hash or an index can be used; and look at why the planner expected few rows on the outer side."}
	for _, scan := range scans {
		d := index.NeedOf(scan, f.s)
		if c, ok := joining(d); ok && c.Exists(d.Table) == nil {
			x.Title = "nested loop over a large inner side: " + scan.Relation
			x.SQL = []string{c.SQL()}
			x.Advice = "With it each row of the outer side is one lookup."
			break
		}
	}
	for _, scan := range scans {
		f.done[scan] = true
	}
	f.add(n, x)
}

// joining is the index by which a table could be looked up for a row of another.
func joining(d index.Need) (index.Candidate, bool) {
	keys := d.Joins
	for _, t := range d.Equal {
		if !t.Fixed {
			keys = append(keys, t)
		}
	}
	if len(keys) == 0 {
		return index.Candidate{}, false
	}
	d.Equal = keys
	d.Joins, d.Range, d.Order, d.Special, d.Output, d.Tests = nil, nil, nil, nil, nil, nil
	list := d.Candidates()
	if len(list) == 0 {
		return index.Candidate{}, false
	}
	return list[0], true
}

func (f *finder) correlated(n *plan.Node) {
	x := Finding{Rule: NestedLoop, Title: "a subquery runs once a row (N+1 in one query)", Share: f.p.InclusiveShare(n),
		Evidence: fmt.Sprintf("%s ran %s times, %s of its own each", n.SubplanName, plan.Count(n.Loops), plan.Millis(n.ActualTotal)),
		Advice:   "Write it as a join with the subquery grouped by its key, or as LEFT JOIN LATERAL when it takes the first few rows of each."}
	for c := range n.All() {
		if !index.Scans(c) || f.done[c] {
			continue
		}
		looked, kept := f.scanned(c)
		if looked < f.o.ManyRows || kept > looked*f.o.Selective {
			continue
		}
		f.done[c] = true
		d := index.NeedOf(c, f.s)
		if i, ok := f.best(d); ok && i.Exists(d.Table) == nil {
			x.SQL = append(x.SQL, i.SQL())
			x.Evidence += fmt.Sprintf("; %s read %s rows of %s to keep %s", strings.ToLower(c.Type), plan.Count(looked), c.Relation, plan.Count(kept))
		}
	}
	f.add(n, x)
}
