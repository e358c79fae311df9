package plan

import (
	"iter"
	"strings"
)

// Plan is one statement's plan.
type Plan struct {
	Root *Node `json:"root"`
	// Query is the statement, where the document has it (auto_explain).
	Query string `json:"query,omitempty"`
	// Planning and Execution are in milliseconds, 0 when not measured.
	Planning  float64   `json:"planning_ms,omitempty"`
	Execution float64   `json:"execution_ms,omitempty"`
	Triggers  []Trigger `json:"triggers,omitempty"`
	JIT       *JIT      `json:"jit,omitempty"`
	// Settings are those that differ from PostgreSQL's own.
	Settings map[string]string `json:"settings,omitempty"`
	// Analyzed plans were run; Timed ones have times, too (not so with TIMING OFF).
	Analyzed bool `json:"analyzed"`
	Timed    bool `json:"timed"`
	// Total is what shares are parts of: milliseconds when Timed, else units of cost.
	Total float64 `json:"total"`
	// Extra holds the fields of the document that are not known here.
	Extra map[string]any `json:"-"`
}

// Trigger is a trigger, or a check of a foreign key, that the statement fired.
type Trigger struct {
	Name     string  `json:"name"`
	Relation string  `json:"relation"`
	Time     float64 `json:"ms"`
	Calls    float64 `json:"calls"`
}

// JIT says what compiling the statement's expressions took, in milliseconds.
type JIT struct {
	Functions float64 `json:"functions"`
	Total     float64 `json:"ms"`
}

// Node is a step of a plan. Rows, times and RowsRemoved are averages a loop, as PostgreSQL has them; buffers are totals.
type Node struct {
	ID           int    `json:"id"` // 1 is the root, then in the order they are printed
	Type         string `json:"type"`
	Relationship string `json:"-"` // Outer, Inner, InitPlan, SubPlan, Member …
	SubplanName  string `json:"subplan,omitempty"`
	Strategy     string `json:"-"`
	PartialMode  string `json:"-"`
	JoinType     string `json:"-"`
	Operation    string `json:"-"`
	Schema       string `json:"schema,omitempty"`
	Relation     string `json:"relation,omitempty"`
	Alias        string `json:"alias,omitempty"`
	Index        string `json:"index,omitempty"`
	CTE          string `json:"cte,omitempty"`
	Function     string `json:"-"`
	Direction    string `json:"-"`
	Parallel     bool   `json:"-"`

	StartupCost float64 `json:"-"`
	TotalCost   float64 `json:"cost"`
	PlanRows    float64 `json:"rows_estimated"`
	PlanWidth   float64 `json:"-"`

	Analyzed    bool    `json:"-"`
	ActualStart float64 `json:"-"`
	ActualTotal float64 `json:"-"`
	ActualRows  float64 `json:"rows"`
	Loops       float64 `json:"loops"`

	Filter        string   `json:"filter,omitempty"`
	IndexCond     string   `json:"index_cond,omitempty"`
	RecheckCond   string   `json:"-"`
	JoinFilter    string   `json:"join_filter,omitempty"`
	HashCond      string   `json:"hash_cond,omitempty"`
	MergeCond     string   `json:"merge_cond,omitempty"`
	OrderBy       string   `json:"-"`
	SortKey       []string `json:"sort_key,omitempty"`
	PresortedKey  []string `json:"-"`
	GroupKey      []string `json:"-"`
	Output        []string `json:"-"`
	ParamsUsed    []string `json:"-"`
	RemovedFilter float64  `json:"rows_removed,omitempty"`
	RemovedJoin   float64  `json:"-"`
	RemovedCheck  float64  `json:"-"`

	SortMethod   string  `json:"-"`
	SortDisk     float64 `json:"-"` // kB on disk, of all processes and groups together
	SortMemory   float64 `json:"-"` // kB
	HashBatches  float64 `json:"-"`
	HashOriginal float64 `json:"-"` // batches that were planned
	PeakMemory   float64 `json:"-"` // kB
	DiskUsage    float64 `json:"-"` // kB
	ExactBlocks  float64 `json:"-"`
	LossyBlocks  float64 `json:"-"`
	HeapFetches  float64 `json:"-"`
	Planned      float64 `json:"-"` // workers
	Launched     float64 `json:"-"`

	SharedHit    float64 `json:"-"` // blocks
	SharedRead   float64 `json:"-"`
	TempRead     float64 `json:"-"`
	TempWritten  float64 `json:"-"`
	IOReadTime   float64 `json:"-"` // ms
	TempReadTime float64 `json:"-"`
	TempWrite    float64 `json:"-"`

	Workers  []Worker       `json:"-"`
	Children []*Node        `json:"children,omitempty"`
	Parent   *Node          `json:"-"`
	Extra    map[string]any `json:"-"`

	// Total is the time of the node and all below it on the clock, Self that of the node alone, Share the part of the plan's whole that
	// Self is. In units of cost where the plan has no times.
	Total float64 `json:"total"`
	Self  float64 `json:"self"`
	Share float64 `json:"share"`
}

// Worker is what one parallel worker did at a node.
type Worker struct {
	Total, Rows, Loops float64
}

// Rows are those that the node gave back in all its loops.
func (n *Node) Rows() float64 { return n.ActualRows * n.Loops }

// Removed are the rows that its filters threw away in all its loops.
func (n *Node) Removed() float64 { return (n.RemovedFilter + n.RemovedJoin + n.RemovedCheck) * n.Loops }

// Never tells whether the plan was run, but not this part of it.
func (n *Node) Never() bool { return n.Analyzed && n.Loops == 0 }

// InclusiveShare is the part of the plan's whole that the node and all below it took.
func (p *Plan) InclusiveShare(n *Node) float64 {
	if p.Total <= 0 {
		return 0
	}
	return min(1, n.Total/p.Total)
}

// All yields the node and all below it, in the order they are printed.
func (n *Node) All() iter.Seq[*Node] {
	return func(yield func(*Node) bool) { n.visit(yield) }
}

func (n *Node) visit(yield func(*Node) bool) bool {
	if n == nil {
		return true
	}
	if !yield(n) {
		return false
	}
	for _, c := range n.Children {
		if !c.visit(yield) {
			return false
		}
	}
	return true
}

// Child is the first child of a relationship, nil without one.
func (n *Node) Child(relationship string) *Node {
	for _, c := range n.Children {
		if c.Relationship == relationship {
			return c
		}
	}
	return nil
}

// Path names the way from the root to the node.
func (n *Node) Path() string {
	var steps []string
	for ; n != nil; n = n.Parent {
		steps = append(steps, n.Label())
	}
	var b strings.Builder
	for i := len(steps) - 1; i >= 0; i-- {
		b.WriteString(steps[i])
		if i > 0 {
			b.WriteString(" > ")
		}
	}
	return b.String()
}

// Below tells whether one of the nodes above n passes the test.
func (n *Node) Below(test func(*Node) bool) bool {
	for p := n.Parent; p != nil; p = p.Parent {
		if test(p) {
			return true
		}
	}
	return false
}
