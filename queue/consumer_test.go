package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/stampede-shop/stampede/internal/local/localtest"
)

func publish(t testing.TB, js jetstream.JetStream, topic, data string) {
	t.Helper()
	_, err := js.Publish(t.Context(), "events."+topic, []byte(data))
	must(t, err)
}

var quick = []time.Duration{time.Millisecond}

func TestPoisonBecomesDeadLetterWhileOthersFlow(t *testing.T) {
	t.Parallel()
	js := streams(t, localtest.NATS(t))
	l := newLedger()
	consume(t, js, ConsumerOptions{Durable: "d", Topics: []string{"t"}, Concurrency: 1, MaxDeliver: 4, Backoff: quick,
		Handler: func(ctx context.Context, m Message) error {
			switch string(m.Data) {
			case "poison":
				return errors.New("cannot\ndigest")
			case "panic":
				panic("at the disco")
			case "never":
				return fmt.Errorf("wrapped: %w", Permanent(errors.New("no such order")))
			}
			return l.handle(ctx, m)
		}})
	for _, data := range []string{"poison", "panic", "never"} {
		publish(t, js, "t", data)
	}
	for range 20 {
		publish(t, js, "t", "good")
	}
	dead := NewDeadLetters(js)
	var list []DeadLetter
	eventually(t, "three are dead, twenty handled", func() bool {
		var err error
		list, err = dead.List(t.Context(), DeadFilter{})
		must(t, err)
		ids, _ := l.count()
		return len(list) == 3 && ids == 20
	})
	want := map[string]string{"poison": "4 cannot digest", "panic": "4 queue: handler panicked: at the disco", "never": "1 wrapped: no such order"}
	for _, d := range list {
		if got := fmt.Sprint(d.Deliveries, " ", d.Error); got != want[string(d.Data)] {
			t.Errorf("%s died as %q, want %q", d.Data, got, want[string(d.Data)])
		}
		if d.Consumer != "d" || d.Topic != "t" || d.EventID == "" || d.FirstAt.IsZero() || d.DiedAt.Before(d.FirstAt) {
			t.Errorf("incomplete dead letter %+v", d)
		}
	}
	eventually(t, "nothing is left in flight", func() bool {
		s, err := ReadStats(t.Context(), js)
		must(t, err)
		c := s.Consumers[0]
		return c.Name == "d" && c.Pending == 0 && c.InFlight == 0 && c.Dead == 3 && s.Streams[1].Messages == 3
	})
}

func TestReplayGoesBackToItsOwnConsumerOnly(t *testing.T) {
	t.Parallel()
	js := streams(t, localtest.NATS(t))
	var mended atomic.Bool
	handled := make(chan Message, 10)
	consume(t, js, ConsumerOptions{Durable: "sick", Topics: []string{"a", "b.c"}, Handler: func(_ context.Context, m Message) error {
		if !mended.Load() {
			return Permanent(errors.New("broken"))
		}
		handled <- m
		return nil
	}})
	other := newLedger()
	consume(t, js, ConsumerOptions{Durable: "well", Topics: []string{"a", "b.c"}, Handler: other.handle})
	publish(t, js, "a", "1")
	publish(t, js, "b.c", "2")
	publish(t, js, "b.c", "3")
	dead := NewDeadLetters(js)
	count := func(f DeadFilter) int {
		list, err := dead.List(t.Context(), f)
		must(t, err)
		return len(list)
	}
	eventually(t, "all three are dead", func() bool { return count(DeadFilter{}) == 3 })
	mended.Store(true)
	list, err := dead.List(t.Context(), DeadFilter{Topic: "b.c", Limit: 1})
	must(t, err)
	n, err := dead.Replay(t.Context(), DeadFilter{IDs: []uint64{list[0].ID, 999}})
	if err != nil || n != 1 {
		t.Fatalf("replayed %d, %v", n, err)
	}
	m := <-handled
	if m.ID != list[0].EventID || m.Topic != "b.c" || string(m.Data) != string(list[0].Data) || m.Deliveries != 1 {
		t.Fatalf("replayed as %+v, want what %+v was", m, list[0])
	}
	if n, err = dead.Replay(t.Context(), DeadFilter{Consumer: "sick", Topic: "a"}); err != nil || n != 1 {
		t.Fatalf("replayed %d by topic, %v", n, err)
	}
	<-handled
	if n, err = dead.Purge(t.Context(), DeadFilter{Consumer: "nobody"}); err != nil || n != 0 {
		t.Fatalf("purged %d of nobody's, %v", n, err)
	}
	if n, err = dead.Purge(t.Context(), DeadFilter{}); err != nil || n != 1 || count(DeadFilter{}) != 0 {
		t.Fatalf("purged %d, %v", n, err)
	}
	if _, deliveries := other.count(); deliveries != 3 {
		t.Fatalf("the other consumer saw %d deliveries, want 3", deliveries)
	}
	if _, err := dead.List(t.Context(), DeadFilter{Topic: "*"}); err == nil {
		t.Fatal("a wildcard was taken for a topic")
	}
}

func TestLongWorkIsNotGivenToAnother(t *testing.T) {
	t.Parallel()
	js := streams(t, localtest.NATS(t))
	l := newLedger()
	consume(t, js, ConsumerOptions{Durable: "d", Topics: []string{"t"}, AckWait: 1500 * time.Millisecond, Handler: func(ctx context.Context, m Message) error {
		err := l.handle(ctx, m)
		pause(ctx, 4*time.Second, nil) // the long work: more than twice AckWait
		return err
	}})
	publish(t, js, "t", "x")
	eventually(t, "it is handled", func() bool {
		s, err := ReadStats(t.Context(), js)
		must(t, err)
		return stored(t, js) == 1 && len(s.Consumers) == 1 && s.Consumers[0].Pending == 0 && s.Consumers[0].InFlight == 0
	})
	if _, n := l.count(); n != 1 {
		t.Fatalf("%d deliveries, want 1", n)
	}
}

// A message whose handler takes its process down every time must not come back for ever.
func TestDeliveriesWithoutAWordEndAsDeadLetter(t *testing.T) {
	t.Parallel()
	js := streams(t, localtest.NATS(t))
	c, err := NewConsumer(js, ConsumerOptions{Durable: "d", Topics: []string{"t"}, AckWait: 50 * time.Millisecond, MaxDeliver: 2,
		Handler: func(context.Context, Message) error { return nil }})
	must(t, err)
	cons, err := c.ensure(t.Context())
	must(t, err)
	publish(t, js, "t", "x")
	for range 2 { // taken, and never heard of again
		_, err := cons.Next(jetstream.FetchMaxWait(time.Minute))
		must(t, err)
	}
	c.Start()
	t.Cleanup(c.Stop)
	eventually(t, "it is dead", func() bool {
		list, err := NewDeadLetters(js).List(t.Context(), DeadFilter{})
		must(t, err)
		return len(list) == 1 && list[0].Error == errNeverFinished.Error()
	})
}

func TestDeadLetterThatCannotBeStoredIsNotDropped(t *testing.T) {
	t.Parallel()
	js := streams(t, localtest.NATS(t))
	must(t, js.DeleteStream(t.Context(), DeadStream))
	var tries atomic.Int32
	consume(t, js, ConsumerOptions{Durable: "d", Topics: []string{"t"}, MaxDeliver: 1, Backoff: quick, Handler: func(context.Context, Message) error {
		tries.Add(1)
		return errors.New("no")
	}})
	publish(t, js, "t", "x")
	eventually(t, "it is tried", func() bool { return tries.Load() == 1 })
	must(t, EnsureStreams(t.Context(), js, StreamOptions{MaxBytes: 32 << 20, DeadMaxBytes: 8 << 20}))
	eventually(t, "it is stored after all", func() bool {
		list, err := NewDeadLetters(js).List(t.Context(), DeadFilter{})
		must(t, err)
		return len(list) == 1
	})
}

func TestStopInterruptsAfterDrainTimeoutAndGivesBack(t *testing.T) {
	t.Parallel()
	const ackWait = 50 * time.Second // longer than anything a busy machine needs, shorter than the test waits
	js := streams(t, localtest.NATS(t))
	begun := make(chan struct{})
	var once sync.Once
	c := consume(t, js, ConsumerOptions{Durable: "d", Topics: []string{"t"}, AckWait: ackWait, DrainTimeout: 20 * time.Millisecond, Handler: func(ctx context.Context, _ Message) error {
		once.Do(func() { close(begun) })
		<-ctx.Done()
		return ctx.Err()
	}})
	publish(t, js, "t", "x")
	<-begun
	c.Stop()
	c.Stop()
	c.Start() // stays stopped
	l := newLedger()
	began := time.Now()
	consume(t, js, ConsumerOptions{Durable: "d", Topics: []string{"t"}, AckWait: ackWait, Handler: l.handle})
	eventually(t, "another one handles it", func() bool { ids, _ := l.count(); return ids == 1 })
	if d := time.Since(began); d >= ackWait {
		t.Fatalf("it took %v: the message waited for AckWait", d)
	}
}

func TestNewConsumerRefusesWrongOptions(t *testing.T) {
	t.Parallel()
	ok := func(context.Context, Message) error { return nil }
	for want, o := range map[string]ConsumerOptions{
		"name": {Durable: "a.b", Topics: []string{"t"}, Handler: ok}, "no topics": {Durable: "d", Handler: ok},
		"no handler": {Durable: "d", Topics: []string{"t"}}, "subject": {Durable: "d", Topics: []string{"t.>"}, Handler: ok},
		"negative": {Durable: "d", Topics: []string{"t"}, Handler: ok, Concurrency: -1},
	} {
		if _, err := NewConsumer(nil, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want an error about %q", o, err, want)
		}
	}
}

// The server is killed with rows on their way, and started again at its address: nothing is lost, and effects come once.
func TestServerKilledAndStartedAgain(t *testing.T) {
	t.Parallel()
	p := startNATS(t)
	js, src := streams(t, p.url), outbox(t, "s")
	l := newLedger()
	consume(t, js, ConsumerOptions{Durable: "d", Topics: []string{"t"}, AckWait: time.Second, Backoff: quick, Handler: l.handle})
	relay(t, js, RelayOptions{Batch: 10, Poll: 10 * time.Millisecond, AckWait: time.Second}, src)
	const rounds, each = 3, 60
	for i := range rounds {
		add(t, src, "t", each)
		eventually(t, "some of it is handled", func() bool { ids, _ := l.count(); return ids > i*each })
		p.kill()
		add(t, src, "t", each/2) // while it is away
		p.start(t)
	}
	const total = rounds * (each + each/2)
	eventually(t, "everything is handled", func() bool { ids, _ := l.count(); return ids == total && rows(t, src) == 0 })
}

// What the stream acknowledged is there after its server was killed at once.
func TestAcknowledgedSurvivesKill(t *testing.T) {
	t.Parallel()
	p := startNATS(t)
	js := streams(t, p.url)
	for range 50 {
		publish(t, js, "t", "x")
	}
	p.kill()
	p.start(t)
	eventually(t, "connected again", js.Conn().IsConnected)
	if n := stored(t, js); n != 50 {
		t.Fatalf("%d of 50 acknowledged messages are there", n)
	}
}
