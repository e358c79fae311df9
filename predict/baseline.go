package predict

import "strings"

// ranked are the n products with the highest values above 0, equal ones by code.
func (m *Model) ranked(n int, value func(*item) float64) []string {
	top := newTopN(n)
	for _, it := range m.state.Items {
		if v := value(it); v > 0 {
			top.add(it.Code, v)
		}
	}
	return top.codes()
}

// frequency ranks by decayed counts of units, with the half-life i.
func (m *Model) frequency(i, n int) []string {
	return m.ranked(n, func(it *item) float64 { return it.Base[i] })
}

// bestHalf is the half-life that did best over all periods so far.
func (m *Model) bestHalf() int {
	best := 0
	for i, h := range m.halves {
		if h.Sum > m.halves[best].Sum {
			best = i
		}
	}
	if m.state.N <= leastPeriods {
		best = len(m.halves) / 2
	}
	return best
}

// truth is what was sold most in a period.
type truth struct {
	place map[string]int
	aims  []int
}

func bestSellers(p Period, n int, aims []int) truth {
	t := truth{map[string]int{}, aims}
	for place, i := range p.Ranked(n) {
		t.place[p.Products[i].Code] = place
	}
	return t
}

// target is which share of the aims has the product among them.
func (t truth) target(code string) (y float64) {
	place, ok := t.place[code]
	if !ok {
		return 0
	}
	for _, k := range t.aims {
		if place < k {
			y += 1 / float64(len(t.aims))
		}
	}
	return y
}

// share is which part of the best sellers a ranking names, on the mean of the aims.
func (t truth) share(codes []string) (sum float64) {
	for _, k := range t.aims {
		sum += float64(t.hits(codes, k)) / float64(k) / float64(len(t.aims))
	}
	return sum
}

// hits is how many of the first k of codes are among the k best sellers.
func (t truth) hits(codes []string, k int) (n int) {
	for _, c := range codes[:min(k, len(codes))] {
		if place, ok := t.place[c]; ok && place < k {
			n++
		}
	}
	return n
}

// topN keeps the n highest, in a heap with the lowest at the front.
type topN struct {
	n    int
	heap []valued
}

type valued struct {
	code  string
	value float64
}

func newTopN(n int) *topN { return &topN{n: max(n, 0)} }

func (a valued) below(b valued) bool {
	if a.value != b.value {
		return a.value < b.value
	}
	return strings.Compare(a.code, b.code) > 0
}

func (t *topN) add(code string, value float64) {
	v := valued{code, value}
	if len(t.heap) < t.n {
		t.heap = append(t.heap, v)
		for i := len(t.heap) - 1; i > 0; {
			up := (i - 1) / 2
			if !t.heap[i].below(t.heap[up]) {
				break
			}
			t.heap[i], t.heap[up], i = t.heap[up], t.heap[i], up
		}
		return
	}
	if t.n > 0 && t.heap[0].below(v) {
		t.heap[0] = v
		t.sink()
	}
}

func (t *topN) sink() {
	for i := 0; ; {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(t.heap); c++ {
			if t.heap[c].below(t.heap[least]) {
				least = c
			}
		}
		if least == i {
			return
		}
		t.heap[i], t.heap[least], i = t.heap[least], t.heap[i], least
	}
}

// codes empties it, the highest first.
func (t *topN) codes() []string {
	out := make([]string, len(t.heap))
	for i := len(out) - 1; i >= 0; i-- {
		out[i] = t.heap[0].code
		last := len(t.heap) - 1
		t.heap[0] = t.heap[last]
		t.heap = t.heap[:last]
		t.sink()
	}
	return out
}
