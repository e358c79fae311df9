package predict

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Model ranks products by how much will be sold of them in a period. It is not safe for concurrent use.
type Model struct {
	o       Options
	state   *state
	linear  *linear
	forests []*forest // the last ones that were trained; none before there is enough to train on
	window  []rowset
	halves  []halfLife
	record  []outcome // of the last periods, the oldest first
}

// rowset is what was known of the candidates before a period, and what came.
type rowset struct {
	at     int
	x      []uint16 // features, row by row, narrowed
	y      []float64
	offset []float64 // the regression's logit before it learnt of them
}

// halfLife is how the frequency with a half-life did: sum of the shares of best sellers named.
type halfLife struct{ Sum float64 }

// outcome is which shares of a period's best sellers were named, on the mean of the aims.
type outcome struct{ Model, Frequency float64 }

// Forecast is what is expected of a product.
type Forecast struct {
	Code  string  `json:"code"`
	Name  string  `json:"name"`
	Score float64 `json:"score"` // by which it is ranked: the model's probability of being a best seller, or a frequency
	Units float64 `json:"units"` // sold in an ordinary period of late
}

// Standing tells how the model did in the last periods, against exponentially decayed frequency with the half-life that did best. Shares
// are of as many best sellers as Options.Aims say that were named before, on the mean.
type Standing struct {
	Periods   int     `json:"periods"`
	Model     float64 `json:"model"`
	Frequency float64 `json:"frequency"`
	HalfLife  float64 `json:"half_life"` // of the frequency, in periods
	InUse     bool    `json:"in_use"`    // whether the model ranks: it has done better
}

// New makes a model that knows nothing.
func New(h Horizon, o Options) (*Model, error) {
	o = o.withDefaults(h)
	if err := h.check(); err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	m := &Model{o: o, state: newState(h), linear: newLinear(len(featureNames(h)))}
	m.halves = make([]halfLife, len(m.state.sc.base))
	return m, nil
}

const leastPeriods = 8 // before which nothing is learnt

// Train makes a model of a history: it goes through it period by period, learning as it goes, and trains its trees often enough to know in
// the end how it would have done over the last Options.Record periods.
func Train(ctx context.Context, h History, o Options) (*Model, error) {
	m, err := New(h.Horizon, o)
	if err != nil {
		return nil, err
	}
	if len(h.Periods) < 2 {
		return nil, fmt.Errorf("%w: %d periods with sales, at least 2 are needed", ErrTooShort, len(h.Periods))
	}
	const trainings = 4
	every := max(m.o.Record/trainings, 1)
	for i, p := range h.Periods {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if left := len(h.Periods) - i; left <= m.o.Record && (m.o.Record-left)%every == 0 {
			m.Fit()
		}
		m.Observe(p)
	}
	m.Fit()
	return m, nil
}

// Horizon is how long a period is.
func (m *Model) Horizon() Horizon { return m.state.Horizon }

// Periods is how many were observed, and Until when the last one began.
func (m *Model) Periods() (n int, until time.Time) { return m.state.N, m.state.Last }

// Observe takes in what was sold in a period that is later than all before. The model learns from it at once; only trees wait for
// [Model.Fit].
func (m *Model) Observe(p Period) {
	if len(p.Products) == 0 {
		return
	}
	if m.state.N >= leastPeriods {
		m.learn(p)
	}
	m.state.observe(p)
	m.forget()
}

// learn compares what was expected of p with what came.
func (m *Model) learn(p Period) {
	most, truth := m.o.most(), bestSellers(p, m.o.most(), m.o.Aims)
	for i := range m.halves {
		m.halves[i].Sum += truth.share(m.frequency(i, most))
	}
	mo := m.state.moment(p.Start, m.o.Campaigns)
	cand := m.state.candidates(m.o.Candidates, mo)
	rows := rowset{at: m.state.N, y: make([]float64, len(cand)), offset: make([]float64, len(cand))}
	w := m.linear.weights()
	var x []float64
	scores := make([]float64, len(cand))
	for j, i := range cand {
		it := m.state.Items[i]
		x = m.state.features(it, mo, x[:0])
		rows.y[j], rows.offset[j] = truth.target(it.Code), dot(w, x)
		scores[j] = rows.offset[j]
		scores[j] += m.correction(x)
		for _, v := range x {
			rows.x = append(rows.x, narrow(v))
		}
	}
	m.note(outcome{truth.share(m.codes(cand, scores, most)), truth.share(m.frequency(m.bestHalf(), most))})
	width := len(w)
	x = slices.Grow(x[:0], width)[:width]
	for j := range cand {
		for c, v := range rows.x[j*width : (j+1)*width] {
			x[c] = widen(v)
		}
		m.linear.learn(x, rows.y[j])
	}
	m.window = append(m.window, rows)
	if len(m.window) > m.o.Window {
		m.window = slices.Delete(m.window, 0, len(m.window)-m.o.Window)
	}
}

func (m *Model) note(o outcome) {
	m.record = append(m.record, o)
	if len(m.record) > m.o.Record {
		m.record = slices.Delete(m.record, 0, len(m.record)-m.o.Record)
	}
}

// forget drops the products not sold for longest when there are too many.
func (m *Model) forget() {
	if len(m.state.Items) <= m.o.MaxProducts+m.o.MaxProducts/8 {
		return
	}
	slices.SortStableFunc(m.state.Items, func(a, b *item) int { return cmp.Compare(b.Last, a.Last) })
	m.state.Items = m.state.Items[:m.o.MaxProducts]
	used := map[int]bool{}
	for _, it := range m.state.Items {
		for _, w := range it.words {
			used[w] = true
		}
	}
	var words []word
	for i, w := range m.state.Words {
		if used[i] {
			words = append(words, w)
		}
	}
	m.state.Words = words
	m.state.link()
}

// Fit trains the trees anew on the last Options.Window periods. O(trees × depth × window × candidates × features): about a second.
func (m *Model) Fit() {
	if len(m.window) < leastPeriods {
		return
	}
	e := examples{width: len(m.linear.Z)}
	for _, r := range m.window {
		weight := math.Exp2(-float64(m.state.N-1-r.at) / float64(m.o.Window))
		e.x, e.y, e.offset = append(e.x, r.x...), append(e.y, r.y...), append(e.offset, r.offset...)
		for range r.y {
			e.weight = append(e.weight, weight)
		}
	}
	m.forests = append(m.forests, boost(e, m.o.Trees, m.o.Depth, m.o.Seed+uint64(m.state.N)<<16)) //nolint:gosec // not negative
	m.forests = m.forests[max(0, len(m.forests)-keptForests):]
}

// keptForests are how many trainings count at a time: each saw other rows and features, and together they are wrong less often.
const keptForests = 4

// correction is what the trees add to the regression's logit.
func (m *Model) correction(x []float64) (sum float64) {
	for _, f := range m.forests {
		sum += f.predict(x) / float64(len(m.forests))
	}
	return sum
}

// Standing tells how the model does.
func (m *Model) Standing() Standing {
	s := Standing{Periods: len(m.record), HalfLife: m.state.sc.base[m.bestHalf()].half}
	for _, o := range m.record {
		s.Model, s.Frequency = s.Model+o.Model/float64(len(m.record)), s.Frequency+o.Frequency/float64(len(m.record))
	}
	s.InUse = s.Model > s.Frequency && len(m.record) >= min(m.o.Record, leastPeriods)
	return s
}

// Top are the n products that will be sold most in the period that begins at a moment; zero is the one after the last that was observed.
// Those beyond the candidates follow by frequency. O(products log products).
func (m *Model) Top(at time.Time, n int) []Forecast {
	if at.IsZero() {
		at = m.state.Horizon.after(m.state.Last)
	}
	if !m.Standing().InUse {
		return m.Frequency(n)
	}
	codes, scores := m.rank(at, n)
	return m.forecasts(codes, scores)
}

// Frequency are the n products that exponentially decayed frequency expects to be sold most, with the half-life that did best so far: what
// a model falls back to.
func (m *Model) Frequency(n int) []Forecast { return m.forecasts(m.frequency(m.bestHalf(), n), nil) }

// rank is what the model says, whether it is in use or not.
func (m *Model) rank(at time.Time, n int) (codes []string, chance map[string]float64) {
	mo := m.state.moment(at, m.o.Campaigns)
	cand := m.state.candidates(m.o.Candidates, mo)
	w, scores := m.linear.weights(), make([]float64, len(cand))
	chance = make(map[string]float64, len(cand))
	var x []float64
	for j, i := range cand {
		x = m.state.features(m.state.Items[i], mo, x[:0])
		scores[j] = dot(w, x)
		scores[j] += m.correction(x)
		chance[m.state.Items[i].Code] = sigmoid(scores[j])
	}
	codes = m.codes(cand, scores, n)
	if len(codes) < n {
		for _, code := range m.frequency(m.bestHalf(), n) {
			if _, ok := chance[code]; !ok && len(codes) < n {
				codes = append(codes, code)
			}
		}
	}
	return codes, chance
}

// codes are the n candidates with the highest scores, equal ones by code.
func (m *Model) codes(cand []int, scores []float64, n int) []string {
	order := make([]int, len(cand))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(scores[b], scores[a]), strings.Compare(m.state.Items[cand[a]].Code, m.state.Items[cand[b]].Code))
	})
	out := make([]string, min(max(n, 0), len(order)))
	for i := range out {
		out[i] = m.state.Items[cand[order[i]]].Code
	}
	return out
}

func (m *Model) forecasts(codes []string, chance map[string]float64) []Forecast {
	half := m.bestHalf()
	out := make([]Forecast, len(codes))
	for i, code := range codes {
		it := m.state.Items[m.state.index[code]]
		units := it.Base[half] / m.state.sc.base[half].warmth(m.state.N)
		out[i] = Forecast{Code: code, Name: it.Name, Units: units, Score: units}
		if chance != nil {
			out[i].Score = chance[code]
		}
	}
	return out
}
