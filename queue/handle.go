package queue

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// errNeverFinished is the reason of a message whose every delivery ended without a word: its handler hangs or takes
// the process down.
var errNeverFinished = errors.New("queue: no delivery was ever finished")

// handle sees one delivery through: handled, again later, or a dead letter.
func (c *Consumer) handle(ctx context.Context, msg jetstream.Msg) {
	meta, err := msg.Metadata()
	if err != nil {
		c.o.Log.Error("a message without JetStream metadata was skipped", "subject", msg.Subject(), "error", err)
		return
	}
	m := newMessage(msg, meta)
	c.m.busy.Inc()
	defer c.m.busy.Dec()
	if m.Deliveries > c.o.MaxDeliver {
		c.bury(ctx, msg, meta, m, errNeverFinished)
		return
	}
	began := time.Now()
	err = c.call(ctx, msg, m)
	c.m.seconds.Observe(time.Since(began).Seconds())
	switch {
	case err == nil:
		c.m.handled.WithLabelValues("ok").Inc()
		c.m.lag.Observe(time.Since(m.CreatedAt).Seconds())
		if err := msg.Ack(); err != nil { // delivered again, to an idempotent handler
			c.o.Log.Debug("acknowledging failed", "id", m.ID, "error", err)
		}
	case ctx.Err() != nil: // we are stopping: no fault of the message
		_ = msg.Nak()
	case IsPermanent(err) || m.Deliveries >= c.o.MaxDeliver:
		c.bury(ctx, msg, meta, m, err)
	default:
		c.o.Log.Info("a message failed and will be tried again", "id", m.ID, "topic", m.Topic, "delivery", m.Deliveries, "error", err)
		c.retry(msg, m)
	}
}

func (c *Consumer) retry(msg jetstream.Msg, m Message) {
	c.m.handled.WithLabelValues("retry").Inc()
	step := min(max(m.Deliveries, 1), len(c.o.Backoff)) - 1
	if err := msg.NakWithDelay(jitter(c.o.Backoff[step])); err != nil { // delivered again after AckWait
		c.o.Log.Debug("postponing failed", "id", m.ID, "error", err)
	}
}

// call runs the handler under its deadline, telling the server all the while that it is alive. A panic becomes an error.
func (c *Consumer) call(ctx context.Context, msg jetstream.Msg, m Message) (err error) {
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	defer c.heartbeat(ctx, msg)()
	defer func() {
		if p := recover(); p != nil {
			c.o.Log.Error("a handler panicked", "id", m.ID, "topic", m.Topic, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("queue: handler panicked: %v", p)
		}
	}()
	return c.o.Handler(ctx, m)
}

// heartbeat extends the message's deadline at the server until stop is called or ctx ends.
func (c *Consumer) heartbeat(ctx context.Context, msg jetstream.Msg) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() {
		for pause(ctx, c.o.AckWait/3, nil) {
			_ = msg.InProgress() // without a connection the message goes to somebody else, as it should
		}
	})
	return func() { cancel(); done.Wait() }
}

// bury stores the message as a dead letter, then takes it out of the queue. When storing fails it stays, for later.
func (c *Consumer) bury(ctx context.Context, msg jetstream.Msg, meta *jetstream.MsgMetadata, m Message, reason error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if _, err := c.js.PublishMsg(ctx, c.deadLetter(msg, meta, m, reason)); err != nil {
		c.o.Log.Error("storing a dead letter failed; its message will be tried again", "id", m.ID, "error", err)
		c.retry(msg, m)
		return
	}
	c.o.Log.Error("a message became a dead letter", "id", m.ID, "topic", m.Topic, "deliveries", m.Deliveries, "error", reason)
	c.m.handled.WithLabelValues("dead").Inc()
	if err := msg.TermWithReason("dead letter"); err != nil { // delivered again, and buried under the same message id
		c.o.Log.Debug("ending a message failed", "id", m.ID, "error", err)
	}
}

func (c *Consumer) deadLetter(msg jetstream.Msg, meta *jetstream.MsgMetadata, m Message, reason error) *nats.Msg {
	d := nats.NewMsg(deadPrefix + "." + c.o.Durable + "." + m.Topic)
	d.Data = m.Data
	for _, name := range []string{headerKey, headerSource, headerPosition, headerTraceparent} {
		if v := msg.Headers().Get(name); v != "" {
			d.Header.Set(name, v)
		}
	}
	setTime(d.Header, headerCreatedAt, m.CreatedAt)
	d.Header.Set(headerID, m.ID)
	// The same message of the stream is buried once, however often its burial is tried.
	d.Header.Set(nats.MsgIdHdr, fmt.Sprintf("%s:%s:%d:%d", c.o.Durable, m.ID, meta.Sequence.Stream, meta.Timestamp.UnixNano()))
	d.Header.Set(headerDeadError, headerText(reason.Error()))
	d.Header.Set(headerDeadDeliveries, fmt.Sprint(m.Deliveries))
	d.Header.Set(headerDeadSubject, msg.Subject())
	setTime(d.Header, headerDeadFirst, meta.Timestamp)
	setTime(d.Header, headerDeadLast, time.Now())
	return d
}
