package find

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stampede-shop/stampede/sqltune/plan"
)

// What is found in plans that were written down, without a database or schema: one file a version from 9.6 to 18.
func TestPlanFiles(t *testing.T) {
	t.Parallel()
	want := map[string][]string{
		"9.6-initplan.json": nil, "10-auto_explain.log": {MissingIndex}, "11-workers.json": nil, "12-psql.txt": {CTEFence},
		"13-incremental-sort.json": {HashBatches, SortSpill, NoLimit}, "14-memoize.json": nil, "15-jsonlog.json": nil, "16-csvlog.csv": nil,
		"17-never.json": nil, "18-unknown.json": nil,
	}
	files, err := filepath.Glob("../plan/testdata/*.*")
	if err != nil || len(files) != len(want) {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, name := range files {
		doc, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		plans, err := plan.Parse(doc)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var got []string
		for _, p := range plans {
			for _, f := range Plan(p, "", nil, Options{}) {
				got = append(got, f.Rule)
			}
		}
		expected := slices.Sorted(slices.Values(want[filepath.Base(name)]))
		if slices.Sort(got); !slices.Equal(got, expected) {
			t.Errorf("%s: %v, want %v", name, got, expected)
		}
	}
}

// Plans that were not run are judged by what the planner expects.
func TestEstimatesAlone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ doc, sql, want string }{
		{`{"Node Type": "Seq Scan", "Relation Name": "t", "Alias": "t", "Total Cost": 20000, "Plan Rows": 10, "Filter": "(a = 5)"}`, "", MissingIndex},
		{`{"Node Type": "Seq Scan", "Relation Name": "t", "Alias": "t", "Total Cost": 20, "Plan Rows": 10, "Filter": "(a = 5)"}`, "", ""},
		{`{"Node Type": "Seq Scan", "Relation Name": "t", "Alias": "t", "Total Cost": 20000, "Plan Rows": 10, "Filter": "((id)::numeric = 5.0)"}`, "", DefeatedIndex},
		{`{"Node Type": "Seq Scan", "Relation Name": "t", "Alias": "t", "Total Cost": 20000, "Plan Rows": 10, "Filter": "(a <> b)"}`, "", SeqScan},
		{`{"Node Type": "Limit", "Startup Cost": 900, "Total Cost": 901, "Plan Rows": 10, "Plans": [{"Parent Relationship": "Outer", "Node Type": "Index Scan",
			"Relation Name": "t", "Startup Cost": 0, "Total Cost": 2000, "Plan Rows": 20000}]}`, "SELECT * FROM t ORDER BY id LIMIT 10 OFFSET 9000", DeepOffset},
		{`{"Node Type": "Limit", "Startup Cost": 900, "Total Cost": 901, "Plan Rows": 10, "Plans": [{"Parent Relationship": "Outer", "Node Type": "Index Scan",
			"Relation Name": "t", "Startup Cost": 0, "Total Cost": 2000, "Plan Rows": 20000}]}`, "", DeepOffset},
		{`{"Node Type": "Seq Scan", "Relation Name": "t", "Total Cost": 2000, "Plan Rows": 50000}`, "SELECT * FROM t", NoLimit},
		{`{"Node Type": "Seq Scan", "Relation Name": "t", "Total Cost": 2000, "Plan Rows": 50000}`, "SELECT * FROM t FETCH FIRST 5 ROWS ONLY", ""},
	} {
		plans, err := plan.Parse([]byte(c.doc))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range Plan(plans[0], c.sql, nil, Options{}) {
			got = append(got, f.Rule)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s\n%s: %v, want %s", c.doc, c.sql, got, c.want)
		}
	}
}
