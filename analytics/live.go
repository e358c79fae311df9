package analytics

import (
	"math"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stampede-shop/stampede/sketch"
)

// liveSpan is how far back windows reach.
const liveSpan = time.Hour

const (
	liveMinutes = 61 // the present one, and those of an hour
	liveSeconds = 61
	stages      = 4
	hllBits     = 12               // 4 KiB, an error of 1.6 %
	topCapacity = 512              // keys counted for each list
	topHalfLife = 10 * time.Minute // of what top lists count
	sellingHalf = 30 * time.Minute // of the rate at which units are sold
	cartIdle    = 30 * time.Minute // after which a cart counts as left alone
	maxGathered = 1 << 18          // events between two additions to the lists
	maxCarts    = 1 << 20          // followed at once; beyond it only a share of the shoppers is
)

// stageOf is where in the funnel a kind is, -1 for nowhere: view, add, checkout, order.
var stageOf = func() (of [kinds]int8) {
	for i := range of {
		of[i] = -1
	}
	of[KindView], of[KindAdd], of[KindCheckout], of[KindOrder] = 0, 1, 2, 3
	return of
}()

// Live keeps windows over what happened in the last hour, by the events' own times. Counts and money are exact; shoppers are estimated
// within some 2 %, top lists by space saving. Memory is bounded: about 3 MB, and up to 64 MB for carts. Safe for concurrent use.
type Live struct {
	mu      sync.Mutex
	seconds [liveSeconds]tally
	minutes [liveMinutes]minute
	viewed  *sketch.DecayedTopK
	sold    *sketch.DecayedTopK // by units
	classes *sketch.DecayedTopK // categories, by views
	queries *sketch.DecayedTopK
	carts   carts
	stock   map[int64]int64
	last    int64 // µs, newest event

	// Not in the lists yet: views and units by product, of several batches; categories and searches by word, of one.
	views, units     map[int64]int64
	classOf, queryOf []int64
	gathered         int       // events in views and units
	added            time.Time // when these were last empty

	shown atomic.Pointer[Snapshot] // what Latest returns
	asked atomic.Int64             // when Latest was called last, ms
}

// tally counts one second or minute, which at names.
type tally struct {
	at      int64
	events  [kinds]int64
	units   int64
	revenue int64
}

type minute struct {
	tally
	shoppers            *sketch.HyperLogLog
	stage               [stages]*sketch.HyperLogLog
	abandoned, bought   int64 // carts
	revenueOf           map[string]int64
	cancelled, refunded int64
}

// NewLive makes empty windows.
func NewLive() *Live {
	top := func(half time.Duration) *sketch.DecayedTopK { return sketch.NewDecayedTopK(topCapacity, half) }
	l := &Live{viewed: top(topHalfLife), sold: top(sellingHalf), classes: top(topHalfLife), queries: top(topHalfLife),
		carts: newCarts(), views: map[int64]int64{}, units: map[int64]int64{}, stock: map[int64]int64{}}
	for i := range l.minutes {
		l.minutes[i].clear(-1)
	}
	for i := range l.seconds {
		l.seconds[i].at = -1
	}
	return l
}

func (m *minute) clear(at int64) {
	if m.shoppers == nil {
		m.shoppers = sketch.NewHyperLogLog(hllBits)
		for i := range m.stage {
			m.stage[i] = sketch.NewHyperLogLog(hllBits)
		}
	}
	m.tally, m.abandoned, m.bought, m.cancelled, m.refunded = tally{at: at}, 0, 0, 0, 0
	m.revenueOf = map[string]int64{}
	m.shoppers.Reset()
	for _, s := range m.stage {
		s.Reset()
	}
}

// minute finds the counts of a minute since 1970, made anew if it is newer than what is there; nil when it is too old.
func (l *Live) minute(at int64) *minute {
	m := &l.minutes[at%liveMinutes]
	if m.at < at {
		m.clear(at)
	}
	if m.at > at {
		return nil
	}
	return m
}

func (l *Live) second(at int64) *tally {
	s := &l.seconds[at%liveSeconds]
	if s.at < at {
		*s = tally{at: at}
	}
	if s.at > at {
		return nil
	}
	return s
}

// Observe counts events, each of which is to be passed once. Some 50 ns each.
func (l *Live) Observe(now time.Time, b *Batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.classOf, l.queryOf = zeroed(l.classOf, len(b.Dict)), zeroed(l.queryOf, len(b.Dict))
	newest, oldest := now.UnixMicro(), now.Add(-liveSpan).UnixMicro()
	var m *minute
	var s *tally
	mAt, sAt := int64(-1), int64(-1)
	for i, kind := range b.Kinds {
		t := min(b.Times[i], newest)
		if t < oldest {
			continue
		}
		l.last = max(l.last, t)
		if at := t / 60_000_000; at != mAt {
			mAt, m = at, l.minute(at)
		}
		if at := t / 1_000_000; at != sAt {
			sAt, s = at, l.second(at)
		}
		if m == nil {
			continue
		}
		l.count(m, s, Kind(kind), b, i, t)
	}
	l.words(now, b.Dict)
	if l.gathered += b.Len(); l.gathered >= maxGathered || now.Sub(l.added) >= time.Second {
		l.products(now)
	}
	l.show(now)
}

func (l *Live) count(m *minute, s *tally, kind Kind, b *Batch, i int, t int64) {
	m.events[kind]++
	if s != nil {
		s.events[kind]++
	}
	if who := b.Shoppers[i]; who != 0 {
		m.shoppers.AddHash(who)
		for st := stageOf[kind]; st >= 0; st-- { // who came so far came past all before it
			m.stage[st].AddHash(who)
		}
	}
	switch kind {
	case KindView:
		if p := b.Products[i]; p != 0 {
			l.views[p]++
		}
		l.classOf[b.Categories[i]]++
	case KindSearch:
		l.queryOf[b.Queries[i]]++
	case KindAdd:
		l.carts.filled(b.Shoppers[i], t)
	case KindOrder:
		m.revenue += b.Amounts[i]
		m.revenueOf[b.Dict[b.Currencies[i]]] += b.Amounts[i]
		if s != nil {
			s.revenue += b.Amounts[i]
		}
		if l.carts.bought(b.Shoppers[i]) {
			m.bought += l.carts.scale()
		}
	case KindCancel:
		m.cancelled++
		m.refunded += b.Amounts[i]
	case KindPurchase:
		m.units += int64(b.Quantities[i])
		l.units[b.Products[i]] += int64(b.Quantities[i])
	}
}

// products adds to the lists what was gathered: counting a product once for many events is cheaper by far.
func (l *Live) products(now time.Time) {
	l.gathered, l.added = 0, now
	for p, n := range l.views {
		l.viewed.Add(strconv.FormatInt(p, 10), float64(n), now)
	}
	for p, n := range l.units {
		l.sold.Add(strconv.FormatInt(p, 10), float64(n), now)
	}
	clear(l.views)
	clear(l.units)
}

// words adds what one batch had to the lists of words.
func (l *Live) words(now time.Time, words []string) {
	for w := 1; w < len(words); w++ { // 0 is none
		l.classes.Add(words[w], float64(l.classOf[w]), now)
		l.queries.Add(words[w], float64(l.queryOf[w]), now)
	}
}

func zeroed(s []int64, n int) []int64 {
	s = sized(s, n)
	clear(s)
	return s
}

// SetStock tells how many units of products are left, for [Snapshot].RunOut.
func (l *Live) SetStock(available map[int64]int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stock = available
}

// Selling are the products that sell most at present, at most n.
func (l *Live) Selling(n int, now time.Time) []int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.products(now)
	var ids []int64
	for _, w := range l.sold.Top(n, now) {
		if id, err := strconv.ParseInt(w.Key, 10, 64); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// ratePerMinute is what a decayed count says of the present rate: counts that come evenly weigh half-life/ln 2 together.
func ratePerMinute(weight float64, half time.Duration) float64 {
	return weight * math.Ln2 / half.Minutes()
}
