package index

import (
	"strings"

	"github.com/stampede-shop/stampede/sqltune/plan"
	"github.com/stampede-shop/stampede/sqltune/sqltext"
)

// joins looks for the join above the scan that compares its columns with those of other tables.
func (d *Need) joins() {
	child := d.Node
	for n := d.Node.Parent; n != nil; child, n = n, n.Parent {
		switch n.Type {
		case "Hash", "Materialize", "Memoize", "Sort", "Gather", "Gather Merge":
			continue
		case "Nested Loop", "Hash Join", "Merge Join":
			for _, cond := range []string{n.JoinFilter, n.HashCond, n.MergeCond} {
				for _, c := range sqltext.ParseExpr(cond).Conjuncts() {
					d.join(c)
				}
			}
			if len(d.Joins) > 0 || child.Relationship == "Inner" {
				return
			}
			continue
		}
		return
	}
}

func (d *Need) join(c *sqltext.Expr) {
	if c.Op != sqltext.Binary || c.Name != "=" {
		return
	}
	for k, side := range c.Args {
		own, foreign := d.sides(side)
		_, others := d.sides(c.Args[1-k])
		if own && !foreign && others && side.Columns()[0].Table != "" {
			t := d.term(side)
			t.Op, t.Value, t.Expr = "=", c.Args[1-k].Text, c
			d.Joins = appendTerm(d.Joins, t)
		}
	}
}

// order looks for a sort of which only the first rows are wanted, by columns of this table alone.
func (d *Need) order() {
	child := d.Node
	var sort *plan.Node
	for n := d.Node.Parent; n != nil; child, n = n, n.Parent {
		switch n.Type {
		case "Sort", "Incremental Sort":
			if sort == nil {
				sort = n
			}
		case "Gather", "Gather Merge", "Subquery Scan", "Result", "LockRows":
		case "Nested Loop":
			if child.Relationship != "Outer" {
				return
			}
		case "Limit":
			if sort != nil {
				d.sortedBy(sort)
			} else {
				d.walked()
			}
			return
		default:
			return
		}
	}
}

// walked takes an index that is read from one end, with no condition on it, for the order that is asked for: its first key, at least.
func (d *Need) walked() {
	if d.Table == nil || d.Node.Index == "" || d.Node.IndexCond != "" || d.Node.Filter == "" {
		return
	}
	for _, i := range d.Table.Indexes {
		if i.Name == d.Node.Index && i.Method == "btree" {
			down := len(i.Desc) > 0 && i.Desc[0]
			d.Order = []OrderKey{{Text: i.Keys[0], Desc: down != (d.Node.Direction == "Backward")}}
		}
	}
}

func (d *Need) sortedBy(n *plan.Node) {
	var keys []OrderKey
	for _, k := range n.SortKey {
		key, ok := d.orderKey(k)
		if !ok {
			return
		}
		keys = append(keys, key)
	}
	d.Order = keys
}

// orderKey reads a sort key: an expression, DESC, NULLS FIRST or LAST.
func (d *Need) orderKey(s string) (k OrderKey, ok bool) {
	nulls := ""
	for _, n := range []string{" NULLS FIRST", " NULLS LAST"} {
		if rest, cut := strings.CutSuffix(s, n); cut {
			s, nulls = rest, n
		}
	}
	if rest, cut := strings.CutSuffix(s, " DESC"); cut {
		s, k.Desc = rest, true
	}
	if strings.Contains(s, " USING ") {
		return k, false
	}
	if usual := map[bool]string{true: " NULLS FIRST", false: " NULLS LAST"}[k.Desc]; nulls != usual {
		k.Suffix = nulls
	}
	e := sqltext.ParseExpr(s)
	if e == nil || e.Op == sqltext.OpaqueExpr {
		return k, false
	}
	if own, foreign := d.sides(e); !own || foreign {
		return k, false
	}
	k.Text = d.term(e).Text
	return k, true
}
