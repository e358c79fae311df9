package predict

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// featureNames are what a model sees of a product, in the order of features; the number after the stroke is a half-life.
func featureNames(h Horizon) (names []string) {
	sc := h.scales()
	for _, g := range []struct {
		name  string
		rates rates
	}{{"units", sc.units}, {"log", sc.logs}, {"orders", sc.orders}, {"place", sc.places}} {
		for _, r := range g.rates {
			names = append(names, fmt.Sprintf("%s/%g", g.name, r.half))
		}
	}
	names = append(names, "trend/1", "trend/2", "trend/3", "trend/4", "deviation", "slot", "slot-excess", "idle", "overdue", "age", "young", "recent",
		"price", "price-change", "campaign", "words", "words-best", "basket", "season", "season-ahead", "shop-trend", "slot-of-period", "bias")
	return names
}

// candidates are the n products that may be among the best: those in a campaign, then those with the best past, at several scales and in
// the same hour or weekday.
func (s *state) candidates(n int, m moment) []int {
	type scored struct {
		i int
		v float64
	}
	list := make([]scored, 0, len(s.Items))
	last := len(s.sc.orders) - 1
	for i, it := range s.Items {
		if m.campaign[it.Code] {
			list = append(list, scored{i, math.Inf(1)})
		} else if s.N-it.Last <= s.sc.stale {
			list = append(list, scored{i, it.Orders[last] + it.Orders[1] + it.Logs[1]/4 + it.Logs[3]/2 + it.Slots[m.slot]/4})
		}
	}
	slices.SortFunc(list, func(a, b scored) int {
		return cmp.Or(cmp.Compare(b.v, a.v), strings.Compare(s.Items[a.i].Code, s.Items[b.i].Code))
	})
	out := make([]int, min(n, len(list)))
	for j := range out {
		out[j] = list[j].i
	}
	return out
}

// moment is what all products of a period have in common.
type moment struct {
	at       time.Time
	slot     int
	year     int
	week     int
	campaign map[string]bool
	flow     []float64 // how baskets of late differ from those before
	trend    float64
	warmths  // of the averages
}

// warmths are what averages are to be divided by because they began at 0.
type warmths struct {
	units, logs, orders, places []float64
	variance, slot              float64
	wordShort, wordLong         float64
}

func (s *state) moment(at time.Time, campaigns []Campaign) moment {
	m := moment{at: at, slot: s.Horizon.slot(at), campaign: map[string]bool{}, flow: make([]float64, contextDim)}
	m.year, m.week = at.ISOWeek()
	for _, c := range campaigns {
		if c.on(at, s.Horizon) {
			for _, code := range c.Codes {
				m.campaign[code] = true
			}
		}
	}
	m.warmths = warmths{s.sc.units.warmth(s.N), s.sc.logs.warmth(s.N), s.sc.orders.warmth(s.N), s.sc.places.warmth(s.N), s.sc.variance.warmth(s.N),
		s.sc.slot.warmth(s.N/s.perSlot() + 1), s.sc.wordShort.warmth(s.N), s.sc.wordLong.warmth(s.N)}
	short, long := norm(s.Flow[0]), norm(s.Flow[1])
	for i := range m.flow {
		m.flow[i] = s.Flow[0][i]/short - s.Flow[1][i]/long
	}
	m.trend = s.Total[1]/m.logs[1] - s.Total[4]/m.logs[4]
	return m
}

func norm(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x * x
	}
	return math.Sqrt(sum) + 1e-9
}

// features of a product at a moment, appended to out. Their size is about 1.
func (s *state) features(it *item, m moment, out []float64) []float64 {
	group := func(v, warmth []float64, f func(float64) float64) {
		for i := range v {
			out = append(out, f(v[i]/warmth[i]))
		}
	}
	same := func(x float64) float64 { return x }
	group(it.Units, m.units, func(x float64) float64 { return math.Log1p(x) / 4 })
	logs := len(out)
	group(it.Logs, m.logs, func(x float64) float64 { return x / 3 })
	group(it.Orders, m.orders, same)
	group(it.Places, m.places, same)
	l := out[logs : logs+len(s.sc.logs)]
	age := s.N - it.First
	slot := it.Slots[m.slot] / m.warmths.slot
	mean := 3 * l[4]
	deviation := math.Sqrt(max(it.Squares/m.variance-mean*mean, 0))
	idle := float64(s.N - 1 - it.Last)
	usual := it.Orders[2] / m.orders[2]
	out = append(out, l[1]-l[3], l[2]-l[4], l[0]-l[2], l[4]-l[6], deviation/3, slot/3, slot/3-l[4], math.Log1p(idle)/3, min(idle*usual, 20)/10,
		math.Log1p(float64(age))/6, it.Logs[2]/s.sc.logs[2].warmth(age)/3-l[2], math.Log1p(it.Recent)/5)
	price, change := 0.0, 0.0
	if it.Price > 0 {
		price, change = math.Log(it.Price)/3, math.Log(it.Price/it.Usual)
	}
	campaign := 0.0
	if m.campaign[it.Code] {
		campaign = 3 // it is rare: a weight that is learnt from few has to count
	}
	words, best := s.momentum(it, m)
	then, ahead := it.lastYear(m)
	out = append(out, price, max(min(change, 1), -1), campaign, words, best, s.affinity(it, m), then, ahead, m.trend, float64(m.slot)/10, 1)
	for i, v := range out {
		out[i] = widen(narrow(v))
	}
	return out
}

// narrow keeps of a value what a float32 has in its first half: three digits are more than features are good for, and a model's file is
// half as large.
func narrow(v float64) uint16 { return uint16((math.Float32bits(float32(v)) + 1<<15) >> 16) }

func widen(v uint16) float64 { return float64(math.Float32frombits(uint32(v) << 16)) }

// perSlot is about how many periods pass until the same slot comes again.
func (s *state) perSlot() int {
	if s.Horizon == Hour {
		return 10
	}
	return 6
}

// momentum is how the words of its name sell of late against for long: on the whole, and the one that rises most.
func (s *state) momentum(it *item, m moment) (mean, best float64) {
	if len(it.words) == 0 {
		return 0, 0
	}
	const calm = 0.5 // keeps rare words from counting
	for i, w := range it.words {
		v := math.Log((s.Words[w].Short/m.wordShort + calm) / (s.Words[w].Long/m.wordLong + calm))
		mean += v / float64(len(it.words))
		if i == 0 || v > best {
			best = v
		}
	}
	return mean, best
}

// affinity is how like its baskets are to those that there are more of lately.
func (s *state) affinity(it *item, m moment) float64 {
	size, dot := norm(it.Context), 0.0
	for i, x := range it.Context {
		dot += x * m.flow[i]
	}
	return 5 * dot / size
}

// lastYear is what was sold in the same weeks of the year before, and in those that followed.
func (it *item) lastYear(m moment) (then, ahead float64) {
	mean := func(from, to int) float64 {
		logs, n := 0.0, 0
		for w := from; w <= to; w++ {
			year, week := m.year-1, w
			if week > 52 {
				year, week = year+1, week-52
			} else if week < 1 {
				year, week = year-1, week+52
			}
			if s := it.Year[week]; s.Year == year {
				logs, n = logs+s.Logs, n+s.N
			}
		}
		return logs / float64(n+6*(to-from)) / 3
	}
	return mean(m.week-1, m.week+1), mean(m.week+1, m.week+3)
}
