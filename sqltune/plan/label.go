package plan

import "strings"

var aggregates = map[string]string{"Hashed": "HashAggregate", "Sorted": "GroupAggregate", "Mixed": "MixedAggregate"}

// Label is the node as EXPLAIN's text has it: what it does and to which table.
func (n *Node) Label() string {
	var b strings.Builder
	b.WriteString(n.kind())
	if n.Index != "" && n.Type != "Bitmap Index Scan" {
		b.WriteString(" using " + n.Index)
	}
	target := n.Relation
	switch {
	case n.Type == "Bitmap Index Scan":
		target = n.Index
	case target == "" && n.CTE != "":
		target = n.CTE
	case target == "" && n.Function != "":
		target = n.Function
	}
	if target != "" {
		b.WriteString(" on " + target)
		if n.Alias != "" && n.Alias != target {
			b.WriteString(" " + n.Alias)
		}
	}
	if n.SubplanName != "" {
		b.WriteString(" (" + n.SubplanName + ")")
	}
	return b.String()
}

func (n *Node) kind() string {
	kind := n.Type
	switch {
	case kind == "Aggregate" && aggregates[n.Strategy] != "":
		kind = aggregates[n.Strategy]
	case kind == "ModifyTable" && n.Operation != "":
		kind = n.Operation
	case kind == "SetOp" && n.Strategy == "Hashed":
		kind = "HashSetOp"
	case kind == "Nested Loop", strings.HasSuffix(kind, " Join"):
		kind = joined(kind, n.JoinType)
	}
	if n.PartialMode == "Partial" || n.PartialMode == "Finalize" {
		kind = n.PartialMode + " " + kind
	}
	if n.Parallel {
		kind = "Parallel " + kind
	}
	if n.Direction == "Backward" {
		kind += " Backward"
	}
	return kind
}

// joined is a join with its type: Hash Left Join, Nested Loop Anti Join.
func joined(kind, how string) string {
	if how == "" || how == "Inner" {
		return kind
	}
	return strings.TrimSuffix(kind, " Join") + " " + how + " Join"
}
