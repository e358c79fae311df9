package queue

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

const headerFrom = "From" // the name of the member a message comes from

// waiter is a broadcast under way. Guarded by Bus.mu.
type waiter struct {
	missing map[string]bool // names that have not acknowledged
	done    chan struct{}   // closed when nobody is missing
}

func (w *waiter) strike(name string) {
	if w.missing[name] {
		delete(w.missing, name)
		if len(w.missing) == 0 {
			close(w.done)
		}
	}
}

// Broadcast sends data to all other members and returns when every one that is alive has run its subscribers.
// Members that leave or die meanwhile are not waited for; own subscribers are not called. ctx, or Timeout when ctx has
// no deadline, bounds it. Errors: [ErrDisconnected], an [*UnacknowledgedError], [ErrBusClosed]. ErrDisconnected comes when
// there was no connection for Expiry: by then whoever lost the same server does not trust itself any more either.
func (b *Bus) Broadcast(ctx context.Context, data []byte) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, b.o.Timeout)
		defer cancel()
	}
	began := time.Now()
	err := b.broadcast(ctx, data)
	outcome := "ok"
	if err != nil {
		outcome = "failed"
	}
	b.m.broadcasts.WithLabelValues(outcome).Inc()
	b.m.seconds.Observe(time.Since(began).Seconds())
	return err
}

func (b *Bus) broadcast(ctx context.Context, data []byte) error {
	id := rand.Text()
	for {
		if err := b.waitConnected(ctx); err != nil {
			return err
		}
		if err := b.waitSettled(ctx); err != nil {
			return err
		}
		if err := b.tell(ctx, id, data); !lostConnection(err) || ctx.Err() != nil {
			return err
		}
	}
}

// lostConnection tells that a message was not sent for want of a connection, of which nothing may be known here yet.
func lostConnection(err error) bool {
	return errors.Is(err, nats.ErrConnectionReconnecting) || errors.Is(err, nats.ErrReconnectBufExceeded) ||
		errors.Is(err, nats.ErrConnectionClosed)
}

// tell sends data once and waits for the acknowledgements.
func (b *Bus) tell(ctx context.Context, id string, data []byte) error {
	w, err := b.expect(id)
	if err != nil {
		return err
	}
	defer b.forget(id)
	m := nats.NewMsg(b.subject + ".say")
	m.Data = data
	m.Header.Set(headerFrom, b.name)
	m.Header.Set(nats.MsgIdHdr, id)
	if err := b.nc.PublishMsg(m); err != nil {
		return fmt.Errorf("queue: broadcast: %w", err)
	}
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(w.missing) == 0 {
		return nil
	}
	if !b.nc.IsConnected() {
		return errors.Join(ErrDisconnected, &UnacknowledgedError{Members: ids(w.missing)})
	}
	return &UnacknowledgedError{Members: ids(w.missing)}
}

// waitConnected waits for the connection, no longer than others who lost it with us may still trust themselves.
func (b *Bus) waitConnected(ctx context.Context) error {
	const look = 10 * time.Millisecond
	since := time.Now()
	for !b.nc.IsConnected() {
		b.mu.Lock()
		closed := b.closed
		if !b.lostAt.IsZero() && b.lostAt.Before(since) {
			since = b.lostAt
		}
		b.mu.Unlock()
		switch {
		case closed:
			return ErrBusClosed
		case b.nc.IsClosed() || time.Since(since) >= b.o.Expiry || !pause(ctx, look, nil):
			return ErrDisconnected
		}
	}
	return nil
}

// waitSettled waits until we have listened for long enough to know who is alive.
func (b *Bus) waitSettled(ctx context.Context) error {
	b.mu.Lock()
	wait := time.Until(b.settled)
	b.mu.Unlock()
	if wait > 0 && !pause(ctx, wait, nil) {
		return fmt.Errorf("queue: broadcast: still finding out who is there: %w", ctx.Err())
	}
	return nil
}

// expect takes down whom a broadcast has to wait for.
func (b *Bus) expect(id string) (*waiter, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, ErrBusClosed
	}
	w := &waiter{missing: make(map[string]bool, len(b.members)), done: make(chan struct{})}
	for name := range b.members {
		w.missing[name] = true
	}
	if len(w.missing) == 0 {
		close(w.done)
	}
	b.waiting[id] = w
	return w, nil
}

func (b *Bus) forget(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.waiting, id)
}

// onBroadcast runs the subscribers, then acknowledges.
func (b *Bus) onBroadcast(m *nats.Msg) {
	from := m.Header.Get(headerFrom)
	if from == b.name {
		return
	}
	b.mu.Lock()
	fns := slices.Collect(maps.Values(b.fns))
	b.mu.Unlock()
	for _, fn := range fns {
		if !b.run(fn, m.Data) {
			return
		}
	}
	ack := nats.NewMsg(b.subject + ".ack." + from[strings.LastIndexByte(from, '/')+1:])
	ack.Header.Set(headerFrom, b.name)
	ack.Header.Set(nats.MsgIdHdr, m.Header.Get(nats.MsgIdHdr))
	if err := b.nc.PublishMsg(ack); err != nil {
		b.o.Log.Debug("acknowledging a broadcast failed", "error", err)
	}
}

func (b *Bus) run(fn func([]byte), data []byte) (ok bool) {
	defer func() {
		if p := recover(); p != nil {
			b.o.Log.Error("a bus subscriber panicked", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	fn(data)
	return true
}

func (b *Bus) onAck(m *nats.Msg) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if w := b.waiting[m.Header.Get(nats.MsgIdHdr)]; w != nil {
		w.strike(m.Header.Get(headerFrom))
	}
}

// ids are the member ids of names, sorted, each once.
func ids[V any](names map[string]V) []string {
	out := make([]string, 0, len(names))
	for name := range names {
		out = append(out, name[:strings.LastIndexByte(name, '/')])
	}
	slices.Sort(out)
	return slices.Compact(out)
}
