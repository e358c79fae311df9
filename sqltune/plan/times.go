package plan

import "strings"

// judge works out totals, selves and shares.
func (p *Plan) judge() {
	for n := range p.Root.All() {
		p.Analyzed = p.Analyzed || n.Analyzed
		p.Timed = p.Timed || n.ActualTotal > 0
	}
	if p.Timed {
		clock(p.Root, 1)
	} else {
		costs(p.Root, 1)
	}
	late := deduct(p.Root)
	whole := p.Root.Total + late
	p.Total = whole
	if p.Timed {
		p.Total = max(whole, p.Execution)
	}
	if p.Total <= 0 {
		return
	}
	for n := range p.Root.All() {
		n.Share = min(1, n.Self/p.Total)
	}
}

// clock sets the time by the clock that a node and all below it took; procs is how many processes ran it at the same time.
func clock(n *Node, procs float64) {
	n.Total = n.ActualTotal * n.Loops / procs
	if procs > 1 {
		n.Total = max(n.Total, n.slowest())
	}
	for _, c := range n.Children {
		p := procs
		if gathers(n) && !isSubplan(c) && n.Loops > 0 {
			p *= max(1, c.Loops/n.Loops)
		}
		clock(c, p)
	}
}

func gathers(n *Node) bool { return n.Type == "Gather" || n.Type == "Gather Merge" }

func isSubplan(n *Node) bool { return n.Relationship == "InitPlan" || n.Relationship == "SubPlan" }

// slowest is the time of the process that took longest: as long as the others have to wait. 0 when the plan does not tell them apart.
func (n *Node) slowest() float64 {
	most, others, loops := 0., 0., 0.
	for _, w := range n.Workers {
		t := w.Total * w.Loops
		most, others, loops = max(most, t), others+t, loops+w.Loops
	}
	if loops == 0 {
		return 0
	}
	if n.Loops > loops { // the leader took part
		most = max(most, n.ActualTotal*n.Loops-others)
	}
	return most
}

// costs does the same by estimates; reps is how often the node is thought to be run.
func costs(n *Node, reps float64) {
	n.Total = n.TotalCost * reps
	outer := n.Child("Outer")
	for _, c := range n.Children {
		r := reps
		switch {
		case c.Relationship == "Inner" && n.Type == "Nested Loop" && outer != nil && c.Type != "Materialize" && c.Type != "Memoize":
			r *= max(1, outer.PlanRows)
		case n.Type == "Limit" && c.Relationship == "Outer" && c.TotalCost > n.TotalCost:
			r *= n.TotalCost / c.TotalCost
		case c.Relationship == "SubPlan" && !strings.HasPrefix(c.SubplanName, "CTE"):
			r *= max(1, n.PlanRows)
		}
		costs(c, min(r, 1e12))
	}
}

// deduct takes from each node what others did in its time, and returns the time of CTEs that nobody reads: they are run at the end.
func deduct(root *Node) (late float64) {
	for n := range root.All() {
		n.Self = n.Total
	}
	for n := range root.All() {
		for _, c := range n.Children {
			if name, ok := strings.CutPrefix(c.SubplanName, "CTE "); ok && isSubplan(c) {
				if !deductCTE(n, c, name) {
					late += c.Total
				}
				continue
			}
			from := n
			if c.Relationship == "InitPlan" {
				from = firstReader(n, c)
			}
			from.Self -= c.Total
		}
	}
	for n := range root.All() {
		n.Self = max(0, n.Self)
	}
	return late
}

// deductCTE takes the time of a CTE from the scans that read it, each its part; false when there are none.
func deductCTE(owner, cte *Node, name string) bool {
	var scans []*Node
	sum := 0.
	for n := range owner.All() {
		if n.Type == "CTE Scan" && n.CTE == name {
			scans = append(scans, n)
			sum += n.Total
		}
	}
	for _, s := range scans {
		if sum > 0 {
			s.Self -= cte.Total * s.Total / sum
		}
	}
	return sum > 0
}

// firstReader is the node that asks an init plan for its result, in whose time it therefore ran: one below its owner that names it.
func firstReader(owner, init *Node) *Node {
	for _, ref := range references(init.SubplanName) {
		for n := range owner.All() {
			if within(n, init) {
				continue
			}
			if n.names(ref) {
				return n
			}
		}
	}
	return owner
}

// references are how expressions name an init plan: "InitPlan 1 (returns $0)" is $0, since version 17 "InitPlan 1" is (InitPlan 1).
func references(name string) []string {
	if _, returns, ok := strings.Cut(name, "(returns "); ok {
		return strings.Split(strings.TrimSuffix(returns, ")"), ",")
	}
	return []string{"(" + name + ")"}
}

func within(n, top *Node) bool {
	for ; n != nil; n = n.Parent {
		if n == top {
			return true
		}
	}
	return false
}

// names tells whether an expression of the node holds the reference.
func (n *Node) names(ref string) bool {
	for _, s := range [...]string{n.Filter, n.IndexCond, n.RecheckCond, n.JoinFilter, n.HashCond, n.MergeCond, n.OrderBy} {
		if mentions(s, ref) {
			return true
		}
	}
	for _, list := range [...][]string{n.ParamsUsed, n.Output} {
		for _, s := range list {
			if mentions(s, ref) {
				return true
			}
		}
	}
	for _, k := range [...]string{"One-Time Filter", "TID Cond", "Function Call"} {
		if s, ok := n.Extra[k].(string); ok && mentions(s, ref) {
			return true
		}
	}
	return false
}

// mentions finds ref in s where no digit goes on: $1 is not in $10.
func mentions(s, ref string) bool {
	ref = strings.TrimSpace(ref)
	for i := 0; ref != ""; {
		at := strings.Index(s[i:], ref)
		if at < 0 {
			return false
		}
		i += at + len(ref)
		if i == len(s) || s[i] < '0' || s[i] > '9' {
			return true
		}
	}
	return false
}
