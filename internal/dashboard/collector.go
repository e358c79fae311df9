package dashboard

import (
	"context"
	"sync"
	"time"
)

// Options say where a [Collector] gets its figures.
type Options struct {
	// Metrics asks every process for what [Export] gave there; one that does not answer is missing. Required.
	Metrics func(ctx context.Context) map[string][]Family
	// Processes are the ids of the processes whose CPU and memory are counted, by name; nil counts none.
	Processes func() map[string]int
	// Extra adds figures from elsewhere to a snapshot before it is kept; may be nil.
	Extra func(ctx context.Context, s *Snapshot)
	// Every is how often; zero is a second.
	Every time.Duration
}

// frames kept: percentiles look ten seconds back, rates two.
const (
	longFrames  = 10
	shortFrames = 2
)

// Collector gathers snapshots until it is stopped.
type Collector struct {
	o      Options
	frames []*frame // oldest first

	mu      sync.Mutex
	latest  Snapshot
	changed chan struct{} // closed at the next snapshot
	heat    Heats
	history History
}

// Heats are the last columns of the latency heat map, oldest first.
type Heats struct {
	Bounds  []float64   `json:"bounds"`
	Columns [][]float64 `json:"columns"`
}

const heatColumns = 300

// NewCollector makes a collector; Run starts it.
func NewCollector(o Options) *Collector {
	if o.Every == 0 {
		o.Every = time.Second
	}
	return &Collector{o: o, changed: make(chan struct{})}
}

// Run gathers until ctx ends.
func (c *Collector) Run(ctx context.Context) {
	tick := time.NewTicker(c.o.Every)
	defer tick.Stop()
	for {
		c.gather(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (c *Collector) gather(ctx context.Context) {
	f := newFrame(time.Now(), c.o.Metrics(ctx))
	if c.o.Processes != nil {
		f.cpu, f.rss = usage(c.o.Processes())
	}
	if c.frames = append(c.frames, f); len(c.frames) > longFrames+1 {
		c.frames = c.frames[1:]
	}
	n := len(c.frames)
	if n < 2 {
		return
	}
	back := func(k int) span { return span{c.frames[max(n-1-k, 0)], f} }
	s := compute(back(1), back(shortFrames), back(longFrames))
	if c.o.Extra != nil {
		c.o.Extra(ctx, &s)
	}
	c.history.Add(s.Time, s.Values)
	c.mu.Lock()
	c.latest = s
	if s.Heat.Bounds != nil {
		c.heat.Bounds = s.Heat.Bounds
		c.heat.Columns = append(c.heat.Columns, s.Heat.Counts)
		c.heat.Columns = c.heat.Columns[max(0, len(c.heat.Columns)-heatColumns):]
	}
	close(c.changed)
	c.changed = make(chan struct{})
	c.mu.Unlock()
}

// Latest is the newest snapshot; its Time is zero before the first.
func (c *Collector) Latest() Snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.latest
}

// Changed is closed when there is a newer snapshot than the one that Latest gave before.
func (c *Collector) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

// Heat are the last five minutes of the latency heat map.
func (c *Collector) Heat() Heats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Heats{c.heat.Bounds, append([][]float64(nil), c.heat.Columns...)}
}

// History is what was.
func (c *Collector) History() *History { return &c.history }
