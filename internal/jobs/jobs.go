package jobs

import (
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"

	"github.com/stampede-shop/stampede/internal/shop"
	"github.com/stampede-shop/stampede/queue"
)

// Jobs is the worker: consumers of the queue and regular jobs.
type Jobs struct {
	d     Deps
	log   *slog.Logger
	m     *metrics
	purge *purger
	mails *mailer // nil: no mail

	consumers []*queue.Consumer

	mu      sync.Mutex
	started bool
	stopped bool
	cancel  context.CancelFunc
	done    sync.WaitGroup
}

// New makes the worker; an error means that dependencies or settings are wrong.
func New(d Deps) (*Jobs, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	d.Periods = d.Periods.withDefaults()
	j := &Jobs{d: d, log: d.Log, m: newMetrics(d.Registerer), purge: &purger{purge: d.Purge}}
	var err error
	if j.mails, err = newMailer(d); err != nil {
		return nil, err
	}
	for _, c := range j.work() {
		c.Handler = d.observed(c.Durable, traced(c.Durable, c.Handler))
		c.Log, c.Registerer = d.Log, d.Registerer
		consumer, err := queue.NewConsumer(d.JetStream, c)
		if err != nil {
			return nil, err
		}
		j.consumers = append(j.consumers, consumer)
	}
	return j, nil
}

// work lists the consumers. Each has a durable name, and so a backlog, of its own: mail that cannot be sent holds up no
// stock.
func (j *Jobs) work() []queue.ConsumerOptions {
	all := []queue.ConsumerOptions{
		{Durable: "stock", Topics: []string{shop.TopicOrderConfirmed}, Handler: j.commitStock},
		{Durable: "undo", Topics: []string{shop.TopicOrderCancelled, shop.TopicCheckoutFailed}, Handler: j.undo},
		// Many at once, so that their purges are joined.
		{Durable: "catalogue", Topics: []string{shop.TopicStockLevel, shop.TopicProductChanged, shop.TopicCampaignChanged}, Handler: j.catalogue, Concurrency: 32},
	}
	if j.d.Events != nil {
		// Never a dead letter for want of room: a stream that is full, or a store that is away, holds up nothing but reports.
		all = append(all, queue.ConsumerOptions{Durable: "analytics", Handler: j.report, Concurrency: 16, MaxDeliver: math.MaxInt32,
			Topics: []string{shop.TopicOrderConfirmed, shop.TopicOrderCancelled, shop.TopicCheckoutFailed, shop.TopicCartAbandoned}})
	}
	if j.mails == nil {
		j.log.Warn("no mail is sent: neither an SMTP server nor a folder for mail is configured")
		return all
	}
	return append(all, queue.ConsumerOptions{Durable: "mail", Concurrency: 4, Handler: j.mails.handle,
		Topics: []string{shop.TopicOrderConfirmed, shop.TopicOrderCancelled, shop.TopicCartAbandoned}})
}

// Start begins to work; servers that are away are waited for. Starting twice, or after Stop, does nothing.
func (j *Jobs) Start(context.Context) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.started || j.stopped {
		return nil
	}
	j.started = true
	for _, c := range j.consumers {
		c.Start()
	}
	var ctx context.Context
	ctx, j.cancel = context.WithCancel(context.Background())
	for _, r := range j.regular() {
		j.done.Go(func() { j.repeat(ctx, r) })
	}
	return nil
}

// Stop finishes what is under way. It is safe to call again.
func (j *Jobs) Stop() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stopped = true
	if !j.started {
		return
	}
	j.cancel()
	for _, c := range j.consumers {
		j.done.Go(c.Stop)
	}
	j.done.Wait()
}

// traced continues the trace of the transaction that wrote the event.
func traced(name string, fn func(context.Context, queue.Message) error) func(context.Context, queue.Message) error {
	return func(ctx context.Context, m queue.Message) error {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": m.Traceparent})
		ctx, span := otel.Tracer("stampede/jobs").Start(ctx, name+" "+m.Topic)
		defer span.End()
		err := fn(ctx, m)
		if err != nil {
			span.SetStatus(codes.Error, err.Error())
		}
		return err
	}
}

// observed tells Deps.Observe how long each message took.
func (d Deps) observed(name string, fn func(context.Context, queue.Message) error) func(context.Context, queue.Message) error {
	if d.Observe == nil {
		return fn
	}
	return func(ctx context.Context, m queue.Message) error {
		begun := time.Now()
		err := fn(ctx, m)
		d.Observe(name, time.Since(begun), err)
		return err
	}
}

// decode reads a payload; one that cannot be read never will be.
func decode[T any](m queue.Message) (T, error) {
	var v T
	return v, queue.Permanent(json.Unmarshal(m.Data, &v))
}

// settled makes errors that no retry can mend permanent: what the event speaks of is not there.
func settled(err error) error {
	if shop.CodeOf(err) == shop.CodeNotFound {
		return queue.Permanent(err)
	}
	return err
}
