package queue

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
)

// ErrBusClosed is returned by a Bus after Close.
var ErrBusClosed = errors.New("queue: bus is closed")

// UnacknowledgedError names the live members that did not act on a broadcast in time.
type UnacknowledgedError struct{ Members []string }

func (e *UnacknowledgedError) Error() string {
	return "queue: broadcast not acknowledged by " + strings.Join(e.Members, ", ")
}

// BusOptions tune a [Bus]. The zero value works. Heartbeat and Expiry must be the same for all members of a subject.
type BusOptions struct {
	Heartbeat time.Duration // default 250 ms
	Expiry    time.Duration // silence after which a member counts as gone; default 6 heartbeats, at least 3
	Timeout   time.Duration // of a broadcast whose context has no deadline; default 2 s
	// OnGap, when set, is called after this member may have missed broadcasts: its connection was lost, its process or
	// the server stood still for longer than Expiry, or it fell behind. Others counted it as gone meanwhile, so whatever
	// it holds that broadcasts keep right should be dropped. Live is false until it has returned. It must not block for long.
	OnGap      func()
	Log        *slog.Logger          // nil discards
	Registerer prometheus.Registerer // nil: no metrics
}

func (o BusOptions) withDefaults() BusOptions {
	o.Heartbeat = orDefault(o.Heartbeat, 250*time.Millisecond)
	o.Expiry = max(orDefault(o.Expiry, 6*o.Heartbeat), 3*o.Heartbeat)
	o.Timeout = orDefault(o.Timeout, 2*time.Second)
	o.Log = logger(o.Log)
	return o
}

// Bus tells every live process something and hears when it has acted on it. Members find each other by heartbeats on
// core NATS; nothing is stored.
type Bus struct {
	nc      *nats.Conn
	subject string
	id      string // member id, for people
	name    string // member id and a random part, for this life of the member
	o       BusOptions
	m       *busMetrics
	subs    []*nats.Subscription

	mu      sync.Mutex
	members map[string]time.Time // others, by name: when they were last heard
	settled time.Time            // from when on members can be relied upon
	waiting map[string]*waiter   // broadcasts under way, by id
	fns     map[int]func([]byte)
	nextFn  int
	closed  bool
	lostAt  time.Time // when the connection was lost, or not there yet; zero while there is one
	trusted int64     // heartbeats sent before, in nanoseconds after born, do not count: see onEcho

	born   time.Time
	heard  atomic.Int64  // nanoseconds after born at which the last heartbeat of ours that came back was sent; 0: none
	lapsed chan struct{} // a heartbeat came back so late that others may have given us up

	cancel context.CancelFunc
	done   sync.WaitGroup
}

// NewBus joins the bus of a subject (one or more tokens) as memberID, which should tell people which process it is.
// The connection may still be looking for its server. Close leaves.
func NewBus(nc *nats.Conn, subject, memberID string, o BusOptions) (*Bus, error) {
	if !validTopic(subject) || !validToken(memberID) {
		return nil, fmt.Errorf("queue: bus subject %q or member id %q cannot be part of a subject", subject, memberID)
	}
	o = o.withDefaults()
	b := &Bus{nc: nc, subject: subject, id: memberID, name: memberID + "/" + rand.Text(), o: o,
		m: newBusMetrics(o.Registerer, subject), members: map[string]time.Time{}, waiting: map[string]*waiter{},
		fns: map[int]func([]byte){}, born: time.Now(), lapsed: make(chan struct{}, 1)}
	b.o.Log = b.o.Log.With("bus", subject, "member", memberID)
	if err := b.join(); err != nil {
		b.leave()
		return nil, err
	}
	return b, nil
}

func (b *Bus) join() error {
	for subject, fn := range map[string]nats.MsgHandler{
		b.subject + ".say":             b.onBroadcast,
		b.subject + ".alive":           b.onAlive,
		b.subject + ".ack." + b.life(): b.onAck,
	} {
		s, err := b.nc.Subscribe(subject, fn)
		if err != nil {
			return fmt.Errorf("queue: join bus: %w", err)
		}
		b.subs = append(b.subs, s)
		if err := s.SetPendingLimits(1<<16, 64<<20); err != nil {
			return fmt.Errorf("queue: join bus: %w", err)
		}
	}
	if b.nc.IsConnected() { // from here on no broadcast passes us by
		_ = b.nc.FlushTimeout(b.o.Timeout)
	}
	ctx, cancel := context.WithCancel(context.Background())
	b.cancel = cancel
	if !b.nc.IsConnected() {
		b.distrust(time.Now())
	}
	b.unsettle(time.Now())
	status := b.nc.StatusChanged(nats.CONNECTED, nats.RECONNECTING, nats.DISCONNECTED)
	b.done.Go(func() {
		defer b.nc.RemoveStatusListener(status)
		b.beat(ctx, status)
	})
	return nil
}

// life is the random part of the name, the token by which acknowledgements find this member.
func (b *Bus) life() string { return b.name[strings.LastIndexByte(b.name, '/')+1:] }

// Subscribe has fn called with the data of every broadcast of the other members, before it is acknowledged. Calls come
// one after the other, so fn must be quick; a panic counts as not having acted.
func (b *Bus) Subscribe(fn func(data []byte)) (cancel func(), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, ErrBusClosed
	}
	b.nextFn++
	n := b.nextFn
	b.fns[n] = fn
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.fns, n)
	}, nil
}

// Members are the ids of the other live members.
func (b *Bus) Members() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return ids(b.members)
}

// Live reports whether the others still count this member as alive, for certain: its last heartbeat that is known to have
// arrived is young. While it is false broadcasts may be missed, so what they keep right must not be trusted. It is one
// comparison, fit for hot paths.
func (b *Bus) Live() bool {
	at := b.heard.Load()
	return at > 0 && time.Since(b.born)-time.Duration(at) < b.lifetime()
}

// lifetime is how long a heartbeat lets us live. It is shorter than Expiry by a heartbeat and some: the server may have
// died when it had given our last heartbeat back to us and not yet to others, who then count from the one before.
func (b *Bus) lifetime() time.Duration { return b.o.Expiry - b.o.Heartbeat*5/4 }

// Close says goodbye, so that nobody waits for this member, and leaves. It is safe to call again.
func (b *Bus) Close() {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return
	}
	b.closed = true
	b.mu.Unlock()
	b.leave()
}

func (b *Bus) leave() {
	for _, s := range b.subs {
		_ = s.Unsubscribe()
	}
	if b.cancel != nil {
		b.cancel()
		b.done.Wait()
	}
	if b.nc.IsConnected() {
		_ = b.say("goodbye")
		_ = b.nc.FlushTimeout(time.Second)
	}
}
