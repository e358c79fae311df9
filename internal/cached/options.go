package cached

import (
	"log/slog"
	"time"

	"github.com/stampede-shop/stampede/internal/shop"
)

// Options of the decorators; each reads what concerns it. The zero value works.
type Options struct {
	ProductTTL time.Duration // default 10 min; invalidated by tag long before
	ListTTL    time.Duration // default 30 s: with as much again while it is loaded anew, bounds how late a list shows what no tag told it
	DeepTTL    time.Duration // default 10 s: pages behind a cursor are read by few
	FacetTTL   time.Duration // default 30 s: counts with filters; invalidated by tag before
	TotalsTTL  time.Duration // default shop.ShownFor, counted from when reading began: counts without filters
	AbsentTTL  time.Duration // default 5 s: ids that do not exist
	StockTTL   time.Duration // default shop.ShownFor, counted from when reading began
	SessionTTL time.Duration // default 60 s: bounds how long a process that missed an invalidation believes in a session
	L1Bytes    uint64        // memory for products; lists have as much, deep pages, counts, stock and sessions an eighth each. Default 64 MiB
	Log        *slog.Logger  // hears of purges that could not be confirmed; nil discards
}

func (o Options) withDefaults() Options {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&o.ProductTTL, 10*time.Minute)
	def(&o.ListTTL, 30*time.Second)
	def(&o.DeepTTL, 10*time.Second)
	def(&o.FacetTTL, 30*time.Second)
	def(&o.TotalsTTL, shop.ShownFor)
	def(&o.AbsentTTL, 5*time.Second)
	def(&o.StockTTL, shop.ShownFor)
	def(&o.SessionTTL, time.Minute)
	if o.L1Bytes == 0 {
		o.L1Bytes = 64 << 20
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}
