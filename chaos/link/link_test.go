package link_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/stampede-shop/stampede/chaos"
	"github.com/stampede-shop/stampede/chaos/link"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo is a server that sends back what it gets, and ends when its client has.
type echo struct {
	l     net.Listener
	all   sync.WaitGroup
	mu    sync.Mutex
	open  map[net.Conn]bool
	ended int // connections that are over
}

func (e *echo) serve() {
	for {
		c, err := e.l.Accept()
		if err != nil {
			return
		}
		e.mu.Lock()
		e.open[c] = true
		e.mu.Unlock()
		e.all.Go(func() {
			_, _ = io.Copy(c, c)
			_ = c.Close()
			e.mu.Lock()
			defer e.mu.Unlock()
			delete(e.open, c)
			e.ended++
		})
	}
}

func (e *echo) stop() {
	_ = e.l.Close()
	e.mu.Lock()
	for c := range e.open {
		_ = c.Close()
	}
	e.mu.Unlock()
	e.all.Wait()
}

type harness struct {
	*link.Proxy
	network, addr string
	server        *echo
}

func through(t testing.TB, network string, o link.Options) *harness {
	t.Helper()
	listen := func(name string) net.Listener {
		addr := "127.0.0.1:0"
		if network == "unix" {
			addr = filepath.Join(t.TempDir(), name)
		}
		l, err := net.Listen(network, addr)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	s := &echo{l: listen("s"), open: map[net.Conn]bool{}}
	s.all.Go(s.serve)
	o.Dial = func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, s.l.Addr().String())
	}
	l := listen("p")
	h := &harness{link.New(o), network, l.Addr().String(), s}
	h.Serve(l)
	t.Cleanup(func() {
		for range 2 {
			if err := h.Close(); err != nil {
				t.Error(err)
			}
		}
		s.stop()
	})
	return h
}

func (h *harness) dial(t testing.TB) net.Conn {
	t.Helper()
	c, err := net.Dial(h.network, h.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func (h *harness) add(t testing.TB, e link.Effect) (end func()) {
	t.Helper()
	end, err := h.Add(e)
	if err != nil {
		t.Fatal(err)
	}
	return end
}

// try asks on a new connection.
func (h *harness) try(text string) error {
	c, err := net.Dial(h.network, h.addr)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	return ask(c, text, long)
}

// ask sends and waits for the echo, at most for a while.
func ask(c net.Conn, text string, patience time.Duration) error {
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, text); err != nil {
		return err
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(c, got); err != nil {
		return err
	}
	if string(got) != text {
		return errors.New("another answer: " + string(got))
	}
	return nil
}

const (
	long  = 20 * time.Second // longer than anything takes
	brief = 50 * time.Millisecond
)

func bothNetworks(t *testing.T, f func(t *testing.T, network string)) {
	t.Parallel()
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) { t.Parallel(); f(t, network) })
	}
}

func TestPassesThrough(t *testing.T) {
	bothNetworks(t, func(t *testing.T, network string) {
		h := through(t, network, link.Options{})
		c := h.dial(t)
		big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
		var both sync.WaitGroup
		both.Go(func() {
			if _, err := c.Write(big); err != nil {
				t.Error(err)
			}
			if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
				t.Error(err)
			}
		})
		got, err := io.ReadAll(c)
		if err != nil || !bytes.Equal(got, big) {
			t.Errorf("%d bytes of %d came back, %v", len(got), len(big), err)
		}
		both.Wait()
	})
}

func TestSlow(t *testing.T) {
	bothNetworks(t, func(t *testing.T, network string) {
		h := through(t, network, link.Options{})
		c := h.dial(t)
		end := h.add(t, link.Effect{Latency: brief})
		begin := time.Now()
		if err := ask(c, "slow", long); err != nil || time.Since(begin) < 2*brief {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		end()
		end()
		h.add(t, link.Effect{Latency: time.Hour, Direction: link.Down, Label: "x"}) // for nobody
		if err := ask(c, "quick", long); err != nil {
			t.Error(err)
		}
		endless := h.add(t, link.Effect{Latency: time.Hour, Direction: link.Down})
		if err := ask(c, "late", brief); err == nil {
			t.Error("what takes an hour came at once")
		}
		endless() // and what was held up arrives at once
		_ = c.SetDeadline(time.Now().Add(long))
		got := make([]byte, 4)
		if _, err := io.ReadFull(c, got); err != nil || string(got) != "late" {
			t.Errorf("%q, %v", got, err)
		}
	})
}

func TestNarrow(t *testing.T) {
	t.Parallel()
	h := through(t, "tcp", link.Options{})
	c := h.dial(t)
	h.add(t, link.Effect{Bandwidth: 1 << 20, Direction: link.Up})
	begin := time.Now()
	if err := ask(c, string(make([]byte, 256<<10)), long); err != nil || time.Since(begin) < 240*time.Millisecond {
		t.Errorf("256 KiB at 1 MiB/s: %v after %v", err, time.Since(begin))
	}
}

func TestStallHeals(t *testing.T) {
	bothNetworks(t, func(t *testing.T, network string) {
		h := through(t, network, link.Options{})
		c := h.dial(t)
		heal := h.add(t, link.Effect{Stall: true})
		if err := ask(c, "held", brief); !errors.Is(err, context.DeadlineExceeded) && !isTimeout(err) {
			t.Errorf("through a partition: %v", err)
		}
		heal()
		_ = c.SetDeadline(time.Now().Add(long))
		got := make([]byte, 4)
		if _, err := io.ReadFull(c, got); err != nil || string(got) != "held" {
			t.Errorf("after it has healed: %q, %v", got, err)
		}
	})
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

func TestCut(t *testing.T) {
	bothNetworks(t, func(t *testing.T, network string) {
		h := through(t, network, link.Options{})
		c := h.dial(t)
		if err := ask(c, "before", long); err != nil {
			t.Fatal(err)
		}
		mend := h.add(t, link.Effect{Cut: true})
		if err := ask(c, "cut", long); err == nil || isTimeout(err) {
			t.Errorf("on a cut connection: %v", err)
		}
		if err := h.try("new"); err == nil || isTimeout(err) {
			t.Errorf("on a new connection: %v", err)
		}
		mend()
		if err := h.try("after"); err != nil {
			t.Error(err)
		}
	})
}

func TestHalfOpen(t *testing.T) {
	bothNetworks(t, func(t *testing.T, network string) {
		h := through(t, network, link.Options{})
		c := h.dial(t)
		if err := ask(c, "before", long); err != nil {
			t.Fatal(err)
		}
		end := h.add(t, link.Effect{HalfOpen: true})
		h.server.await(t, 1)
		if err := ask(c, "hello?", brief); !isTimeout(err) {
			t.Errorf("the near side was told: %v", err)
		}
		fresh := h.dial(t)
		if err := ask(fresh, "hello?", brief); !isTimeout(err) {
			t.Errorf("a new connection: %v", err)
		}
		end()
		for _, c := range []net.Conn{c, fresh} {
			_ = c.SetDeadline(time.Now().Add(long))
			if _, err := c.Read(make([]byte, 1)); err == nil || isTimeout(err) {
				t.Errorf("it was not told in the end: %v", err)
			}
		}
		if err := h.try("after"); err != nil {
			t.Error(err)
		}
	})
}

// await waits until so many connections are over.
func (e *echo) await(t *testing.T, n int) {
	t.Helper()
	for deadline := time.Now().Add(long); ; time.Sleep(time.Millisecond) {
		e.mu.Lock()
		ended := e.ended
		e.mu.Unlock()
		if ended >= n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are over, not %d", ended, n)
		}
	}
}

// A connection is named by what it says first, and hit by that name.
func TestLabel(t *testing.T) {
	t.Parallel()
	h := through(t, "tcp", link.Options{Label: func(first []byte) (string, bool) {
		name, _, ok := bytes.Cut(first, []byte(";"))
		return string(name), ok
	}})
	bad, good := h.dial(t), h.dial(t)
	for c, name := range map[net.Conn]string{bad: "shard1;", good: "shard2;"} {
		if err := ask(c, name, long); err != nil {
			t.Fatal(err)
		}
	}
	h.add(t, link.Effect{Cut: true, Label: "shard1"})
	if err := ask(bad, "x", long); err == nil {
		t.Error("the one that was meant was not hit")
	}
	if err := ask(good, "x", long); err != nil {
		t.Errorf("the other one was hit: %v", err)
	}
	if err := h.try("shard1;"); err == nil {
		t.Error("a new one was not hit")
	}
	if err := h.try("shard2;"); err != nil {
		t.Error(err)
	}
}

func TestShare(t *testing.T) {
	t.Parallel()
	h := through(t, "tcp", link.Options{})
	h.add(t, link.Effect{Cut: true, Share: 0.3})
	hit := 0
	const n = 400
	for range n {
		if h.try("x") != nil {
			hit++
		}
	}
	if hit < n/5 || hit > n*2/5 { // six standard deviations
		t.Errorf("%d of %d connections were hit, not three tenths", hit, n)
	}
}

// Whatever slows a link down, and however that changes on the way: what is sent arrives, all of it, once and in order.
func TestNothingIsLost(t *testing.T) {
	t.Parallel()
	h := through(t, "tcp", link.Options{})
	effects := rapid.Custom(func(rt *rapid.T) link.Effect {
		return link.Effect{
			Latency: time.Duration(rapid.IntRange(0, 3000).Draw(rt, "latency")) * time.Microsecond, Jitter: time.Duration(rapid.IntRange(0, 3000).Draw(rt, "jitter")) * time.Microsecond,
			Bandwidth: rapid.SampledFrom([]int64{0, 1 << 20, 1 << 26}).Draw(rt, "bandwidth"), Stall: rapid.Bool().Draw(rt, "stall"),
			Direction: rapid.SampledFrom([]link.Direction{link.Both, link.Up, link.Down}).Draw(rt, "direction"), Share: rapid.SampledFrom([]float64{0, 0.5}).Draw(rt, "share"),
		}
	})
	rapid.Check(t, func(rt *rapid.T) {
		data := rapid.SliceOfN(rapid.Byte(), 1, 40_000).Draw(rt, "data")
		sizes := rapid.SliceOfN(rapid.IntRange(1, 9000), 1, 20).Draw(rt, "sizes")
		list := rapid.SliceOfN(effects, 0, 5).Draw(rt, "effects")
		c := h.dial(t)
		defer func() { _ = c.Close() }()
		_ = c.SetDeadline(time.Now().Add(long))
		var both sync.WaitGroup
		var ends []func()
		both.Go(func() {
			rest := data
			for i := 0; len(rest) > 0; i++ {
				n := min(len(rest), sizes[i%len(sizes)])
				if _, err := c.Write(rest[:n]); err != nil {
					t.Error(err)
					return
				}
				rest = rest[n:]
				if i < len(list) {
					ends = append(ends, h.add(t, list[i]))
				} else if len(ends) > 0 {
					ends[0]()
					ends = ends[1:]
				}
			}
			for _, end := range ends {
				end()
			}
		})
		got := make([]byte, len(data))
		if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, data) {
			rt.Errorf("%v, or other bytes than were sent", err)
		}
		both.Wait()
	})
}

// As faults of an injector: links by pattern, several at once, and back.
func TestFaults(t *testing.T) {
	t.Parallel()
	a, b := through(t, "tcp", link.Options{}), through(t, "tcp", link.Options{})
	var set link.Set
	set.Add("api:redis", a.Proxy)
	set.Add("api:nats", b.Proxy)
	var reg chaos.Registry
	reg.Add(set.Faults()...)
	in, err := chaos.New(&reg, chaos.Options{})
	if err != nil {
		t.Fatal(err)
	}
	inject := func(fault string, params map[string]string) error {
		_, err := in.Inject(t.Context(), chaos.Request{Fault: fault, Params: params})
		return err
	}
	for _, bad := range []map[string]string{{"link": "api:mars"}, {"link": "api:*", "direction": "sideways"}, {"link": "["}} {
		if err := inject(link.SlowFault, bad); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
	if err := errors.Join(inject(link.CutFault, map[string]string{"link": "*:redis"}), inject(link.SlowFault, map[string]string{"link": "api:*", "latency": "1ms"})); err != nil {
		t.Fatal(err)
	}
	if a.try("x") == nil {
		t.Error("api:redis is not cut")
	}
	if err := b.try("x"); err != nil {
		t.Errorf("api:nats is cut, too: %v", err)
	}
	if err := in.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := a.try("x"); err != nil {
		t.Error(err)
	}
	if err := in.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// What the proxy costs: a question and its answer through it.
func BenchmarkAsk(b *testing.B) {
	h := through(b, "unix", link.Options{})
	c := h.dial(b)
	text := []byte("0123456789abcdef")
	for b.Loop() {
		if _, err := c.Write(text); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, text); err != nil {
			b.Fatal(err)
		}
	}
}
