package plan

import (
	"encoding/json"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// drawn makes a node of a plan whose nodes have the times in own, in the order they are printed; loops and processes as PostgreSQL
// reports them: times and rows are averages over loops, and loops count those of all processes.
func drawn(t *rapid.T, depth int, loops, procs float64, own *[]float64) (node map[string]any, clock float64) {
	self := float64(rapid.IntRange(0, 100).Draw(t, "self"))
	*own = append(*own, self)
	node = map[string]any{"Node Type": "Append", "Actual Rows": 1, "Actual Loops": loops * procs}
	clock = self
	var plans []any
	below := rapid.IntRange(0, 2).Draw(t, "children")
	if depth == 0 {
		below = 0
	}
	gather := procs == 1 && below > 0 && rapid.Bool().Draw(t, "gather")
	if gather {
		below = 1
		node["Node Type"] = "Gather"
	}
	for range below {
		l, p := loops*float64(rapid.IntRange(1, 3).Draw(t, "times")), procs
		if gather {
			l, p = loops, float64(rapid.IntRange(1, 4).Draw(t, "processes"))
		}
		child, took := drawn(t, depth-1, l, p, own)
		child["Parent Relationship"] = "Outer"
		plans = append(plans, child)
		clock += took
	}
	if rapid.Bool().Draw(t, "subplan") && depth > 0 && !gather {
		child, took := drawn(t, depth-1, loops*2, procs, own)
		child["Parent Relationship"], child["Subplan Name"] = "SubPlan", "SubPlan 1"
		plans = append(plans, child)
		clock += took
	}
	if plans != nil {
		node["Plans"] = plans
	}
	node["Actual Total Time"] = clock / loops
	return node, clock
}

// Own times come out as they went in, whatever loops, workers and subplans there are, and add up to the whole.
func TestOwnTimes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var own []float64
		root, whole := drawn(t, 4, 1, 1, &own)
		doc, err := json.Marshal([]any{map[string]any{"Plan": root}})
		if err != nil {
			t.Fatal(err)
		}
		plans, err := Parse(doc)
		if err != nil {
			t.Fatal(err)
		}
		sum, i := 0., 0
		for n := range plans[0].Root.All() {
			if whole > 0 && math.Abs(n.Self-own[i]) > 1e-6*(1+whole) {
				t.Fatalf("node %d (%s): own time %v, want %v\n%s", n.ID, n.Type, n.Self, own[i], doc)
			}
			sum += n.Self
			i++
		}
		if math.Abs(sum-whole) > 1e-6*(1+whole) && whole > 0 {
			t.Fatalf("own times add up to %v of %v", sum, whole)
		}
	})
}

// A CTE's time is counted by its readers: whoever reads it first works it out.
func TestCTEOfTwoReaders(t *testing.T) {
	t.Parallel()
	doc := `{"Plan": {"Node Type": "Hash Join", "Actual Total Time": 100, "Actual Rows": 1, "Actual Loops": 1, "Plans": [
		{"Node Type": "Aggregate", "Parent Relationship": "InitPlan", "Subplan Name": "CTE s", "Actual Total Time": 60, "Actual Rows": 1, "Actual Loops": 1},
		{"Node Type": "CTE Scan", "CTE Name": "s", "Parent Relationship": "Outer", "Actual Total Time": 70, "Actual Rows": 1, "Actual Loops": 1},
		{"Node Type": "CTE Scan", "CTE Name": "s", "Parent Relationship": "Inner", "Actual Total Time": 10, "Actual Rows": 1, "Actual Loops": 1}]}}`
	plans, err := Parse([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.
	for n := range plans[0].Root.All() {
		sum += n.Self
	}
	if r := plans[0].Root; r.Self != 20 || r.Children[0].Self != 60 || math.Abs(sum-100) > 1e-9 {
		t.Errorf("own times: join %v, CTE %v, all %v", r.Self, r.Children[0].Self, sum)
	}
}
