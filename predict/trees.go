package predict

import (
	"math"
	"math/rand/v2"
	"slices"
)

// forest is gradient-boosted regression trees for a logistic loss, on features cut into at most bins values.
type forest struct {
	Cuts  [][]float64 // of each feature, ascending: bin i holds values up to Cuts[i]
	Trees []tree
}

// tree is a complete binary tree, node i's children being 2i+1 and 2i+2. Feature -1 ends it.
type tree struct {
	Feature []int
	Cut     []float64
	Value   []float64
}

const (
	bins        = 48
	shrinkage   = 0.08
	leafL2      = 5.0
	leastWeight = 3.0 // sum of second derivatives in a leaf
	columnShare = 0.5
	rowShare    = 0.5 // of the rows, for each tree
)

// examples are rows of features (rows × width), with targets in 0…1, weights, and the logits that trees are to correct.
type examples struct {
	width  int
	x      []uint16 // narrowed
	y      []float64
	weight []float64
	offset []float64
}

func (e examples) len() int { return len(e.y) }

// boost trains trees. O(trees × depth × rows × features).
func boost(e examples, trees, depth int, seed uint64) *forest {
	f := &forest{Cuts: cutPoints(e)}
	binned := bin(e, f.Cuts)
	logit := slices.Clone(e.offset)
	g, h := make([]float64, e.len()), make([]float64, e.len())
	rng := rand.New(rand.NewPCG(seed, 0x5eed))
	for range trees {
		for i := range logit {
			p := sigmoid(logit[i])
			g[i], h[i] = e.weight[i]*(p-e.y[i]), e.weight[i]*max(p*(1-p), 1e-6)
		}
		b := treeBuilder{f: f, x: binned, g: g, h: h, depth: depth, columns: chosen(e.width, columnShare, rng)}
		t, cuts := b.build(sampleRows(e.len(), rng))
		f.Trees = append(f.Trees, t)
		for i := range logit {
			n := 0
			for t.Feature[n] >= 0 {
				if binned[t.Feature[n]][i] <= cuts[n] {
					n = 2*n + 1
				} else {
					n = 2*n + 2
				}
			}
			logit[i] += t.Value[n]
		}
	}
	return f
}

// chosen are the features that a tree may use.
func chosen(width int, share float64, rng *rand.Rand) []int {
	list := rng.Perm(width)[:max(1, int(math.Ceil(share*float64(width))))]
	slices.Sort(list)
	return list
}

// sampleRows are those that a tree is grown on, in order.
func sampleRows(n int, rng *rand.Rand) []int32 {
	rows := make([]int32, 0, int(float64(n)*rowShare*1.1)+1)
	for i := range n {
		if rng.Float64() < rowShare {
			rows = append(rows, int32(i))
		}
	}
	return rows
}

// cutPoints are the quantiles of every feature in a sample.
func cutPoints(e examples) [][]float64 {
	const sample = 4000
	step := max(1, e.len()/sample)
	cuts := make([][]float64, e.width)
	for c := range cuts {
		var v []float64
		for r := 0; r < e.len(); r += step {
			v = append(v, widen(e.x[r*e.width+c]))
		}
		slices.Sort(v)
		for q := 1; q < bins; q++ {
			x := v[q*len(v)/bins]
			if n := len(cuts[c]); x < v[len(v)-1] && (n == 0 || x > cuts[c][n-1]) {
				cuts[c] = append(cuts[c], x)
			}
		}
	}
	return cuts
}

// bin cuts all features, column by column.
func bin(e examples, cuts [][]float64) [][]uint8 {
	out := make([][]uint8, e.width)
	for c := range out {
		out[c] = make([]uint8, e.len())
		for r := range out[c] {
			i, _ := slices.BinarySearch(cuts[c], widen(e.x[r*e.width+c]))
			out[c][r] = uint8(i)
		}
	}
	return out
}

// predict is the correction to the logit.
func (f *forest) predict(x []float64) (sum float64) {
	for i := range f.Trees {
		t, n := &f.Trees[i], 0
		for t.Feature[n] >= 0 {
			if x[t.Feature[n]] <= t.Cut[n] {
				n = 2*n + 1
			} else {
				n = 2*n + 2
			}
		}
		sum += t.Value[n]
	}
	return sum
}

type treeBuilder struct {
	f       *forest
	x       [][]uint8
	g, h    []float64
	depth   int
	columns []int
}

type histogram struct{ g, h [bins]float64 }

type node struct {
	rows []int32
	hist []histogram // by columns
	g, h float64
}

// build grows a tree on some rows, level by level; cuts are the bins at which it divides.
func (b treeBuilder) build(rows []int32) (t tree, cuts []uint8) {
	size := 1<<(b.depth+1) - 1
	t, cuts = tree{Feature: make([]int, size), Cut: make([]float64, size), Value: make([]float64, size)}, make([]uint8, size)
	for i := range t.Feature {
		t.Feature[i] = -1
	}
	nodes := make([]*node, size)
	nodes[0] = b.node(rows)
	nodes[0].hist = b.histograms(rows)
	for i, n := range nodes {
		if n == nil {
			continue
		}
		t.Value[i] = -shrinkage * n.g / (n.h + leafL2)
		if 2*i+2 < size {
			cuts[i] = b.split(&t, nodes, i)
		}
		nodes[i] = nil
	}
	return t, cuts
}

func (b treeBuilder) node(rows []int32) *node {
	n := &node{rows: rows}
	for _, r := range rows {
		n.g, n.h = n.g+b.g[r], n.h+b.h[r]
	}
	return n
}

func (b treeBuilder) histograms(rows []int32) []histogram {
	hist := make([]histogram, len(b.columns))
	for j, c := range b.columns {
		x, to := b.x[c], &hist[j]
		for _, r := range rows {
			to.g[x[r]] += b.g[r]
			to.h[x[r]] += b.h[r]
		}
	}
	return hist
}

// split divides node i where it gains most, if it gains anything.
func (b treeBuilder) split(t *tree, nodes []*node, i int) (bin uint8) {
	n := nodes[i]
	column, cut := b.best(n)
	if column < 0 {
		return 0
	}
	c := b.columns[column]
	var left, right []int32
	for _, r := range n.rows {
		if int(b.x[c][r]) <= cut {
			left = append(left, r)
		} else {
			right = append(right, r)
		}
	}
	t.Feature[i], t.Cut[i] = c, b.f.Cuts[c][cut]
	l, r := b.node(left), b.node(right)
	nodes[2*i+1], nodes[2*i+2] = l, r
	if 4*i+4 < len(nodes) { // the last level is not split
		b.share(n, l, r)
	}
	return uint8(cut)
}

// best is where a node gains most; column is negative when it gains nothing.
func (b treeBuilder) best(n *node) (column, cut int) {
	column = -1
	gain := 1e-6
	score := func(g, h float64) float64 { return g * g / (h + leafL2) }
	whole := score(n.g, n.h)
	for j, c := range b.columns {
		var g, h float64
		for k := range b.f.Cuts[c] {
			g, h = g+n.hist[j].g[k], h+n.hist[j].h[k]
			if h < leastWeight || n.h-h < leastWeight {
				continue
			}
			if v := score(g, h) + score(n.g-g, n.h-h) - whole; v > gain {
				column, cut, gain = j, k, v
			}
		}
	}
	return column, cut
}

// share makes the histograms of a node's children: the smaller one's from its rows, the other's is what remains.
func (b treeBuilder) share(n, l, r *node) {
	small, large := l, r
	if len(l.rows) > len(r.rows) {
		small, large = r, l
	}
	small.hist = b.histograms(small.rows)
	large.hist = n.hist
	for j := range large.hist {
		for k := range bins {
			large.hist[j].g[k] -= small.hist[j].g[k]
			large.hist[j].h[k] -= small.hist[j].h[k]
		}
	}
}
