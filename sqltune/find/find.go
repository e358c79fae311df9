package find

import (
	"cmp"
	"slices"

	"github.com/stampede-shop/stampede/sqltune/plan"
	"github.com/stampede-shop/stampede/sqltune/schema"
)

// Rules by which findings are made.
const (
	SeqScan       = "seq-scan"       // many rows are read, few are kept, and no index could tell them apart
	MissingIndex  = "missing-index"  // an index would find or order the rows
	UnusedIndex   = "unused-index"   // there is one, and it is not used
	DefeatedIndex = "defeated-index" // a cast or function on the column keeps its index from being used
	SortSpill     = "sort-spill"
	HashBatches   = "hash-batches"
	NestedLoop    = "nested-loop" // the inner side is large, or a subquery runs once a row
	Repeated      = "repeated-statement"
	Misestimate   = "misestimate"
	LossyBitmap   = "lossy-bitmap"
	HeapFetches   = "heap-fetches"
	JITOverhead   = "jit-overhead"
	CTEFence      = "cte-materialized"
	DeepOffset    = "offset-pagination"
	NoLimit       = "missing-limit"
	TriggerTime   = "trigger-time" // most of the time goes into triggers or checks of foreign keys
)

// Finding is something that costs time, and what to do about it.
type Finding struct {
	Rule string `json:"rule"`
	// Node is the id of the plan's node, 0 for the statement as a whole; Path is the way to it from the root.
	Node     int    `json:"node,omitempty"`
	Path     string `json:"path,omitempty"`
	Title    string `json:"title"`
	Evidence string `json:"evidence"`
	// Share is the part of the statement's time that the fix is about, 0 to 1.
	Share float64  `json:"share"`
	SQL   []string `json:"sql,omitempty"`
	// Advice is what to do where SQL alone does not do it.
	Advice string `json:"advice,omitempty"`
}

// Options are thresholds; the zero value works.
type Options struct {
	// ManyRows are rows that are worth an index. Default 10,000.
	ManyRows float64
	// Selective is the share of rows up to which a filter is one that an index would serve. Default 0.05.
	Selective float64
	// MinShare is the share of the time below which nothing is said. Default 0.05.
	MinShare float64
	// Factor is how far off an estimate is that is wrong. Default 10.
	Factor float64
	// Repeats is how often a statement runs in one request until it is a loop. Default 5.
	Repeats int
}

func (o *Options) defaults() {
	set := func(v *float64, d float64) {
		if *v == 0 {
			*v = d
		}
	}
	set(&o.ManyRows, 10_000)
	set(&o.Selective, 0.05)
	set(&o.MinShare, 0.05)
	set(&o.Factor, 10)
	o.Repeats = cmp.Or(o.Repeats, 5)
}

// Plan finds what is wrong with a plan, what costs most first. sql may be empty and s nil.
func Plan(p *plan.Plan, sql string, s *schema.Schema, o Options) []Finding {
	o.defaults()
	f := &finder{p: p, sql: cmp.Or(sql, p.Query), s: s, o: o, done: map[*plan.Node]bool{}}
	for _, rule := range []func(){f.nestedLoops, f.scans, f.topN, f.sorts, f.hashes, f.bitmaps, f.heapFetches, f.ctes, f.offsets,
		f.misestimates, f.jit, f.limits, f.triggers} {
		rule()
	}
	slices.SortStableFunc(f.found, func(a, b Finding) int { return cmp.Compare(b.Share, a.Share) })
	return f.found
}

type finder struct {
	p     *plan.Plan
	sql   string
	s     *schema.Schema
	o     Options
	done  map[*plan.Node]bool // scans that a finding speaks of already
	found []Finding
}

func (f *finder) add(n *plan.Node, x Finding) {
	if n != nil {
		x.Node, x.Path = n.ID, n.Path()
	}
	x.Share = min(1, max(0, x.Share))
	f.found = append(f.found, x)
}

// nodes calls fn for each node of a type.
func (f *finder) nodes(fn func(*plan.Node), types ...string) {
	for n := range f.p.Root.All() {
		if slices.Contains(types, n.Type) {
			fn(n)
		}
	}
}

// scanned are the rows that a scan looked at, and kept those that it gave on: measured, else estimated.
func (f *finder) scanned(n *plan.Node) (looked, kept float64) {
	if n.Analyzed {
		return n.Rows() + (n.RemovedFilter+n.RemovedCheck)*n.Loops, n.Rows()
	}
	if t := f.s.Table(n.Schema, n.Relation); t != nil && t.Rows > 0 {
		return t.Rows, n.PlanRows
	}
	return n.TotalCost / costOfRow, n.PlanRows
}

// costOfRow is what a row costs in a scan of a whole table, at the usual settings: its part of a page, itself, and a condition or two.
const costOfRow = 0.03
