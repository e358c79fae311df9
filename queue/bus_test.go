package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/local/localtest"
)

// join makes a member that counts what it hears. Its name is its own connection's, as in a process of its own.
func join(t *testing.T, url, id string, o BusOptions) (*Bus, *atomic.Int32) {
	t.Helper()
	o.Heartbeat = cmp.Or(o.Heartbeat, 100*time.Millisecond)
	o.Timeout = cmp.Or(o.Timeout, 10*time.Second) // whoever lives answers by then, however busy the machine is
	b, err := NewBus(connect(t, url), "inv", id, o)
	must(t, err)
	t.Cleanup(b.Close)
	var heard atomic.Int32
	_, err = b.Subscribe(func([]byte) { heard.Add(1) })
	must(t, err)
	return b, &heard
}

func know(t *testing.T, b *Bus, want ...string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s knows %v", b.id, want), func() bool { return slices.Equal(b.Members(), want) })
}

func TestBroadcastReturnsWhenAllHaveActed(t *testing.T) {
	t.Parallel()
	url := localtest.NATS(t)
	a, heardA := join(t, url, "a", BusOptions{})
	b, heardB := join(t, url, "b", BusOptions{})
	_, heardC := join(t, url, "c", BusOptions{})
	// The very first broadcast, without waiting for anybody to be known.
	for i := int32(1); i <= 20; i++ {
		must(t, a.Broadcast(t.Context(), []byte("x")))
		if heardB.Load() != i || heardC.Load() != i || heardA.Load() != 0 {
			t.Fatalf("after broadcast %d b heard %d, c %d, a itself %d", i, heardB.Load(), heardC.Load(), heardA.Load())
		}
	}
	know(t, b, "a", "c")
	eventually(t, "b knows that it is counted", b.Live)
}

func TestSlowMemberIsNamedAndSilencedSubscriberIsNot(t *testing.T) {
	t.Parallel()
	url := localtest.NATS(t)
	a, _ := join(t, url, "a", BusOptions{})
	slow, _ := join(t, url, "slow", BusOptions{})
	join(t, url, "good", BusOptions{})
	release := make(chan struct{})
	cancel, err := slow.Subscribe(func([]byte) { <-release })
	must(t, err)
	know(t, a, "good", "slow")
	onlySlow := func() error { // what a broadcast says when its time ends while it waits for slow alone
		t.Helper()
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		said := make(chan error, 1)
		go func() { said <- a.Broadcast(ctx, nil) }()
		eventually(t, "nobody else is waited for", func() bool { return slices.Equal(a.waitedFor(), []string{"slow"}) || len(said) > 0 })
		stop()
		return <-said
	}
	var who *UnacknowledgedError
	if err := onlySlow(); !errors.As(err, &who) || !slices.Equal(who.Members, []string{"slow"}) {
		t.Fatalf("%v, want an error that names slow", err)
	}
	cancel()
	close(release)
	must(t, a.Broadcast(t.Context(), nil))
	cancelPanic, err := slow.Subscribe(func([]byte) { panic("!") })
	must(t, err)
	if err := onlySlow(); !errors.As(err, &who) {
		t.Fatalf("%v, want an error: the subscriber panicked", err)
	}
	cancelPanic()
}

// waitedFor are the members whom the broadcasts under way wait for.
func (b *Bus) waitedFor() (list []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range b.waiting {
		list = append(list, ids(w.missing)...)
	}
	return list
}

func TestLeavingAndDeadMembersAreNotWaitedForLong(t *testing.T) {
	t.Parallel()
	url := localtest.NATS(t)
	a, _ := join(t, url, "a", BusOptions{})
	polite, _ := join(t, url, "polite", BusOptions{})
	rude, heard := join(t, url, "rude", BusOptions{})
	know(t, a, "polite", "rude")
	polite.Close()
	polite.Close()
	know(t, a, "rude")
	if err := polite.Broadcast(t.Context(), nil); !errors.Is(err, ErrBusClosed) {
		t.Fatalf("%v from a closed bus, want ErrBusClosed", err)
	}
	eventually(t, "rude is counted", rude.Live)
	rude.nc.Close() // without a word, as if its process were killed
	must(t, a.Broadcast(t.Context(), nil))
	if heard.Load() != 0 {
		t.Fatalf("a dead member heard %d broadcasts", heard.Load())
	}
	if rude.Live() {
		t.Fatal("the others gave rude up before it gave up itself")
	}
	if err := rude.Broadcast(t.Context(), nil); !errors.Is(err, ErrDisconnected) {
		t.Fatalf("%v without a connection, want ErrDisconnected", err)
	}
}

func TestMemberLearnsOfItsGapAfterServerRestart(t *testing.T) {
	t.Parallel()
	p := startNATS(t)
	var gaps atomic.Int32
	a, _ := join(t, p.url, "a", BusOptions{Timeout: 2 * time.Second})
	b, heard := join(t, p.url, "b", BusOptions{OnGap: func() { gaps.Add(1) }})
	know(t, a, "b")
	eventually(t, "b is counted", b.Live)
	p.kill()
	eventually(t, "the loss is noticed", func() bool { return errors.Is(a.Broadcast(t.Context(), nil), ErrDisconnected) })
	eventually(t, "b does not trust itself", func() bool { return !b.Live() })
	p.start(t)
	eventually(t, "b is told of its gap", func() bool { return gaps.Load() > 0 })
	eventually(t, "a is back", a.nc.IsConnected)
	eventually(t, "b is back", b.nc.IsConnected)
	must(t, a.Broadcast(t.Context(), nil))
	if heard.Load() != 1 {
		t.Fatalf("b heard %d broadcasts, want the one after the restart", heard.Load())
	}
}

// TestNobodyTrustsItselfOnceABroadcastGaveUp: whoever a broadcast could not reach must know by the time it returns.
func TestNobodyTrustsItselfOnceABroadcastGaveUp(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(*natsProcess){
		"killed": (*natsProcess).kill,
		"frozen": func(p *natsProcess) { _ = p.cmd.Process.Signal(syscall.SIGSTOP) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startNATS(t)
			a, _ := join(t, p.url, "a", BusOptions{Timeout: 2 * time.Second})
			b, heard := join(t, p.url, "b", BusOptions{})
			know(t, a, "b")
			eventually(t, "b is counted", b.Live)
			stop(p)
			err := a.Broadcast(t.Context(), nil)
			if heard.Load() == 0 && b.Live() {
				t.Fatalf("b trusts itself after a broadcast (%v) that did not reach it", err)
			}
		})
	}
}

// TestFrozenServerIsAGap: when it goes on, others may have spoken without being heard.
func TestFrozenServerIsAGap(t *testing.T) {
	t.Parallel()
	p := startNATS(t)
	var liveInGap atomic.Bool
	var gaps atomic.Int32
	var b *Bus
	ready := make(chan struct{})
	b, _ = join(t, p.url, "b", BusOptions{OnGap: func() {
		<-ready
		if b.Live() {
			liveInGap.Store(true)
		}
		gaps.Add(1)
	}})
	close(ready)
	eventually(t, "b is counted", b.Live)
	must(t, p.cmd.Process.Signal(syscall.SIGSTOP))
	time.Sleep(b.o.Expiry + b.o.Heartbeat) // as long as others need to give b up
	if b.Live() {
		t.Error("b trusts itself while nothing comes back")
	}
	must(t, p.cmd.Process.Signal(syscall.SIGCONT))
	eventually(t, "b is told of its gap", func() bool { return gaps.Load() > 0 })
	eventually(t, "b trusts itself again", b.Live)
	if liveInGap.Load() {
		t.Error("b trusted itself before it had dropped what it may have missed")
	}
}

func TestBusRefusesWrongNames(t *testing.T) {
	t.Parallel()
	for subject, id := range map[string]string{"a b": "m", "ok": "m.n", "": "m", "x.*": "m"} {
		if _, err := NewBus(nil, subject, id, BusOptions{}); err == nil {
			t.Errorf("subject %q, member %q were taken", subject, id)
		}
	}
}
