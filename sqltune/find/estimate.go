package find

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stampede-shop/stampede/sqltune/index"
	"github.com/stampede-shop/stampede/sqltune/plan"
	"github.com/stampede-shop/stampede/sqltune/schema"
)

// misestimates finds where the planner first goes wrong about how many rows there are, when something above depends on it.
func (f *finder) misestimates() {
	if f.p.Analyzed {
		f.misestimate(f.p.Root, true)
	}
}

// misestimate looks at a node after all below it; true when something was found. ran tells whether the node was read to its end.
func (f *finder) misestimate(n *plan.Node, ran bool) (found bool) {
	for _, c := range n.Children {
		through := ran && n.Type != "Limit" && n.Type != "Merge Join" && !stops(n, c)
		found = f.misestimate(c, through) || found
	}
	if found || !estimated(n) || n.Never() || !n.Below(depends) || !f.wrong(n, ran) || f.atStake(n) < f.o.MinShare {
		return found
	}
	x := Finding{Rule: Misestimate, Share: f.atStake(n), Title: "the planner is wrong about " + n.Label(),
		Evidence: fmt.Sprintf("%s rows expected, %s found%s", plan.Count(n.PlanRows), plan.Count(n.ActualRows), each(n))}
	f.statistics(n, &x)
	f.add(n, x)
	return true
}

// atStake is the share of what was decided by the estimate: a nested loop whose outer side it is, else the node itself.
func (f *finder) atStake(n *plan.Node) float64 {
	for c := n; c.Parent != nil; c = c.Parent {
		if c.Parent.Type == "Nested Loop" && c.Relationship == "Outer" {
			return f.p.InclusiveShare(c.Parent)
		}
	}
	return f.p.InclusiveShare(n)
}

func each(n *plan.Node) string {
	if n.Loops > 1 {
		return " a loop"
	}
	return ""
}

// stops tells whether a join may leave its child before the end: semi and anti joins stop at the first match.
func stops(n, c *plan.Node) bool {
	return c.Relationship == "Inner" && (n.JoinType == "Semi" || n.JoinType == "Anti")
}

// estimated are nodes whose number of rows follows from statistics.
func estimated(n *plan.Node) bool {
	return index.Scans(n) || n.Type == "Nested Loop" || n.Type == "Hash Join" || n.Type == "Merge Join"
}

// depends are nodes that are chosen by how many rows come from below.
func depends(n *plan.Node) bool {
	return slices.Contains([]string{"Nested Loop", "Hash Join", "Merge Join", "Sort", "Incremental Sort"}, n.Type) ||
		n.Type == "Aggregate" && n.Strategy != "Plain"
}

func (f *finder) wrong(n *plan.Node, ran bool) bool {
	expected, actual := max(n.PlanRows, 1), max(n.ActualRows, 1)
	if max(expected, actual)*n.Loops < f.o.ManyRows/20 {
		return false
	}
	return actual >= expected*f.o.Factor || ran && expected >= actual*f.o.Factor
}

// statistics says what would tell the planner more.
func (f *finder) statistics(n *plan.Node, x *Finding) {
	if !index.Scans(n) {
		x.Advice = "The tables were estimated well, the join was not: look at whether the joined columns depend on filters of the other table; " +
			"ANALYZE both, and raise the statistics target of the joined columns."
		return
	}
	d := index.NeedOf(n, f.s)
	table := schema.Quote(n.Relation)
	if d.Table != nil {
		table = d.Table.FullName()
	}
	var cols []string
	for _, list := range [][]index.Term{d.Equal, d.Range} {
		for _, t := range list {
			if t.Plain && !slices.Contains(cols, t.Text) {
				cols = append(cols, t.Text)
			}
		}
	}
	switch {
	case d.Table != nil && !d.Table.Analyzed:
		x.Advice = "The table was never analysed."
	case len(cols) > 1:
		x.SQL = append(x.SQL, fmt.Sprintf("CREATE STATISTICS (dependencies, ndistinct, mcv) ON %s FROM %s;", strings.Join(cols, ", "), table))
		x.SQL[0] = strings.Replace(x.SQL[0], "CREATE STATISTICS ", "CREATE STATISTICS "+schema.Quote(n.Relation+"_"+plainName(cols))+" ", 1)
		x.Advice = "Columns that depend on each other are taken for independent until extended statistics say otherwise."
	case len(cols) == 1:
		x.SQL = append(x.SQL, fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s SET STATISTICS 1000;", table, cols[0]))
		x.Advice = "If ANALYZE alone does not help, more detailed statistics of the column may."
	default:
		x.Advice = "Expressions are guessed at: extended statistics on the expression (version 14 and later) or an index on it tell the planner more."
	}
	x.SQL = append(x.SQL, "ANALYZE "+table+";")
}

func plainName(cols []string) string {
	return strings.ReplaceAll(strings.Join(cols[:min(len(cols), 3)], "_"), `"`, "")
}
