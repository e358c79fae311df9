package analytics

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
)

// Errors of a collector.
var (
	// ErrBusy says that events come faster than they are taken away, or that the queue is full or away: try again in a moment.
	ErrBusy = errors.New("analytics: too many events wait to be taken; send them again in a moment")
	// ErrClosed says that the collector was closed.
	ErrClosed = errors.New("analytics: the collector is closed")
)

// CollectorOptions tune a [Collector]. The zero value works.
type CollectorOptions struct {
	Delay      time.Duration // how long a batch waits for more; default 5 ms
	MaxEvents  int           // of a batch; default 8192
	MaxBytes   int           // of a batch; default 512 KiB, well below what NATS takes
	MaxWaiting int           // events that wait for the stream to have them, beyond which none are taken; default 65,536
	Patience   time.Duration // how long a batch is tried to be published; default 3 s
	Registerer prometheus.Registerer
	Log        *slog.Logger
	Now        func() time.Time
}

func (o CollectorOptions) withDefaults() CollectorOptions {
	o.Delay, o.Patience = orDefault(o.Delay, 5*time.Millisecond), orDefault(o.Patience, 3*time.Second)
	o.MaxEvents, o.MaxBytes, o.MaxWaiting = orDefault(o.MaxEvents, 8192), orDefault(o.MaxBytes, 512<<10), orDefault(o.MaxWaiting, 65_536)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Collector joins the events of many callers into batches and publishes them. It is safe for concurrent use.
type Collector struct {
	js jetstream.JetStream
	o  CollectorOptions
	m  *collectorMetrics

	mu      sync.Mutex
	open    *gathering // what is being gathered; nil: nothing
	waiting int        // events that are in no stream yet
	closed  bool
	ctx     context.Context
	cancel  context.CancelFunc
	done    sync.WaitGroup
}

// gathering is a batch on its way. done is closed when the stream has it, or err says why not.
type gathering struct {
	batch Batch
	timer *time.Timer
	done  chan struct{}
	err   error
}

// NewCollector makes a collector; Close ends it.
func NewCollector(js jetstream.JetStream, o CollectorOptions) *Collector {
	c := &Collector{js: js, o: o.withDefaults()}
	c.m = newCollectorMetrics(c.o.Registerer)
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// Add publishes events that were checked, and returns when the stream has them on file. ErrBusy: nothing is known to be taken, or only
// a part; the same events may be sent again, and count once.
func (c *Collector) Add(ctx context.Context, events []Event) error {
	on, err := c.put(events)
	if err != nil {
		return err
	}
	for _, g := range on {
		select {
		case <-g.done:
			if g.err != nil {
				return g.err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Track hands over events without waiting. When too many wait, these are dropped and counted.
func (c *Collector) Track(events ...Event) {
	if _, err := c.put(events); err != nil {
		c.m.dropped.Add(float64(len(events)))
	}
}

// put adds events to the open batches and returns those.
func (c *Collector) put(events []Event) ([]*gathering, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	if c.waiting+len(events) > c.o.MaxWaiting {
		c.m.refused.Add(float64(len(events)))
		return nil, ErrBusy
	}
	c.waiting += len(events)
	var on []*gathering
	for i := range events {
		if c.open == nil {
			c.begin()
		}
		g := c.open
		if len(on) == 0 || on[len(on)-1] != g {
			on = append(on, g)
		}
		g.batch.Add(&events[i])
		if g.batch.Len() >= c.o.MaxEvents || g.batch.Size() >= c.o.MaxBytes {
			c.send()
		}
	}
	return on, nil
}

// begin opens a batch; the lock is held.
func (c *Collector) begin() {
	g := &gathering{done: make(chan struct{})}
	c.open = g
	g.timer = time.AfterFunc(c.o.Delay, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.open == g {
			c.send()
		}
	})
}

// send closes the open batch and publishes it; the lock is held.
func (c *Collector) send() {
	g := c.open
	c.open = nil
	g.timer.Stop()
	c.done.Go(func() {
		g.batch.Received = c.o.Now().UnixMicro()
		g.err = c.publish(g.batch.Append(nil))
		n := g.batch.Len()
		if g.err == nil {
			c.m.published.Add(float64(n))
		} else {
			c.m.failed.Add(float64(n))
			c.o.Log.Warn("events could not be published", "events", n, "error", g.err)
		}
		c.mu.Lock()
		c.waiting -= n
		c.mu.Unlock()
		close(g.done)
	})
}

// publish tries until the stream has the batch, or patience ends: ErrBusy.
func (c *Collector) publish(raw []byte) error {
	ctx, cancel := context.WithTimeout(c.ctx, c.o.Patience)
	defer cancel()
	pause := 20 * time.Millisecond
	for {
		err := Publish(ctx, c.js, raw)
		if err == nil {
			return nil
		}
		var api *jetstream.APIError
		if errors.As(err, &api) && api.ErrorCode == errStreamFull {
			c.m.full.Inc()
		}
		select {
		case <-ctx.Done():
			return errors.Join(ErrBusy, err)
		case <-time.After(pause):
			pause = min(2*pause, time.Second)
		}
	}
}

const publishTimeout = 2 * time.Second

// Publish sends one encoded batch and returns when the stream has it on file. It may be sent again.
func Publish(ctx context.Context, js jetstream.JetStream, raw []byte) error {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	_, err := js.Publish(ctx, Subject, raw, jetstream.WithRetryAttempts(0))
	return err
}

// Close publishes what waits, for as long as ctx allows. Safe to call again.
func (c *Collector) Close(ctx context.Context) {
	c.mu.Lock()
	c.closed = true
	if c.open != nil {
		c.send()
	}
	c.mu.Unlock()
	idle := make(chan struct{})
	go func() { c.done.Wait(); close(idle) }()
	select {
	case <-idle:
	case <-ctx.Done():
	}
	c.cancel()
	<-idle
}
