package plan

// build makes a plan of a document's object: one with "Plan", or a bare node.
func build(m map[string]any) (*Plan, bool) {
	f := read(m)
	root := f.object("Plan")
	if root == nil {
		if !f.has("Node Type") {
			return nil, false
		}
		f, root = read(nil), m
	}
	p := &Plan{Query: f.str("Query Text"), Planning: f.num("Planning Time"), Execution: f.num("Execution Time"), JIT: jit(f.object("JIT"))}
	if p.Execution == 0 {
		p.Execution = f.num("Total Runtime")
	}
	for _, t := range f.objects("Triggers") {
		tf := read(t)
		name := tf.str("Trigger Name")
		if c := tf.str("Constraint Name"); c != "" {
			name = c
		}
		p.Triggers = append(p.Triggers, Trigger{Name: name, Relation: tf.str("Relation"), Time: tf.num("Time"), Calls: tf.num("Calls")})
	}
	if set := f.object("Settings"); len(set) > 0 {
		p.Settings = map[string]string{}
		for k, v := range set {
			p.Settings[k] = asString(v)
		}
	}
	p.Extra = f.rest()
	id := 0
	p.Root = node(root, nil, &id)
	p.judge()
	return p, true
}

// jit reads the times of compilation: their sum is named Total, or is made of the parts. Since version 17 a part may be an object.
func jit(m map[string]any) *JIT {
	if m == nil {
		return nil
	}
	f := read(m)
	j := &JIT{Functions: f.num("Functions")}
	t := read(f.object("Timing"))
	if j.Total = t.num("Total"); j.Total == 0 {
		for _, part := range []string{"Generation", "Inlining", "Optimization", "Emission"} {
			if o := t.object(part); o != nil {
				j.Total += number(o["Total"])
			} else {
				j.Total += t.num(part)
			}
		}
	}
	return j
}

func node(m map[string]any, parent *Node, id *int) *Node {
	*id++
	f := read(m)
	n := &Node{ID: *id, Parent: parent, Type: f.str("Node Type")}
	if n.Type == "" {
		n.Type = "Unknown"
	}
	n.identify(f)
	n.measure(f)
	n.conditions(f)
	n.resources(f)
	for _, w := range f.objects("Workers") {
		n.worker(read(w))
	}
	for _, c := range f.objects("Plans") {
		n.Children = append(n.Children, node(c, n, id))
	}
	n.Extra = f.rest()
	return n
}

func (n *Node) identify(f fields) {
	n.Relationship, n.SubplanName = f.str("Parent Relationship"), f.str("Subplan Name")
	n.Strategy, n.PartialMode, n.JoinType, n.Operation = f.str("Strategy"), f.str("Partial Mode"), f.str("Join Type"), f.str("Operation")
	n.Schema, n.Relation, n.Alias, n.Index = f.str("Schema"), f.str("Relation Name"), f.str("Alias"), f.str("Index Name")
	n.CTE, n.Function, n.Direction, n.Parallel = f.str("CTE Name"), f.str("Function Name"), f.str("Scan Direction"), f.boolean("Parallel Aware")
}

func (n *Node) measure(f fields) {
	n.StartupCost, n.TotalCost, n.PlanRows, n.PlanWidth = f.num("Startup Cost"), f.num("Total Cost"), f.num("Plan Rows"), f.num("Plan Width")
	n.Analyzed = f.has("Actual Loops") || f.has("Actual Rows")
	n.ActualStart, n.ActualTotal = f.num("Actual Startup Time"), f.num("Actual Total Time")
	n.ActualRows, n.Loops = f.num("Actual Rows"), f.num("Actual Loops")
	n.Planned, n.Launched = f.num("Workers Planned"), f.num("Workers Launched")
}

func (n *Node) conditions(f fields) {
	n.Filter, n.IndexCond, n.RecheckCond = f.str("Filter"), f.str("Index Cond"), f.str("Recheck Cond")
	n.JoinFilter, n.HashCond, n.MergeCond, n.OrderBy = f.str("Join Filter"), f.str("Hash Cond"), f.str("Merge Cond"), f.str("Order By")
	n.SortKey, n.PresortedKey, n.GroupKey, n.Output = f.list("Sort Key"), f.list("Presorted Key"), f.list("Group Key"), f.list("Output")
	n.ParamsUsed = f.list("Params Evaluated")
	n.RemovedFilter, n.RemovedJoin, n.RemovedCheck = f.num("Rows Removed by Filter"), f.num("Rows Removed by Join Filter"), f.num("Rows Removed by Index Recheck")
}

func (n *Node) resources(f fields) {
	n.sorted(f)
	for _, groups := range []string{"Full-sort Groups", "Pre-sorted Groups"} {
		g := read(f.object(groups))
		n.SortDisk += number(g.object("Sort Space Disk")["Peak Sort Space Used"])
		n.SortMemory += number(g.object("Sort Space Memory")["Peak Sort Space Used"])
	}
	n.HashBatches, n.HashOriginal = max(f.num("Hash Batches"), f.num("HashAgg Batches")), max(f.num("Original Hash Batches"), f.num("Planned Partitions"))
	n.PeakMemory, n.DiskUsage = f.num("Peak Memory Usage"), f.num("Disk Usage")
	n.ExactBlocks, n.LossyBlocks, n.HeapFetches = f.num("Exact Heap Blocks"), f.num("Lossy Heap Blocks"), f.num("Heap Fetches")
	n.SharedHit, n.SharedRead = f.num("Shared Hit Blocks"), f.num("Shared Read Blocks")
	n.TempRead, n.TempWritten = f.num("Temp Read Blocks"), f.num("Temp Written Blocks")
	n.IOReadTime = f.num("I/O Read Time") + f.num("Shared I/O Read Time")
	n.TempReadTime, n.TempWrite = f.num("Temp I/O Read Time"), f.num("Temp I/O Write Time")
}

// sorted adds what a sort of one process took.
func (n *Node) sorted(f fields) {
	if method := f.str("Sort Method"); method != "" {
		n.SortMethod = method
	}
	used := f.num("Sort Space Used")
	if f.str("Sort Space Type") == "Disk" {
		n.SortDisk += used
	} else {
		n.SortMemory += used
	}
}

func (n *Node) worker(f fields) {
	n.Workers = append(n.Workers, Worker{Total: f.num("Actual Total Time"), Rows: f.num("Actual Rows"), Loops: f.num("Actual Loops")})
	n.sorted(f)
	n.HashBatches = max(n.HashBatches, f.num("HashAgg Batches"))
	n.DiskUsage += f.num("Disk Usage")
	n.PeakMemory = max(n.PeakMemory, f.num("Peak Memory Usage"))
	n.ExactBlocks += f.num("Exact Heap Blocks")
	n.LossyBlocks += f.num("Lossy Heap Blocks")
}
