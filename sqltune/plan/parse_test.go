package plan

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func load(t *testing.T, name string) []*Plan {
	t.Helper()
	doc, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	plans, err := Parse(doc)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return plans
}

// Plans of each version, in each form that people have them in, and the own time of each node in milliseconds.
func TestVersions(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]float64{
		"9.6-initplan.json":        {5, 5, 15, 35},
		"11-workers.json":          {10, 300},
		"12-psql.txt":              {30, 60},
		"13-incremental-sort.json": {30, 40, 10},
		"14-memoize.json":          {3, 2, 3, 12},
		"15-jsonlog.json":          {5, 25},
		"16-csvlog.csv":            {5, 25},
		"17-never.json":            {2, 7, 21, 0},
		"18-unknown.json":          {6, 6},
	} {
		plans := load(t, name)
		if len(plans) != 1 {
			t.Errorf("%s: %d plans", name, len(plans))
			continue
		}
		var got []float64
		sum := 0.
		for n := range plans[0].Root.All() {
			got, sum = append(got, n.Self), sum+n.Share
		}
		if len(got) != len(want) || sum > 1.0001 {
			t.Errorf("%s: own times %v, want %v; shares add up to %v", name, got, want, sum)
			continue
		}
		for i := range want {
			if math.Abs(got[i]-want[i]) > 1e-6 {
				t.Errorf("%s: own times %v, want %v", name, got, want)
				break
			}
		}
	}
}

func TestLogOfAutoExplain(t *testing.T) {
	t.Parallel()
	plans := load(t, "10-auto_explain.log")
	if len(plans) != 2 {
		t.Fatalf("%d plans", len(plans))
	}
	p := plans[0]
	if !strings.HasPrefix(p.Query, "SELECT * FROM carts") || p.Execution != 412.5 || p.Root.Self != 10 || p.Root.Children[0].Self != 400 {
		t.Errorf("query %q took %v, own times %v and %v", p.Query, p.Execution, p.Root.Self, p.Root.Children[0].Self)
	}
	if q := plans[1]; q.Timed || q.Analyzed || q.Total != 0.01 {
		t.Errorf("a plan that was not run: %+v", q)
	}
}

func TestFields(t *testing.T) {
	t.Parallel()
	p := load(t, "12-psql.txt")[0]
	if p.Settings["work_mem"] != "64kB" || p.JIT.Total != 5 || len(p.Triggers) != 1 || p.Triggers[0].Name != "t_fk" {
		t.Errorf("%+v %+v", p, p.JIT)
	}
	sort := load(t, "13-incremental-sort.json")[0].Root
	if agg := sort.Children[0]; sort.SortDisk != 1000 || agg.HashBatches != 5 || agg.DiskUsage != 2000 || agg.Label() != "HashAggregate" {
		t.Errorf("%+v %+v", sort, agg)
	}
	never := load(t, "17-never.json")[0]
	if last := never.Root.Children[2]; !last.Never() || math.Abs(never.JIT.Total-5) > 1e-9 || never.Root.Children[1].Label() != "Index Scan Backward using p1_idx on p1 p_1" {
		t.Errorf("%v %+v %q", last.Never(), never.JIT, never.Root.Children[1].Label())
	}
	odd := load(t, "18-unknown.json")[0].Root
	if odd.Type != "Quantum Join" || odd.Extra["Entangled"] == nil || odd.Children[0].StartupCost != 0.5 || odd.Children[0].Rows() != 5 {
		t.Errorf("%+v", odd)
	}
}

func TestNoPlan(t *testing.T) {
	t.Parallel()
	for doc, want := range map[string]error{
		"": ErrNoPlan, "hello": ErrNoPlan, "[]": ErrNoPlan, "{}": ErrNoPlan, `{"Plan": 5}`: ErrNoPlan, `[{"Plan": {"Node Type"`: ErrNoPlan,
		"Seq Scan on t": ErrNoPlan, // with COSTS OFF there is nothing to tell
	} {
		if _, err := Parse([]byte(doc)); !errors.Is(err, want) {
			t.Errorf("%q: %v", doc, err)
		}
	}
}

// Whatever the document, reading it neither fails badly nor makes figures that are none.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.*")
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, name := range files {
		doc, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(doc)
	}
	f.Add([]byte("Query Text: SELECT 1\n Hash Join  (cost=1.00..2.00 rows=1 width=4) (actual time=0.1..0.2 rows=1 loops=2)\n   Hash Cond: (a = b)\n   InitPlan 1 (returns $0)\n" +
		"     ->  Result  (never executed)\n   ->  Seq Scan on x.y z  (actual rows=3 loops=1)\n         Worker 0:  actual time=1.0..2.0 rows=3 loops=1\n" +
		"   ->  Hash  (cost=0.00..1.00 rows=1 width=4)\n         Buckets: 1024 (originally 8)  Batches: 2  Memory Usage: 8kB\n Planning Time: 1 ms\n JIT:\n   Functions: 3\n"))
	f.Add([]byte(`{"Node Type": "Gather", "Actual Loops": 0, "Actual Total Time": 1e308, "Plans": [{"Actual Loops": "NaN", "Plans": {"Total Cost": -1}}]}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		plans, _ := Parse(doc)
		for _, p := range plans {
			for n := range p.Root.All() {
				for _, x := range []float64{n.Self, n.Share, n.Total} {
					if math.IsNaN(x) || math.IsInf(x, 0) || x < 0 {
						t.Fatalf("node %d: %v", n.ID, x)
					}
				}
				if n.Share > 1 {
					t.Fatalf("node %d: a share of %v", n.ID, n.Share)
				}
				_ = n.Path()
			}
			if err := p.WriteTree(&strings.Builder{}, nil); err != nil {
				t.Fatal(err)
			}
		}
	})
}
