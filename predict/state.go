package predict

import (
	"math"
	"slices"
	"strings"
	"time"
)

// item is what is kept of one product. Averages are over periods, decayed with the half-lives of the horizon's scales, and begin at 0.
type item struct {
	Code, Name string
	Units      []float64 // of units
	Logs       []float64 // of log(1 + units)
	Orders     []float64 // of log(1 + invoices)
	Places     []float64 // of the place among the best sellers: 1 for the first, ½ for the place placeScale
	Squares    float64   // of log(1 + units)², at the scale of varianceAt
	Slots      []float64 // of log(1 + units) by weekday, or by hour of the day
	Base       []float64 // of units, with the half-lives of the decay baseline
	Total      float64   // units, ever
	Recent     float64   // units in the last period
	First      int       // period in which it was first sold
	Last       int       // period in which it was last sold
	Price      float64   // last
	Usual      float64   // mean price, decayed
	Context    []float64 // what it is bought with: random indexing
	Year       []season  // by week of the year
	words      []int
}

// season is what was sold in a week of a year.
type season struct {
	Year int
	Logs float64 // sum of log(1 + units)
	N    int     // periods
}

// word is how often lines with a word in the product's name were sold of late and for long.
type word struct {
	Text        string
	Short, Long float64
}

// rate is how fast an average forgets: half of it in so many periods.
type rate struct{ half, keep float64 }

func rateOf(half float64) rate { return rate{half, math.Exp2(-1 / half)} }

// warmth is the weight that the first n periods have in an average that began at 0.
func (r rate) warmth(n int) float64 { return max(1-math.Exp2(-float64(n)/r.half), 1e-9) }

type rates []rate

func ratesOf(halves ...float64) (out rates) {
	for _, h := range halves {
		out = append(out, rateOf(h))
	}
	return out
}

// age lets averages forget a period, add takes in what it had.
func (r rates) age(v []float64) {
	for i := range r {
		v[i] *= r[i].keep
	}
}

func (r rates) add(v []float64, x float64) {
	for i := range r {
		v[i] += (1 - r[i].keep) * x
	}
}

func (r rates) warmth(n int) (out []float64) {
	for _, x := range r {
		out = append(out, x.warmth(n))
	}
	return out
}

// scales are at which rates things are forgotten.
type scales struct {
	units, logs, orders, places, base rates
	variance, slot, price, context    rate
	wordShort, wordLong               rate
	stale                             int // periods after which a product is no candidate any more
}

func (h Horizon) scales() scales {
	if h == Hour { // about ten a day
		return scales{units: ratesOf(3, 20, 100, 400), logs: ratesOf(1, 4, 10, 30, 80, 200, 600), orders: ratesOf(4, 20, 80, 300),
			places: ratesOf(4, 20, 80, 300), base: ratesOf(5, 10, 20, 40, 80, 160, 320, 640), variance: rateOf(200), slot: rateOf(15),
			price: rateOf(50), context: rateOf(300), wordShort: rateOf(30), wordLong: rateOf(200), stale: 600}
	}
	return scales{units: ratesOf(2, 7, 21, 60), logs: ratesOf(1, 3, 7, 14, 30, 60, 120), orders: ratesOf(2, 5, 14, 40),
		places: ratesOf(3, 10, 30, 90), base: ratesOf(1, 2, 3, 5, 7, 10, 14, 20, 30, 45, 60, 90), variance: rateOf(30), slot: rateOf(5),
		price: rateOf(8), context: rateOf(60), wordShort: rateOf(4), wordLong: rateOf(25), stale: 60}
}

const (
	placeScale = 40 // place among the best sellers that counts half
	contextDim = 32
	maxBasket  = 60 // products of an invoice that say something about each other
	maxWords   = 12 // of a name
	slots      = 24
	weeks      = 54
)

func (h Horizon) slot(t time.Time) int {
	if h == Hour {
		return t.Hour()
	}
	return int(t.Weekday())
}

// state is the past as features are made of it.
type state struct {
	Horizon Horizon
	N       int // periods seen
	Last    time.Time
	Items   []*item
	Words   []word
	Total   []float64 // decayed mean of log(1 + units of all) at the scales of logs
	Flow    [2][]float64

	sc     scales
	index  map[string]int
	wordAt map[string]int
}

func newState(h Horizon) *state {
	s := &state{Horizon: h, Flow: [2][]float64{make([]float64, contextDim), make([]float64, contextDim)}}
	s.Total = make([]float64, len(h.scales().logs))
	s.link()
	return s
}

// link makes what is not stored.
func (s *state) link() {
	s.sc, s.index, s.wordAt = s.Horizon.scales(), map[string]int{}, map[string]int{}
	for i, w := range s.Words {
		s.wordAt[w.Text] = i
	}
	for i, it := range s.Items {
		s.index[it.Code] = i
		it.words = s.wordsOf(it.Name)
	}
}

func (s *state) item(p Product) *item {
	i, ok := s.index[p.Code]
	if !ok {
		it := &item{Code: p.Code, First: s.N, Units: make([]float64, len(s.sc.units)), Logs: make([]float64, len(s.sc.logs)),
			Orders: make([]float64, len(s.sc.orders)), Places: make([]float64, len(s.sc.places)), Base: make([]float64, len(s.sc.base)),
			Slots: make([]float64, slots), Context: make([]float64, contextDim), Year: make([]season, weeks)}
		i = len(s.Items)
		s.index[p.Code], s.Items = i, append(s.Items, it)
	}
	it := s.Items[i]
	if p.Name != "" && p.Name != it.Name {
		it.Name = p.Name
		it.words = s.wordsOf(p.Name)
	}
	return it
}

// wordsOf are the words of a name that are longer than two letters and not numbers.
func (s *state) wordsOf(name string) (out []int) {
	for _, w := range strings.FieldsFunc(strings.ToUpper(name), func(r rune) bool { return r < 'A' || r > 'Z' }) {
		if len(w) < 3 || len(out) == maxWords {
			continue
		}
		i, ok := s.wordAt[w]
		if !ok {
			i = len(s.Words)
			s.wordAt[w], s.Words = i, append(s.Words, word{Text: w})
		}
		if !slices.Contains(out, i) {
			out = append(out, i)
		}
	}
	return out
}

// decay ages all averages by one period.
func (s *state) decay(slot int) {
	for _, it := range s.Items {
		s.sc.units.age(it.Units)
		s.sc.logs.age(it.Logs)
		s.sc.orders.age(it.Orders)
		s.sc.places.age(it.Places)
		s.sc.base.age(it.Base)
		it.Squares *= s.sc.variance.keep
		it.Slots[slot] *= s.sc.slot.keep
		it.Recent = 0
	}
	for i := range s.Words {
		s.Words[i].Short *= s.sc.wordShort.keep
		s.Words[i].Long *= s.sc.wordLong.keep
	}
	s.sc.logs.age(s.Total)
	for i, r := range []rate{s.sc.wordShort, s.sc.wordLong} {
		for j := range s.Flow[i] {
			s.Flow[i][j] *= r.keep
		}
	}
}

// observe takes in a period. O(products).
func (s *state) observe(p Period) {
	slot := s.Horizon.slot(p.Start)
	s.decay(slot)
	sum, items := 0.0, make([]*item, len(p.Products))
	for i, sold := range p.Products {
		it := s.item(sold)
		items[i] = it
		s.sold(it, sold, slot, p.Start)
		sum += sold.Units
	}
	for place, i := range p.Ranked(len(p.Products)) {
		worth := placeScale / float64(placeScale+place)
		s.sc.places.add(items[i].Places, worth)
	}
	s.sc.logs.add(s.Total, math.Log1p(sum))
	s.baskets(items, p.Baskets)
	s.N++
	s.Last = p.Start
}

func (s *state) sold(it *item, p Product, slot int, start time.Time) {
	l, o := math.Log1p(p.Units), math.Log1p(float64(p.Orders))
	s.sc.units.add(it.Units, p.Units)
	s.sc.logs.add(it.Logs, l)
	s.sc.orders.add(it.Orders, o)
	s.sc.base.add(it.Base, p.Units)
	it.Squares += (1 - s.sc.variance.keep) * l * l
	it.Slots[slot] += (1 - s.sc.slot.keep) * l
	it.Total, it.Recent, it.Last = it.Total+p.Units, p.Units, s.N
	if p.Price > 0 {
		it.Price = p.Price
		if it.Usual == 0 {
			it.Usual = p.Price
		}
		it.Usual += (p.Price - it.Usual) * (1 - s.sc.price.keep) // of the periods with sales
	}
	year, week := start.ISOWeek()
	w := &it.Year[week]
	if w.Year != year {
		*w = season{Year: year}
	}
	w.Logs, w.N = w.Logs+l, w.N+1
	for _, i := range it.words {
		s.Words[i].Short += (1 - s.sc.wordShort.keep) * o
		s.Words[i].Long += (1 - s.sc.wordLong.keep) * o
	}
}

// baskets learns what is bought together: every product has a random vector of its own, fixed by its code; its context is the sum of
// those of what it shared invoices with. Two products with like contexts are bought by the same kind of shopper.
func (s *state) baskets(items []*item, baskets [][]int) {
	sum, own := make([]float64, contextDim), make([]float64, contextDim)
	left := s.sc.context.keep
	for _, it := range items {
		for i := range it.Context {
			it.Context[i] *= left
		}
	}
	for _, b := range baskets {
		if len(b) < 2 || len(b) > maxBasket {
			continue
		}
		clear(sum)
		for _, i := range b {
			signature(items[i].Code, sum, 1)
		}
		for _, i := range b {
			clear(own)
			signature(items[i].Code, own, 1)
			for j := range sum {
				items[i].Context[j] += (sum[j] - own[j]) / float64(len(b)-1)
			}
		}
		for j := range sum {
			s.Flow[0][j] += sum[j] / float64(len(b))
			s.Flow[1][j] += sum[j] / float64(len(b))
		}
	}
}

// signature adds a code's vector: four places that are +1 or -1, by a hash (FNV-1a, stirred).
func signature(code string, into []float64, sign float64) {
	h := uint64(14695981039346656037)
	for i := range len(code) {
		h = (h ^ uint64(code[i])) * 1099511628211
	}
	for range 4 {
		h ^= h >> 33
		h *= 0xff51afd7ed558ccd
		h ^= h >> 29
		v := sign
		if h&(1<<40) != 0 {
			v = -sign
		}
		into[h%contextDim] += v
	}
}
