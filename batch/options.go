package batch

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Result is the outcome of one request of a batch.
type Result[Res any] struct {
	Value Res
	Err   error
}

// Options of a Batcher. Run is needed; the zero value of everything else works.
type Options[Req, Res any] struct {
	// Run does all items and returns one result for each, in their order. An error instead says that none of them took
	// effect, except when Uncertain says otherwise. ctx ends after RunTimeout or when Close runs out of patience.
	Run func(ctx context.Context, key string, items []Req) ([]Result[Res], error)
	// Apart names what an item is about: two items of one key with the same name are never under way at once and run in
	// their order. Items named "" go together with any. nil: all do.
	Apart func(Req) string

	MaxSize  int  // items in a batch; 0 means 128
	MaxQueue int  // items of one key that wait; 0 means 4096
	Wait     bool // a Submit to a full queue waits for room until its context ends, instead of ErrFull at once
	Parallel int  // batches of one key under way; 0 means 1
	// Slots bounds the batches under way over all keys; 0 is no bound. Where all keys end at one machine, fewer slots
	// make larger batches: the others gather meanwhile. The fullest queue comes first, and none waits for ever. A batch
	// that takes 25 ms, and eight times as long as those of its key have of late, gives its slot up: one that hangs stops nobody else.
	Slots int
	// Group names what keys belong together. With Slots, and a crowd, all keys of a group that wait get theirs, and end,
	// before another group does, which waits a millisecond at most for callers on their way to it; a key may wait for five groups. Callers that come to one group after another then move in
	// step, which makes batches larger. nil: all keys are one group.
	Group func(key string) string

	// MaxLinger bounds how long an idle key waits for company when that pays; 0 never waits. The clock of the operating
	// system may make 1 ms of less.
	MaxLinger time.Duration
	// RunTimeout bounds a batch, repetitions and halves included. 0 means 10 s.
	RunTimeout time.Duration
	// IdleAfter is how long a key without work keeps its goroutine. 0 means 30 s.
	IdleAfter time.Duration

	// Retryable tells errors after which the whole batch may run again: it was rolled back through no fault of its own
	// (serialization failure, deadlock, no connection was had). nil: none is.
	Retryable func(error) bool
	// Uncertain tells errors that leave open whether the batch took effect (connection lost during commit). nil means
	// ended contexts and network errors. A panic of Run and a wrong number of results are always uncertain.
	Uncertain func(error) bool
	// Idempotent says that running an item twice is the same as once: uncertain batches run again.
	Idempotent bool
	// MaxRetries bounds how often a batch runs again, by Retryable and Idempotent together. 0 means 3.
	MaxRetries int
	// Backoff is the pause before the first repetition; each further one doubles it. 0 means 5 ms.
	Backoff time.Duration

	// OnOrphan hears of outcomes whose caller had gone. It is called from the batch's goroutine and should be quick.
	OnOrphan func(key string, item Req, out Result[Res])

	Name       string                // label of the metrics; "" means "batch"
	Registerer prometheus.Registerer // nil means no metrics
	Log        *slog.Logger          // hears of halved batches, repetitions and panics; nil discards
}

func (o *Options[Req, Res]) defaults() {
	orDefault(&o.MaxSize, 128)
	if o.MaxQueue == 0 {
		o.MaxQueue = 4096
	}
	orDefault(&o.Parallel, 1)
	orDefault(&o.RunTimeout, 10*time.Second)
	orDefault(&o.IdleAfter, 30*time.Second)
	orDefault(&o.MaxRetries, 3)
	orDefault(&o.Backoff, 5*time.Millisecond)
	if o.Retryable == nil {
		o.Retryable = func(error) bool { return false }
	}
	if o.Uncertain == nil {
		o.Uncertain = lostAnswer
	}
	if o.Name == "" {
		o.Name = "batch"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// orDefault sets what was left at zero, or is below it.
func orDefault[T ~int | ~int64](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

// lostAnswer is the Uncertain of a Batcher that was told none.
func lostAnswer(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.As(err, &network) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}
