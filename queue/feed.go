package queue

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// maxAside bounds how many rows that can never be published are skipped; they stay in the table.
const maxAside = 1000

// feed serves one source of a relay.
type feed struct {
	r     *Relay
	js    jetstream.JetStream
	src   Source
	wake  chan struct{}
	log   *slog.Logger
	aside []int64 // never nil, which would be NULL; rows that cannot be published: looked at again after a restart
}

// run moves batches until ctx ends; a batch that has begun runs on under work.
func (f *feed) run(ctx, work context.Context) {
	b := backoff{min: 50 * time.Millisecond, max: f.r.o.MaxBackoff}
	for ctx.Err() == nil {
		wait, wake := orDefault(f.src.Poll, f.r.o.Poll), (<-chan struct{})(f.wake)
		n, err := f.batch(work)
		switch {
		case err != nil:
			if b.cur == 0 {
				f.log.Warn("relaying failed; trying again", "error", err)
			}
			f.r.m.failures.WithLabelValues(f.src.Name).Inc()
			wait, wake = b.next(), nil
		case n == f.r.o.Batch:
			b.reset()
			continue
		default:
			b.reset()
		}
		if !pause(ctx, wait, wake) {
			return
		}
	}
}

// batch moves one batch and returns how many rows it found.
func (f *feed) batch(ctx context.Context) (int, error) {
	if !f.js.Conn().IsConnected() {
		return 0, ErrDisconnected
	}
	// Locking, publishing (at most AckWait) and deleting, each with room of its own.
	ctx, cancel := context.WithTimeout(ctx, 3*f.r.o.AckWait)
	defer cancel()
	tx, err := f.src.Pool.Begin(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	rows, err := lockRows(ctx, tx, f.r.o.Batch, f.aside)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	acked, pubErr := f.publish(ctx, rows)
	if len(acked) > 0 {
		if err := f.remove(ctx, tx, acked); err != nil {
			return len(rows), err
		}
	}
	return len(rows), pubErr
}

// remove deletes what the stream has, and commits.
func (f *feed) remove(ctx context.Context, tx pgx.Tx, acked []outboxRow) error {
	if hook := f.r.o.afterPublish; hook != nil {
		if err := hook(f.src.Name); err != nil {
			return err
		}
	}
	ids := make([]int64, len(acked))
	for i, row := range acked {
		ids[i] = row.ID
	}
	if _, err := tx.Exec(ctx, `DELETE FROM outbox WHERE id = ANY($1)`, ids); err != nil {
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	f.r.m.relayed.WithLabelValues(f.src.Name).Add(float64(len(acked)))
	f.r.m.lag.WithLabelValues(f.src.Name).Observe(time.Since(acked[0].CreatedAt).Seconds())
	return nil
}

// publish sends rows and waits for all acknowledgements, at most AckWait. It returns those acknowledged, and the first
// error of the others.
func (f *feed) publish(ctx context.Context, rows []outboxRow) ([]outboxRow, error) {
	ctx, cancel := context.WithTimeout(ctx, f.r.o.AckWait)
	defer cancel()
	var firstErr error
	fail := func(row outboxRow, err error) {
		if firstErr == nil {
			firstErr = fmt.Errorf("row %d (%s): %w", row.ID, row.Topic, err)
		}
	}
	futures := make([]jetstream.PubAckFuture, len(rows))
	for i, row := range rows {
		if err := f.publishable(row); err != nil {
			f.setAside(row, err)
			continue
		}
		future, err := f.js.PublishMsgAsync(f.message(row), jetstream.WithStallWait(f.r.o.AckWait))
		if err != nil {
			fail(row, err)
			break // the connection or the window is the trouble, not this row
		}
		futures[i] = future
	}
	acked := make([]outboxRow, 0, len(rows))
	for i, future := range futures {
		if future == nil {
			continue
		}
		select {
		case <-future.Ok():
			acked = append(acked, rows[i])
		case err := <-future.Err():
			fail(rows[i], err)
		case <-ctx.Done():
			fail(rows[i], ctx.Err())
		}
	}
	return acked, firstErr
}

// message makes the row's message. Its id holds the row's time besides its number: numbers begin again in a database
// that is made anew or set back to an earlier state, while the stream still remembers the old ones.
func (f *feed) message(row outboxRow) *nats.Msg {
	id := f.src.Name + ":" + strconv.FormatInt(row.ID, 10) + ":" + strconv.FormatInt(row.CreatedAt.UnixMicro(), 36)
	m := nats.NewMsg(f.r.o.Prefix + "." + row.Topic)
	m.Data = row.Payload
	m.Header.Set(nats.MsgIdHdr, id)
	m.Header.Set(headerKey, headerText(row.Key))
	m.Header.Set(headerSource, f.src.Name)
	setTime(m.Header, headerCreatedAt, row.CreatedAt)
	m.Header.Set(headerPosition, row.Position)
	if row.Traceparent != "" {
		m.Header.Set(headerTraceparent, headerText(row.Traceparent))
	}
	return m
}

// publishable tells why a row can never be published.
func (f *feed) publishable(row outboxRow) error {
	if !validTopic(row.Topic) {
		return fmt.Errorf("topic %q cannot be a subject", row.Topic)
	}
	const headerRoom = 4 << 10
	if limit := f.js.Conn().MaxPayload(); int64(len(row.Payload)+headerRoom) > limit {
		return fmt.Errorf("payload of %d bytes is over the server's limit of %d", len(row.Payload), limit)
	}
	return nil
}

func (f *feed) setAside(row outboxRow, err error) {
	f.log.Error("an outbox row cannot be published; it stays in the table", "id", row.ID, "topic", row.Topic, "error", err)
	f.r.m.stuck.WithLabelValues(f.src.Name).Inc()
	if len(f.aside) < maxAside {
		f.aside = append(f.aside, row.ID)
	}
}
