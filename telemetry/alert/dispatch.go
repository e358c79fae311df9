package alert

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Notifier tells somebody. Notify has the context's deadline; it returns a [Permanent] error when trying again is of no use.
type Notifier interface {
	Notify(ctx context.Context, n Notification) error
	String() string // names it in logs, without secrets
}

// permanent is an error that will not go away.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// Permanent marks an error of a [Notifier] that trying again will not change.
func Permanent(err error) error { return permanent{err} }

// DispatcherOptions configure a [Dispatcher]; the zero value works.
type DispatcherOptions struct {
	Timeout time.Duration // of one attempt; default 10 s
	Tries   int           // of a notification; default 6
	Backoff time.Duration // after the first failure, doubled after each; default 1 s
	Queue   int           // notifications that wait for one notifier; the oldest is dropped; default 64
	Log     *slog.Logger  // nil discards
}

// Dispatcher hands notifications to notifiers, each at its own pace. Make it with [NewDispatcher], end it with
// [Dispatcher.Close].
type Dispatcher struct {
	o      DispatcherOptions
	ctx    context.Context
	cancel context.CancelFunc
	lines  []*line
	done   sync.WaitGroup
}

// line is the queue to one notifier.
type line struct {
	to      Notifier
	mu      sync.Mutex
	waiting []Notification
	wake    chan struct{}
	sent    atomic.Uint64
	failed  atomic.Uint64
	dropped atomic.Uint64
}

// NewDispatcher starts a goroutine for each notifier.
func NewDispatcher(o DispatcherOptions, to ...Notifier) *Dispatcher {
	def(&o.Timeout, 10*time.Second)
	def(&o.Tries, 6)
	def(&o.Backoff, time.Second)
	def(&o.Queue, 64)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	d := &Dispatcher{o: o}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	for _, n := range to {
		l := &line{to: n, wake: make(chan struct{}, 1)}
		d.lines = append(d.lines, l)
		d.done.Go(func() { d.run(l) })
	}
	return d
}

// Send queues a notification for every notifier. It does not block.
func (d *Dispatcher) Send(n Notification) {
	for _, l := range d.lines {
		l.mu.Lock()
		if over := len(l.waiting) + 1 - d.o.Queue; over > 0 {
			l.waiting = append(l.waiting[:0], l.waiting[over:]...)
			l.dropped.Add(uint64(over)) //nolint:gosec // positive
		}
		l.waiting = append(l.waiting, n)
		l.mu.Unlock()
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

// Delivery is how a notifier fares.
type Delivery struct {
	To      string `json:"to"`
	Waiting int    `json:"waiting"`
	Sent    uint64 `json:"sent"`
	Failed  uint64 `json:"failed"`  // given up
	Dropped uint64 `json:"dropped"` // because too many waited
}

// Deliveries lists how the notifiers fare.
func (d *Dispatcher) Deliveries() []Delivery {
	out := make([]Delivery, len(d.lines))
	for i, l := range d.lines {
		l.mu.Lock()
		out[i] = Delivery{l.to.String(), len(l.waiting), l.sent.Load(), l.failed.Load(), l.dropped.Load()}
		l.mu.Unlock()
	}
	return out
}

// Close gives up what is not delivered yet and waits for the goroutines. It may be called again.
func (d *Dispatcher) Close() {
	d.cancel()
	d.done.Wait()
}

func (d *Dispatcher) run(l *line) {
	for {
		n, ok := l.take()
		if !ok {
			select {
			case <-d.ctx.Done():
				return
			case <-l.wake:
			}
			continue
		}
		err := d.deliver(l.to, n)
		switch {
		case d.ctx.Err() != nil:
			return
		case err != nil:
			l.failed.Add(1)
			d.o.Log.Error("nobody was told of an alert", "notifier", l.to.String(), "group", n.Group, "status", string(n.Status), "error", err)
		default:
			l.sent.Add(1)
		}
	}
}

func (l *line) take() (n Notification, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		return n, false
	}
	n = l.waiting[0]
	l.waiting = append(l.waiting[:0], l.waiting[1:]...)
	return n, true
}

// deliver tries until it works, is of no use, or was tried often enough.
func (d *Dispatcher) deliver(to Notifier, n Notification) error {
	pause := d.o.Backoff
	for try := 1; ; try++ {
		ctx, cancel := context.WithTimeout(d.ctx, d.o.Timeout)
		err := to.Notify(ctx, n)
		cancel()
		var p permanent
		if err == nil || errors.As(err, &p) || try >= d.o.Tries {
			return err
		}
		t := time.NewTimer(pause)
		select {
		case <-d.ctx.Done():
			t.Stop()
			return err
		case <-t.C:
		}
		pause *= 2
	}
}
