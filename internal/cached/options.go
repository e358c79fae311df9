package cached

import (
	"log/slog"
	"time"
)

// Options of the decorators; each reads what concerns it. The zero value works.
type Options struct {
	ProductTTL time.Duration // default 10 min; invalidated by tag long before
	ListTTL    time.Duration // default 5 s: bounds how late a list shows what no tag told it
	DeepTTL    time.Duration // default 2 s: pages behind a cursor are read by few
	AbsentTTL  time.Duration // default 5 s: ids that do not exist
	StockTTL   time.Duration // default 500 ms, counted from when reading began
	SessionTTL time.Duration // default 60 s: bounds how long a process that missed an invalidation believes in a session
	L1Bytes    uint64        // memory for products; lists have half of it, deep pages, stock and sessions an eighth each. Default 64 MiB
	Log        *slog.Logger  // hears of purges that could not be confirmed; nil discards
}

func (o Options) withDefaults() Options {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&o.ProductTTL, 10*time.Minute)
	def(&o.ListTTL, 5*time.Second)
	def(&o.DeepTTL, 2*time.Second)
	def(&o.AbsentTTL, 5*time.Second)
	def(&o.StockTTL, 500*time.Millisecond)
	def(&o.SessionTTL, time.Minute)
	if o.L1Bytes == 0 {
		o.L1Bytes = 64 << 20
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}
