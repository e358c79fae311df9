package queue

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
)

// ConsumerOptions describe a [Consumer]. Durable, Topics and Handler are required; zero works for the rest.
type ConsumerOptions struct {
	Durable string   // names the group of processes that share the work, over restarts: letters, digits, - and _
	Topics  []string // what it handles; a change takes effect at the next start
	// Handler acts on a message. It must be idempotent and heed ctx. An error means again, later; [Permanent] and a
	// panic on the last attempt mean never.
	Handler func(ctx context.Context, m Message) error

	Concurrency int           // handlers at once in this process; default 8
	AckWait     time.Duration // without a sign of life for so long a message goes to another process; default 15 s
	Timeout     time.Duration // of one call of Handler, which is kept alive by heartbeats meanwhile; default 2 min
	// Backoff is the pause after the 1st, 2nd, … failure, ±20 %; the last repeats. Default 250 ms, 1, 5, 15, 30, 60 s.
	Backoff    []time.Duration
	MaxDeliver int // deliveries before a message becomes a dead letter; default 20 (a quarter of an hour with the default Backoff)
	// MaxPending bounds messages that are handled or wait for their next attempt, over all processes; default 1024.
	MaxPending int
	Log        *slog.Logger          // nil discards
	Registerer prometheus.Registerer // nil: no metrics
	// DrainTimeout is how long Stop lets handlers finish; default 10 s.
	DrainTimeout time.Duration
}

func (o ConsumerOptions) withDefaults() ConsumerOptions {
	o.Concurrency = orDefault(o.Concurrency, 8)
	o.AckWait = orDefault(o.AckWait, 15*time.Second)
	o.Timeout = orDefault(o.Timeout, 2*time.Minute)
	o.MaxDeliver = orDefault(o.MaxDeliver, 20)
	o.MaxPending = orDefault(o.MaxPending, max(1024, 2*o.Concurrency))
	o.DrainTimeout = orDefault(o.DrainTimeout, 10*time.Second)
	if len(o.Backoff) == 0 {
		o.Backoff = []time.Duration{250 * time.Millisecond, time.Second, 5 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute}
	}
	o.Log = logger(o.Log).With("consumer", o.Durable)
	return o
}

func (o ConsumerOptions) validate() error {
	switch {
	case !validToken(o.Durable):
		return fmt.Errorf("queue: durable %q cannot be a name", o.Durable)
	case len(o.Topics) == 0:
		return fmt.Errorf("queue: consumer %s has no topics", o.Durable)
	case o.Handler == nil:
		return fmt.Errorf("queue: consumer %s has no handler", o.Durable)
	case o.Concurrency < 0 || o.MaxDeliver < 0 || o.MaxPending < 0 || o.AckWait < 0 || o.Timeout < 0:
		return fmt.Errorf("queue: consumer %s has a negative setting", o.Durable)
	}
	for _, t := range o.Topics {
		if !validTopic(t) {
			return fmt.Errorf("queue: consumer %s: topic %q cannot be a subject", o.Durable, t)
		}
	}
	return nil
}

// Consumer hands the messages of its topics to a function, at least once each, in no particular order.
type Consumer struct {
	js jetstream.JetStream
	o  ConsumerOptions
	m  *consumerMetrics

	mu      sync.Mutex
	started bool
	stopped bool
	cancel  context.CancelFunc // no new messages
	abort   context.CancelFunc // handlers too
	done    sync.WaitGroup
}

// NewConsumer makes a consumer; Start runs it.
func NewConsumer(js jetstream.JetStream, o ConsumerOptions) (*Consumer, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	return &Consumer{js: js, o: o.withDefaults(), m: newConsumerMetrics(o.Registerer, o.Durable)}, nil
}

// Start begins to handle messages; what was published before the durable's first start is handled too. A server that is
// away is waited for in the background. Starting twice, or after Stop, does nothing.
func (c *Consumer) Start() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.started || c.stopped {
		return
	}
	c.started = true
	var ctx, work context.Context
	ctx, c.cancel = context.WithCancel(context.Background())
	work, c.abort = context.WithCancel(context.Background())
	for range c.o.Concurrency {
		c.done.Go(func() { c.run(ctx, work) })
	}
}

// Stop takes no new messages and waits for handlers at work, for DrainTimeout; then their context is cancelled, they are
// waited for, and their messages are delivered again. It is safe to call again.
func (c *Consumer) Stop() {
	c.mu.Lock()
	c.stopped = true
	started := c.started
	c.mu.Unlock()
	if !started {
		return
	}
	c.cancel()
	defer c.abort()
	if !waitFor(c.o.DrainTimeout, &c.done) {
		c.o.Log.Warn("handlers were interrupted")
		c.abort()
		c.done.Wait()
	}
}

// run is one worker: it handles messages until ctx ends. When the server does not know the durable any more, or says
// nothing, it is made again.
func (c *Consumer) run(ctx, work context.Context) {
	b := backoff{min: 100 * time.Millisecond, max: 2 * time.Second}
	for ctx.Err() == nil {
		began := time.Now()
		cons, err := c.ensure(ctx)
		if err == nil {
			err = c.consume(ctx, work, cons)
		}
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > time.Second {
			b.reset()
		}
		c.o.Log.Debug("consuming was interrupted; trying again", "error", err)
		pause(ctx, b.next(), nil)
	}
}

// ensure makes the durable on the server or brings it up to date.
func (c *Consumer) ensure(ctx context.Context) (jetstream.Consumer, error) {
	if !c.js.Conn().IsConnected() {
		return nil, ErrDisconnected
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	filters := make([]string, 0, 2*len(c.o.Topics))
	for _, t := range c.o.Topics {
		filters = append(filters, eventPrefix+"."+t, retryPrefix+"."+c.o.Durable+"."+t)
	}
	return c.js.CreateOrUpdateConsumer(ctx, EventStream, jetstream.ConsumerConfig{
		Durable: c.o.Durable, FilterSubjects: filters,
		DeliverPolicy: jetstream.DeliverAllPolicy, AckPolicy: jetstream.AckExplicitPolicy, AckWait: c.o.AckWait,
		MaxDeliver:    -1, // we count ourselves: the server would drop the message silently
		MaxAckPending: c.o.MaxPending, MaxWaiting: 512,
	})
}

// consume handles one message after the other. It asks for the next only when it is done with the last, so that no
// message grows old in a buffer.
func (c *Consumer) consume(ctx, work context.Context, cons jetstream.Consumer) error {
	it, err := cons.Messages(jetstream.PullMaxMessages(1), jetstream.PullExpiry(10*time.Second),
		jetstream.PullHeartbeat(2*time.Second))
	if err != nil {
		return err
	}
	defer giveBack(it)
	for {
		msg, err := it.Next(jetstream.NextContext(ctx))
		if err != nil {
			return err
		}
		c.handle(work, msg)
	}
}

// giveBack ends an iterator; a message that was on its way to it goes to another worker at once.
func giveBack(it jetstream.MessagesContext) {
	defer it.Stop()
	it.Drain()
	for {
		msg, err := it.Next(jetstream.NextMaxWait(time.Second))
		if err != nil {
			return
		}
		_ = msg.Nak()
	}
}
