package replica

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// ErrOverloaded means that no replica could serve a read and that the primary has enough to do. The error is an [*Overload]: it
// says when to come back. Better answers than an error are a cached one, or 503 with Retry-After.
var ErrOverloaded = errors.New("replica: no replica, and the primary's budget for reads is spent")

// Overload is the ErrOverloaded of one read.
type Overload struct {
	RetryAfter time.Duration
}

// Error tells when to come back.
func (o *Overload) Error() string {
	return fmt.Sprintf("%v: retry after %s", ErrOverloaded, o.RetryAfter)
}

// Unwrap makes it an ErrOverloaded.
func (*Overload) Unwrap() error { return ErrOverloaded }

// budget is how many reads the primary serves at a time in place of replicas, so that it survives without them.
type budget struct {
	slots   chan struct{}
	queue   int64
	patient time.Duration
	retry   time.Duration

	waiting atomic.Int64
	refused atomic.Uint64
}

func newBudget(o Options) *budget {
	return &budget{slots: make(chan struct{}, o.PrimaryReadLimit), queue: int64(max(o.PrimaryReadQueue, 0)),
		patient: o.PrimaryReadWait, retry: max(time.Second, o.Interval)}
}

// acquire takes a slot, waiting in the queue if there is room in it. A nil budget is unlimited.
func (b *budget) acquire(ctx context.Context) error {
	if b == nil {
		return nil
	}
	select {
	case b.slots <- struct{}{}:
		return nil
	default:
	}
	if b.waiting.Add(1) > b.queue {
		b.waiting.Add(-1)
		return b.refuse()
	}
	defer b.waiting.Add(-1)
	timer := time.NewTimer(b.patient)
	defer timer.Stop()
	select {
	case b.slots <- struct{}{}:
		return nil
	case <-timer.C:
		return b.refuse()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *budget) refuse() error {
	b.refused.Add(1)
	return &Overload{RetryAfter: b.retry}
}

func (b *budget) release() {
	if b != nil {
		<-b.slots
	}
}
