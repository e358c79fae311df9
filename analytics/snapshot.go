package analytics

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/stampede-shop/stampede/sketch"
)

// Snapshot is what the windows show at a moment.
type Snapshot struct {
	Time      time.Time         `json:"time"`
	LastEvent time.Time         `json:"last_event"`
	Minute    Window            `json:"last_minute"`   // sliding, by seconds
	Five      Window            `json:"last_5m"`       // sliding, by minutes
	Hour      Window            `json:"last_hour"`     // sliding, by minutes
	Tumbling  Window            `json:"minute_before"` // the last whole minute
	Funnel    Funnel            `json:"funnel"`        // of the last hour
	Carts     CartFigures       `json:"carts"`
	Viewed    []sketch.Weighted `json:"top_products"`
	Sold      []sketch.Weighted `json:"top_sold"`
	Classes   []sketch.Weighted `json:"top_categories"`
	Queries   []sketch.Weighted `json:"top_searches"`
	RunOut    []RunOut          `json:"stock_run_out"` // soonest first
}

// Window are figures of a span of time.
type Window struct {
	Seconds         float64          `json:"seconds"`
	Events          map[string]int64 `json:"events"` // by kind
	Orders          int64            `json:"orders"`
	OrdersPerMinute float64          `json:"orders_per_minute"`
	Units           int64            `json:"units,omitempty"`
	Revenue         map[string]int64 `json:"revenue,omitempty"` // by currency, minor units
	RevenueTotal    int64            `json:"revenue_total"`     // over all currencies, minor units
	Cancelled       int64            `json:"cancelled,omitempty"`
	Refunded        int64            `json:"refunded,omitempty"`
	Shoppers        int64            `json:"shoppers,omitempty"` // distinct, estimated
}

// Funnel counts the distinct shoppers who came at least as far as each stage, estimated. Views without a session belong to nobody.
type Funnel struct {
	View     int64   `json:"view"`
	Add      int64   `json:"add"`
	Checkout int64   `json:"checkout"`
	Order    int64   `json:"order"`
	Rate     float64 `json:"conversion"` // orders to views, 0 to 1
}

// CartFigures tell what became of filled carts in the last hour.
type CartFigures struct {
	Open      int64   `json:"open"`
	Abandoned int64   `json:"abandoned"` // nothing put in for half an hour, and not bought
	Bought    int64   `json:"bought"`
	Rate      float64 `json:"abandonment"` // abandoned to both, 0 to 1
}

// RunOut says when a product is sold out if it goes on selling as it does.
type RunOut struct {
	Product   int64   `json:"product"`
	Available int64   `json:"available"`
	PerMinute float64 `json:"units_per_minute"`
	Minutes   float64 `json:"minutes_left"`
}

const topShown = 10

// Snapshot reads the windows. Some 1 ms, and as long as others count.
func (l *Live) Snapshot(now time.Time) Snapshot {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.snapshot(now)
}

const (
	showEvery  = 100 * time.Millisecond // while somebody looks and events come
	showFor    = 300 * time.Millisecond
	watchedFor = 5 * time.Second // after somebody looked
)

// Latest is a Snapshot that may be 0.3 s old, and waits for nobody who counts while events come: to be read only, others have the same one.
func (l *Live) Latest(now time.Time) Snapshot {
	l.asked.Store(now.UnixMilli())
	if s := l.shown.Load(); s != nil && now.Sub(s.Time).Abs() < showFor {
		return *s
	}
	s := l.Snapshot(now)
	l.shown.Store(&s)
	return s
}

// show makes a snapshot for Latest, if one is due; the lock is held.
func (l *Live) show(now time.Time) {
	if now.UnixMilli()-l.asked.Load() > watchedFor.Milliseconds() {
		return
	}
	if s := l.shown.Load(); s == nil || now.Sub(s.Time) >= showEvery {
		s := l.snapshot(now)
		l.shown.Store(&s)
	}
}

// snapshot reads the windows; the lock is held.
func (l *Live) snapshot(now time.Time) Snapshot {
	at := now.UnixMicro()
	l.sweep(at)
	l.products(now)
	s := Snapshot{Time: now.UTC(), Minute: l.lastSeconds(at / 1_000_000), Five: l.lastMinutes(at, 5), Hour: l.lastMinutes(at, 60),
		Viewed: l.viewed.Top(topShown, now), Sold: l.sold.Top(topShown, now), Classes: l.classes.Top(topShown, now),
		Queries: l.queries.Top(topShown, now), RunOut: l.runOut(now)}
	if l.last > 0 {
		s.LastEvent = time.UnixMicro(l.last).UTC()
	}
	s.Tumbling = l.window(at/60_000_000-1, at/60_000_000-1)
	s.Tumbling.rates(60)
	s.Funnel = l.funnel(at / 60_000_000)
	s.Carts = l.cartFigures(at / 60_000_000)
	return s
}

// sweep counts carts that were left alone, once for each; they are counted in the minute that now is in.
func (l *Live) sweep(now int64) {
	if m := l.minute(now / 60_000_000); m != nil {
		m.abandoned += l.carts.idle(now-cartIdle.Microseconds()) * l.carts.scale()
	}
}

func (l *Live) lastSeconds(now int64) Window {
	w := Window{Events: map[string]int64{}}
	for _, t := range l.seconds {
		if t.at > now-60 && t.at <= now {
			w.add(t)
		}
	}
	w.rates(60)
	return w
}

// lastMinutes is a window of n minutes: the present one, as far as it is, and the n-1 before it.
func (l *Live) lastMinutes(now int64, n int64) Window {
	at := now / 60_000_000
	w := l.window(at-n+1, at)
	w.rates(float64(60*(n-1)) + float64(now%60_000_000)/1e6)
	return w
}

func (l *Live) window(from, to int64) Window {
	w := Window{Events: map[string]int64{}, Revenue: map[string]int64{}}
	all := sketch.NewHyperLogLog(hllBits)
	for i := range l.minutes {
		m := &l.minutes[i]
		if m.at < from || m.at > to {
			continue
		}
		w.add(m.tally)
		for currency, n := range m.revenueOf {
			w.Revenue[currency] += n
		}
		w.Cancelled, w.Refunded = w.Cancelled+m.cancelled, w.Refunded+m.refunded
		all.Merge(m.shoppers)
	}
	w.Shoppers = int64(all.Estimate() + 0.5)
	return w
}

func (w *Window) add(t tally) {
	for k, n := range t.events {
		if n > 0 {
			w.Events[Kind(k).String()] += n
		}
	}
	w.Orders += t.events[KindOrder]
	w.Units += t.units
	w.RevenueTotal += t.revenue
}

func (w *Window) rates(seconds float64) {
	w.Seconds = seconds
	if seconds > 0 {
		w.OrdersPerMinute = float64(w.Orders) * 60 / seconds
	}
}

func (l *Live) funnel(now int64) Funnel {
	var n [stages]int64
	for st := range n {
		all := sketch.NewHyperLogLog(hllBits)
		for i := range l.minutes {
			if m := &l.minutes[i]; m.at > now-60 && m.at <= now {
				all.Merge(m.stage[st])
			}
		}
		n[st] = int64(all.Estimate() + 0.5)
	}
	f := Funnel{View: n[0], Add: n[1], Checkout: n[2], Order: n[3]}
	if f.View > 0 {
		f.Rate = float64(f.Order) / float64(f.View)
	}
	return f
}

func (l *Live) cartFigures(now int64) CartFigures {
	c := CartFigures{Open: int64(len(l.carts.since)) * l.carts.scale()}
	for i := range l.minutes {
		if m := &l.minutes[i]; m.at > now-60 && m.at <= now {
			c.Abandoned, c.Bought = c.Abandoned+m.abandoned, c.Bought+m.bought
		}
	}
	if n := c.Abandoned + c.Bought; n > 0 {
		c.Rate = float64(c.Abandoned) / float64(n)
	}
	return c
}

func (l *Live) runOut(now time.Time) []RunOut {
	out := []RunOut{}
	for _, w := range l.sold.Top(topCapacity, now) {
		id, _ := strconv.ParseInt(w.Key, 10, 64)
		left, known := l.stock[id]
		rate := ratePerMinute(w.Weight, sellingHalf)
		if !known || rate <= 0 {
			continue
		}
		out = append(out, RunOut{Product: id, Available: left, PerMinute: rate, Minutes: float64(left) / rate})
	}
	slices.SortFunc(out, func(a, b RunOut) int {
		return cmp.Or(cmp.Compare(a.Minutes, b.Minutes), cmp.Compare(a.Product, b.Product))
	})
	return out[:min(len(out), topShown)]
}
