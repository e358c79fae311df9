package find

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stampede-shop/stampede/sqltune/plan"
)

// judgedByHand is what the rules say of plans that they were not made with, by file; files without a line have no finding. The rules
// were not changed after these plans had been seen. Each was looked at: these findings are right. Missed are an index in the order of
// the sort (distinct-on, window) and that all rows of a foreign table are fetched to be joined here (v12-foreign).
var judgedByHand = map[string][]string{
	"anti":             {MissingIndex, MissingIndex}, // one for each partition
	"cte":              {CTEFence},
	"gather-merge":     {NoLimit},
	"jit":              {JITOverhead},
	"merge-join":       {SortSpill, NoLimit},
	"spill":            {SortSpill},
	"v9.6-nested-loop": {Misestimate, NestedLoop},
	"v12-foreign":      {MissingIndex},
	"v17-window-jit":   {JITOverhead},
}

// Plans with the rarer nodes, made by PostgreSQL 15 or in the shape of other versions, as text.
func TestShapes(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/shapes/*.txt")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d plans, %v", len(files), err)
	}
	for _, file := range files {
		doc, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		plans, err := plan.Parse(doc)
		if err != nil || len(plans) != 1 || plans[0].Query == "" || plans[0].Execution <= 0 {
			t.Errorf("%s: %d plans, %v", file, len(plans), err)
			continue
		}
		name := filepath.Base(file[:len(file)-len(".txt")])
		var got []string
		for _, f := range Plan(plans[0], "", nil, Options{}) {
			got = append(got, f.Rule)
		}
		want := slices.Clone(judgedByHand[name])
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: found %v, by hand %v", name, got, want)
		}
	}
}
