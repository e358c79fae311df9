package find

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/stampede-shop/stampede/sqltune/plan"
	"github.com/stampede-shop/stampede/sqltune/sqltext"
)

// ctes finds CTEs that are worked out as a whole although their readers want little of them.
func (f *finder) ctes() {
	for owner := range f.p.Root.All() {
		for _, c := range owner.Children {
			name, ok := strings.CutPrefix(c.SubplanName, "CTE ")
			if ok && c.Type != "ModifyTable" && c.Type != "Recursive Union" {
				f.cte(owner, c, name)
			}
		}
	}
}

func (f *finder) cte(owner, c *plan.Node, name string) {
	made, share := rowsOf(c), f.p.InclusiveShare(c)
	if made < f.o.ManyRows || share < f.o.MinShare {
		return
	}
	readers, kept := 0, 0.
	for n := range owner.All() {
		if n.Type == "CTE Scan" && n.CTE == name {
			if n.Filter == "" {
				return // somebody wants all of it
			}
			readers++
			kept += rowsOf(n)
		}
	}
	if readers == 0 || kept > made*2*f.o.Selective {
		return
	}
	f.add(c, Finding{Rule: CTEFence, Title: "CTE " + name + " is worked out as a whole", Share: share,
		Evidence: fmt.Sprintf("%s rows made, %s wanted by %d readers", plan.Count(made), plan.Count(kept), readers),
		Advice: fmt.Sprintf("Write WITH %s AS NOT MATERIALIZED (…) (version 12 and later), or put the subquery in its place: then conditions reach the tables "+
			"and their indexes.", name)})
}

func rowsOf(n *plan.Node) float64 {
	if n.Analyzed {
		return n.Rows()
	}
	return n.PlanRows
}

const deepOffset = 1000

// offsets finds pages that are reached by reading all pages before.
func (f *finder) offsets() {
	f.nodes(func(n *plan.Node) {
		c := n.Child("Outer")
		if c == nil {
			return
		}
		skipped, given := f.skipped(n, c)
		if skipped < deepOffset || skipped < given {
			return
		}
		share := f.p.InclusiveShare(c) * skipped / (skipped + given)
		if share < f.o.MinShare {
			return
		}
		f.add(n, Finding{Rule: DeepOffset, Title: "rows are read only to be skipped (OFFSET)", Share: share,
			Evidence: fmt.Sprintf("%s rows read and skipped for %s", plan.Count(skipped), plan.Count(given)),
			Advice: fmt.Sprintf("Page by key: remember the last row shown and ask WHERE (%[1]s) > (its values) ORDER BY %[1]s LIMIT n, with an index on these "+
				"columns. The last one must be unique.", f.pageKey(c))})
	}, "Limit")
}

// skipped are the rows that a Limit took and did not give on. It takes no more than it needs, so that is its OFFSET.
func (f *finder) skipped(n, c *plan.Node) (skipped, given float64) {
	if n.Analyzed {
		return max(0, c.Rows()-n.Rows()), n.Rows()
	}
	if text, ok := sqltext.Offset(f.sql); ok {
		if rows, err := strconv.ParseFloat(text, 64); err == nil {
			return rows, n.PlanRows
		}
	}
	if per := (c.TotalCost - c.StartupCost) / max(1, c.PlanRows); per > 0 && f.sql == "" {
		return max(0, (n.StartupCost-c.StartupCost)/per), n.PlanRows
	}
	return 0, n.PlanRows
}

// pageKey is what rows are sorted by.
func (f *finder) pageKey(n *plan.Node) string {
	for c := range n.All() {
		if len(c.SortKey) > 0 {
			return strings.Join(c.SortKey, ", ")
		}
		if len(c.Children) > 1 {
			break
		}
	}
	return "columns of ORDER BY"
}

const roomyLimit = 1000

// limits finds results without a bound.
func (f *finder) limits() {
	root := f.p.Root
	rows := rowsOf(root)
	if rows < f.o.ManyRows || root.Type == "ModifyTable" || root.Type == "Limit" {
		return
	}
	if f.sql != "" && (sqltext.KindOf(f.sql) != sqltext.Read || sqltext.Limited(f.sql)) {
		return
	}
	start, total := root.StartupCost, root.TotalCost
	if f.p.Timed {
		start, total = root.ActualStart, root.ActualTotal
	}
	share := 0.
	if f.p.Total > 0 {
		share = (1 - roomyLimit/rows) * (total - start) / f.p.Total
	}
	f.add(root, Finding{Rule: NoLimit, Title: "all rows are returned", Share: share,
		Evidence: plan.Count(rows) + " rows, and no LIMIT",
		Advice:   "If somebody reads them page by page, add LIMIT and page by key. A program that needs them all had better read them through a cursor or COPY."})
}
