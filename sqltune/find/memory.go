package find

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/stampede-shop/stampede/sqltune/plan"
)

// spillShare is the share of the time from which on a spill is worth a word: memory is cheap.
const spillShare = 0.03

func (f *finder) sorts() {
	f.nodes(func(n *plan.Node) {
		if n.SortDisk == 0 || n.Share < spillShare {
			return
		}
		kb := 3 * n.SortDisk / max(1, float64(len(n.Workers))+1) // rows take more in memory than on disk; each process has its own
		f.add(n, Finding{Rule: SortSpill, Title: "sort spills to disk", Share: n.Share,
			Evidence: fmt.Sprintf("%s, %s on disk, %s rows by %s", n.SortMethod, Bytes(n.SortDisk*1024), plan.Count(n.Rows()), strings.Join(n.SortKey, ", ")),
			SQL:      []string{f.workMem(kb)},
			Advice:   "For this statement alone (SET LOCAL in its transaction), sort fewer or narrower rows, or let an index give the order."})
	}, "Sort", "Incremental Sort")
}

func (f *finder) hashes() {
	f.nodes(func(n *plan.Node) {
		if n.HashBatches <= 1 {
			return
		}
		share := n.Share
		if n.Type == "Hash" && n.Parent != nil {
			share += n.Parent.Share
		}
		if share < spillShare {
			return
		}
		kb := max(n.PeakMemory, 1024) * n.HashBatches
		x := Finding{Rule: HashBatches, Title: "hash join goes through disk in batches", Share: share,
			Evidence: fmt.Sprintf("%s batches (%s planned), %s of memory", plan.Count(n.HashBatches), plan.Count(n.HashOriginal), Bytes(n.PeakMemory*1024)),
			SQL:      []string{f.workMem(min(kb, 4<<20))},
			Advice:   "For this statement alone, or hash_mem_multiplier; fewer rows or columns in the hashed side help as well."}
		if n.Type == "Aggregate" {
			x.Title = "hash aggregate spills to disk"
			x.Evidence += fmt.Sprintf(", %s on disk", Bytes(n.DiskUsage*1024))
			x.SQL = []string{f.workMem(max(2*n.DiskUsage, 2*n.PeakMemory))}
		}
		f.add(n, x)
	}, "Hash", "Aggregate")
}

func (f *finder) bitmaps() {
	f.nodes(func(n *plan.Node) {
		wasted := n.RemovedCheck * n.Loops
		if n.LossyBlocks == 0 || n.LossyBlocks < (n.ExactBlocks+n.LossyBlocks)/10 || wasted < f.o.ManyRows/10 || n.Share < f.o.MinShare {
			return
		}
		f.add(n, Finding{Rule: LossyBitmap, Title: "bitmap of " + n.Relation + " does not fit in memory", Share: n.Share,
			Evidence: fmt.Sprintf("%s pages exact, %s lossy: %s rows looked at again for nothing", plan.Count(n.ExactBlocks), plan.Count(n.LossyBlocks), plan.Count(wasted)),
			SQL:      []string{f.workMem((n.ExactBlocks + n.LossyBlocks) * bytesOfPage / 1024 * 1.5)},
			Advice:   "For this statement alone."})
	}, "Bitmap Heap Scan")
}

// bytesOfPage is what a page takes in a bitmap.
const bytesOfPage = 72

// workMem is work_mem of at least so many kB, twice what it is now, and a round number.
func (f *finder) workMem(kb float64) string {
	kb = max(kb, 2*f.currentWorkMem())
	mb := math.Pow(2, math.Ceil(math.Log2(max(kb/1024, 1))))
	return fmt.Sprintf("SET LOCAL work_mem = '%.0fMB';", min(mb, 4096))
}

// currentWorkMem is in kB: what the plan says, else PostgreSQL's default.
func (f *finder) currentWorkMem() float64 {
	s := f.p.Settings["work_mem"]
	for suffix, factor := range map[string]float64{"kB": 1, "MB": 1024, "GB": 1 << 20} {
		if n, err := strconv.ParseFloat(strings.TrimSuffix(s, suffix), 64); err == nil && strings.HasSuffix(s, suffix) {
			return n * factor
		}
	}
	return 4096
}

func (f *finder) heapFetches() {
	f.nodes(func(n *plan.Node) {
		if n.HeapFetches < f.o.ManyRows/10 || n.HeapFetches < n.Rows()/10 || n.Share < f.o.MinShare {
			return
		}
		table := n.Relation
		if t := f.s.Table(n.Schema, n.Relation); t != nil {
			table = t.FullName()
		}
		f.add(n, Finding{Rule: HeapFetches, Title: "index-only scan of " + n.Relation + " reads the table after all", Share: n.Share,
			Evidence: fmt.Sprintf("%s rows, %s of them looked up in the table", plan.Count(n.Rows()), plan.Count(n.HeapFetches)),
			SQL:      []string{"VACUUM " + table + ";"},
			Advice: fmt.Sprintf("Pages are not marked as visible to all. So that it stays so: ALTER TABLE %s SET (autovacuum_vacuum_scale_factor = 0.02, "+
				"autovacuum_vacuum_insert_scale_factor = 0.02); and look for transactions that stay open.", table)})
	}, "Index Only Scan")
}

func (f *finder) jit() {
	j := f.p.JIT
	whole := max(f.p.Total, f.p.Execution)
	if j == nil || !f.p.Timed || j.Total < 10 || j.Total < whole*joinShare {
		return
	}
	f.add(nil, Finding{Rule: JITOverhead, Title: "compiling takes longer than it saves", Share: j.Total / whole,
		Evidence: fmt.Sprintf("%s functions compiled in %s of %s", plan.Count(j.Functions), plan.Millis(j.Total), plan.Millis(whole)),
		SQL:      []string{"SET LOCAL jit = off;"},
		Advice:   "Or raise jit_above_cost, so that only statements of seconds are compiled."})
}

func (f *finder) triggers() {
	if !f.p.Timed || f.p.Total == 0 {
		return
	}
	for _, t := range f.p.Triggers {
		share := t.Time / f.p.Total
		if share < 0.5 || t.Calls < 100 {
			continue
		}
		f.add(nil, Finding{Rule: TriggerTime, Title: "most of the time goes into trigger " + t.Name, Share: share,
			Evidence: fmt.Sprintf("%s calls, %s", plan.Count(t.Calls), plan.Millis(t.Time)),
			Advice:   "If it checks a foreign key, the referencing column needs an index; else see what the trigger does once a row."})
	}
}
