package queue

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
)

// RelayOptions tune a [Relay]. The zero value works.
type RelayOptions struct {
	Prefix     string        // subjects are Prefix.topic; default "events", which [EnsureStreams] stores
	Batch      int           // rows of one transaction; default 500
	Poll       time.Duration // a look at the table when no notification came; default 1 s
	AckWait    time.Duration // for the stream to acknowledge a batch, and for each database call; default 5 s
	MaxBackoff time.Duration // between attempts while a database or NATS is away; default 2 s
	// TrimAt is the share of a stream's MaxBytes above which events that every consumer has handled are deleted;
	// default 0.7. TrimEvery is how often that is looked at; default 10 s.
	TrimAt     float64
	TrimEvery  time.Duration
	Log        *slog.Logger          // nil discards
	Registerer prometheus.Registerer // nil: no metrics
	// DrainTimeout is how long Stop lets a batch under way finish; default 10 s.
	DrainTimeout time.Duration

	// afterPublish, when set by a test, runs between the acknowledgement and the deletion; an error ends the batch.
	afterPublish func(source string) error
}

func (o RelayOptions) withDefaults() RelayOptions {
	o.Prefix = orDefault(o.Prefix, eventPrefix)
	o.Batch = orDefault(o.Batch, 500)
	o.Poll = orDefault(o.Poll, time.Second)
	o.AckWait = orDefault(o.AckWait, 5*time.Second)
	o.MaxBackoff = orDefault(o.MaxBackoff, 2*time.Second)
	o.TrimAt = orDefault(o.TrimAt, 0.7)
	o.TrimEvery = orDefault(o.TrimEvery, 10*time.Second)
	o.DrainTimeout = orDefault(o.DrainTimeout, 10*time.Second)
	o.Log = logger(o.Log)
	return o
}

// Relay moves outbox rows of its sources into the event stream: it locks a batch, publishes it, and deletes what the
// stream acknowledged in the transaction that locked it. Several relays may serve the same sources; they skip each
// other's rows. A relay that dies between publishing and deleting leaves rows that the next one publishes again under
// the same message id.
type Relay struct {
	js      jetstream.JetStream
	sources []Source
	o       RelayOptions
	m       *relayMetrics

	mu      sync.Mutex
	started bool
	stopped bool
	cancel  context.CancelFunc // ends the loops between batches
	abort   context.CancelFunc // ends batches too
	done    sync.WaitGroup
}

// NewRelay makes a relay; Start runs it.
func NewRelay(js jetstream.JetStream, sources []Source, o RelayOptions) *Relay {
	return &Relay{js: js, sources: sources, o: o.withDefaults(), m: newRelayMetrics(o.Registerer)}
}

// Start begins to move rows; it does not wait for servers that are away. Starting twice, or after Stop, does nothing.
func (r *Relay) Start() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.started || r.stopped {
		return
	}
	js, err := publisher(r.js, r.o.AckWait, max(4000, 2*r.o.Batch))
	if err != nil { // js was made with options that cannot be repeated: its own bounds must do
		js = r.js
	}
	r.started = true
	var ctx, work context.Context
	ctx, r.cancel = context.WithCancel(context.Background())
	work, r.abort = context.WithCancel(context.Background())
	for _, s := range r.sources {
		f := &feed{r: r, js: js, src: s, wake: make(chan struct{}, 1), aside: []int64{}, log: r.o.Log.With("outbox", s.Name)}
		r.done.Go(func() { f.listen(ctx) })
		r.done.Go(func() { f.run(ctx, work) })
	}
	r.done.Go(func() { r.trimLoop(ctx, js) })
}

// Stop lets batches under way finish, for DrainTimeout; then they are rolled back. It is safe to call again.
func (r *Relay) Stop() {
	r.mu.Lock()
	r.stopped = true
	started := r.started
	r.mu.Unlock()
	if !started {
		return
	}
	r.cancel()
	defer r.abort()
	if !waitFor(r.o.DrainTimeout, &r.done) {
		r.o.Log.Warn("the relay was stopped in the middle of a batch; its rows stay in the outbox")
		r.abort()
		r.done.Wait() // every step of a batch ends with its context
	}
}

// waitFor waits for wg, at most d, and tells whether it came to its end.
func waitFor(d time.Duration, wg *sync.WaitGroup) bool {
	idle := make(chan struct{})
	go func() { wg.Wait(); close(idle) }()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-idle:
		return true
	case <-t.C:
		return false
	}
}
