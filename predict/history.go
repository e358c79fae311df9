package predict

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Horizon is how long a period is.
type Horizon string

// The horizons.
const (
	Day  Horizon = "day"
	Hour Horizon = "hour"
)

// start is when the period of a moment began, in the moment's own zone.
func (h Horizon) start(t time.Time) time.Time {
	y, m, d := t.Date()
	hour := 0
	if h == Hour {
		hour = t.Hour()
	}
	return time.Date(y, m, d, hour, 0, 0, 0, t.Location())
}

// after is the start of the next period.
func (h Horizon) after(start time.Time) time.Time {
	if h == Hour {
		return start.Add(time.Hour)
	}
	return start.AddDate(0, 0, 1)
}

func (h Horizon) check() error {
	if h != Day && h != Hour {
		return fmt.Errorf("%w: horizon %q: day or hour", ErrOptions, h)
	}
	return nil
}

// Product is what was sold of a product in a period.
type Product struct {
	Code   string
	Name   string  // the last one seen
	Units  float64 // sold, on invoices that are not cancellations
	Orders int     // invoices it was on
	Price  float64 // mean of those given, by unit; 0 when none was
}

// Period is what was sold in a day or an hour: products by code, and which of them were on each invoice, as indexes into Products.
type Period struct {
	Start    time.Time
	Products []Product
	Baskets  [][]int
}

// Ranked are the indexes of the n products sold most, equal ones by code. O(len log len).
func (p Period) Ranked(n int) []int {
	order := make([]int, len(p.Products))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(p.Products[b].Units, p.Products[a].Units), strings.Compare(p.Products[a].Code, p.Products[b].Code))
	})
	return order[:min(max(n, 0), len(order))]
}

// History is a sequence of periods in which something was sold, in order; those without sales are not in it.
type History struct {
	Horizon Horizon
	Periods []Period
}

// Before is the part that ended before a moment.
func (h History) Before(t time.Time) History {
	n := len(h.Periods)
	for n > 0 && !h.Periods[n-1].Start.Before(t) {
		n--
	}
	return History{h.Horizon, h.Periods[:n]}
}

// ReadHistory sums a source up by day or hour. A source whose periods are not in order is refused: it would be summed up wrongly.
func ReadHistory(ctx context.Context, src Source, horizon Horizon) (History, error) {
	h := History{Horizon: horizon}
	if err := horizon.check(); err != nil {
		return h, err
	}
	var b *periodBuilder
	for s, err := range src.Sales(ctx) {
		if err != nil {
			return h, err
		}
		if !s.Sold() {
			continue
		}
		start := horizon.start(s.At)
		if b != nil && start.Before(b.start) {
			return h, fmt.Errorf("%w: a sale of %s (invoice %s) comes after one of %s: sales have to be in order", ErrHistory,
				s.At.Format(time.DateTime), s.Invoice, b.start.Format(time.DateTime))
		}
		if b == nil || !start.Equal(b.start) {
			if b != nil {
				h.Periods = append(h.Periods, b.period())
			}
			b = newPeriodBuilder(start)
		}
		b.add(s)
	}
	if b != nil {
		h.Periods = append(h.Periods, b.period())
	}
	return h, nil
}

// Sum makes one period of sales, whenever they were.
func Sum(start time.Time, sales []Sale) Period {
	b := newPeriodBuilder(start)
	for _, s := range sales {
		if s.Sold() {
			b.add(s)
		}
	}
	return b.period()
}

type periodBuilder struct {
	start    time.Time
	products map[string]*builtProduct
	baskets  map[string]map[string]bool
	invoices []string // in the order in which they came
}

type builtProduct struct {
	Product
	paid, priced float64
}

func newPeriodBuilder(start time.Time) *periodBuilder {
	return &periodBuilder{start: start, products: map[string]*builtProduct{}, baskets: map[string]map[string]bool{}}
}

func (b *periodBuilder) add(s Sale) {
	p := b.products[s.Code]
	if p == nil {
		p = &builtProduct{Product: Product{Code: s.Code}}
		b.products[s.Code] = p
	}
	p.Units += s.Quantity
	if s.Name != "" {
		p.Name = s.Name
	}
	if s.Price > 0 {
		p.paid, p.priced = p.paid+s.Price*s.Quantity, p.priced+s.Quantity
	}
	basket := b.baskets[s.Invoice]
	if basket == nil {
		basket = map[string]bool{}
		b.baskets[s.Invoice] = basket
		b.invoices = append(b.invoices, s.Invoice)
	}
	if !basket[s.Code] {
		basket[s.Code] = true
		p.Orders++
	}
}

func (b *periodBuilder) period() Period {
	out := Period{Start: b.start, Products: make([]Product, 0, len(b.products))}
	for _, p := range b.products {
		if p.priced > 0 {
			p.Price = p.paid / p.priced
		}
		out.Products = append(out.Products, p.Product)
	}
	slices.SortFunc(out.Products, func(a, b Product) int { return strings.Compare(a.Code, b.Code) })
	at := make(map[string]int, len(out.Products))
	for i, p := range out.Products {
		at[p.Code] = i
	}
	for _, inv := range b.invoices {
		basket := make([]int, 0, len(b.baskets[inv]))
		for code := range b.baskets[inv] {
			basket = append(basket, at[code])
		}
		slices.Sort(basket)
		out.Baskets = append(out.Baskets, basket)
	}
	return out
}
