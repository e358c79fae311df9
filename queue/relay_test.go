package queue

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"github.com/stampede-shop/stampede/internal/local/localtest"
)

func stored(t testing.TB, js jetstream.JetStream) uint64 {
	t.Helper()
	s, err := js.Stream(t.Context(), EventStream)
	must(t, err)
	return s.CachedInfo().State.Msgs
}

func TestRelayWakesAtOnceAndCarriesEverything(t *testing.T) {
	t.Parallel()
	js, src := streams(t, localtest.NATS(t)), outbox(t, "shard1")
	got := make(chan Message, 1)
	consume(t, js, ConsumerOptions{Durable: "all", Topics: []string{"order.confirmed"}, Handler: func(_ context.Context, m Message) error {
		got <- m
		return nil
	}})
	relay(t, js, RelayOptions{Poll: time.Hour}, src) // only the notification can wake it
	began, before := time.Now(), ""
	must(t, src.Pool.QueryRow(t.Context(), `SELECT pg_current_wal_insert_lsn()::text`).Scan(&before))
	must(t, Append(t.Context(), src.Pool, Event{Topic: "order.confirmed", Key: "o\n1", Payload: []byte(`{"a":1}`), Traceparent: "00-x"}))
	m := <-got
	var seen bool
	must(t, src.Pool.QueryRow(t.Context(), `SELECT $1::pg_lsn > $2::pg_lsn AND $1::pg_lsn <= pg_current_wal_flush_lsn()`, m.Position, before).Scan(&seen))
	if !seen {
		t.Errorf("position %q, before the commit the log was at %s", m.Position, before)
	}
	if m.Topic != "order.confirmed" || m.Key != "o 1" || m.Source != "shard1" || string(m.Data) != `{"a": 1}` || m.Traceparent != "00-x" ||
		m.Deliveries != 1 || !strings.HasPrefix(m.ID, "shard1:1:") || m.CreatedAt.Before(began.Add(-time.Minute)) {
		t.Fatalf("got %+v", m)
	}
	eventually(t, "the row is deleted", func() bool { return rows(t, src) == 0 })
}

func TestRelayKilledBetweenPublishAndDelete(t *testing.T) {
	t.Parallel()
	js, src := streams(t, localtest.NATS(t)), outbox(t, "s")
	add(t, src, "t", 20)
	var deaths atomic.Int32
	r := relay(t, js, RelayOptions{afterPublish: func(string) error {
		deaths.Add(1)
		return errors.New("killed")
	}}, src)
	eventually(t, "the relay dies twice", func() bool { return deaths.Load() >= 2 })
	r.Stop()
	if n := rows(t, src); n != 20 {
		t.Fatalf("%d rows left, want all 20", n)
	}
	relay(t, js, RelayOptions{}, src)
	l := newLedger()
	consume(t, js, ConsumerOptions{Durable: "d", Topics: []string{"t"}, Handler: l.handle})
	eventually(t, "everything is handled", func() bool { ids, _ := l.count(); return ids == 20 && rows(t, src) == 0 })
	if n := stored(t, js); n != 20 {
		t.Fatalf("the stream has %d messages, want 20: repeats are dropped by their id", n)
	}
}

// A database made anew numbers its rows from 1 again while the stream remembers the old ones.
func TestNumbersBeginningAgainAreNotTakenForRepeats(t *testing.T) {
	t.Parallel()
	js := streams(t, localtest.NATS(t))
	for range 2 {
		src := outbox(t, "same-name")
		add(t, src, "t", 3)
		r := relay(t, js, RelayOptions{}, src)
		eventually(t, "the outbox is empty", func() bool { return rows(t, src) == 0 })
		r.Stop()
	}
	if n := stored(t, js); n != 6 {
		t.Fatalf("the stream has %d messages, want 6", n)
	}
}

func TestTwoRelaysShareAndDoNotDouble(t *testing.T) {
	t.Parallel()
	js, a, b := streams(t, localtest.NATS(t)), outbox(t, "a"), outbox(t, "b")
	for range 2 {
		relay(t, js, RelayOptions{Batch: 7, Poll: 5 * time.Millisecond}, a, b)
	}
	add(t, a, "t", 150)
	add(t, b, "t", 150)
	eventually(t, "both outboxes are empty", func() bool { return rows(t, a)+rows(t, b) == 0 })
	if n := stored(t, js); n != 300 {
		t.Fatalf("the stream has %d messages, want 300", n)
	}
}

func TestRowThatCannotBePublishedStaysAndStopsNobody(t *testing.T) {
	t.Parallel()
	js, src := streams(t, localtest.NATS(t)), outbox(t, "s")
	_, err := src.Pool.Exec(t.Context(), `INSERT INTO outbox (topic, key, payload) VALUES ('a b', '', '{}'), ('big', '', to_jsonb(repeat('x', 2000000)))`)
	must(t, err)
	add(t, src, "t", 5)
	reg := prometheus.NewRegistry()
	relay(t, js, RelayOptions{Batch: 2, Poll: 10 * time.Millisecond, Registerer: reg}, src)
	eventually(t, "the good ones are gone", func() bool { return rows(t, src) == 2 })
	if n := stored(t, js); n != 5 {
		t.Fatalf("the stream has %d messages, want 5", n)
	}
	if n := counter(t, reg, "queue_outbox_stuck_total"); n != 2 {
		t.Fatalf("%v rows reported stuck, want 2", n)
	}
	if err := Append(t.Context(), src.Pool, Event{Topic: "a b", Payload: []byte("{}")}); err == nil {
		t.Fatal("Append took a topic that cannot be a subject")
	}
}

func TestFullStreamForgetsOnlyWhatWasHandled(t *testing.T) {
	t.Parallel()
	js, src := streams(t, localtest.NATS(t)), outbox(t, "s")
	must(t, EnsureStreams(t.Context(), js, StreamOptions{MaxBytes: 20000, DeadMaxBytes: 8 << 20}))
	gate := make(chan struct{})
	l := newLedger()
	consume(t, js, ConsumerOptions{Durable: "slow", Topics: []string{"t"}, Handler: func(ctx context.Context, m Message) error {
		select {
		case <-gate:
		case <-ctx.Done():
			return ctx.Err()
		}
		return l.handle(ctx, m)
	}})
	consume(t, js, ConsumerOptions{Durable: "fast", Topics: []string{"t"}, Handler: newLedger().handle})
	add(t, src, "t", 200)
	reg := prometheus.NewRegistry()
	relay(t, js, RelayOptions{Batch: 20, Poll: 10 * time.Millisecond, TrimEvery: 20 * time.Millisecond, TrimAt: 0.3, Registerer: reg}, src)
	eventually(t, "the stream is full", func() bool { return counter(t, reg, "queue_outbox_failures_total") > 0 })
	if rows(t, src) == 0 {
		t.Fatal("the outbox is empty though the stream was full")
	}
	close(gate)
	eventually(t, "everything is handled after all", func() bool { ids, _ := l.count(); return ids == 200 && rows(t, src) == 0 })
}

// Whatever transactions commit or roll back, and however batches fall: committed rows are handled, others never.
func TestCommittedRowsAreHandledAndRolledBackNever(t *testing.T) {
	t.Parallel()
	js, src := streams(t, localtest.NATS(t)), outbox(t, "s")
	l := newLedger()
	var crashes atomic.Int32
	relay(t, js, RelayOptions{Batch: 3, Poll: 10 * time.Millisecond, afterPublish: func(string) error {
		if crashes.Add(1)%5 == 0 {
			return errors.New("killed")
		}
		return nil
	}}, src)
	consume(t, js, ConsumerOptions{Durable: "d", Topics: []string{"t"}, Handler: l.handle})
	want, key := map[string]bool{}, 0
	rapid.Check(t, func(rt *rapid.T) {
		tx, err := src.Pool.Begin(t.Context())
		must(t, err)
		var mine []string
		for range rapid.IntRange(1, 8).Draw(rt, "rows") {
			key++
			mine = append(mine, strconv.Itoa(key))
			must(t, Append(t.Context(), tx, Event{Topic: "t", Key: strconv.Itoa(key), Payload: []byte("{}")}))
		}
		if rapid.Bool().Draw(rt, "commit") {
			must(t, tx.Commit(t.Context()))
			for _, k := range mine {
				want[k] = true
			}
		} else {
			must(t, tx.Rollback(t.Context()))
		}
	})
	eventually(t, "all committed rows are handled", func() bool { ids, _ := l.count(); return ids >= len(want) && rows(t, src) == 0 })
	l.mu.Lock()
	defer l.mu.Unlock()
	for k, n := range l.keys {
		if !want[k] || n != 1 {
			t.Errorf("key %s had %d effects, committed: %v", k, n, want[k])
		}
	}
	if len(l.keys) != len(want) {
		t.Errorf("%d keys handled, want %d", len(l.keys), len(want))
	}
}
