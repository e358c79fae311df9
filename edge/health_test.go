package edge

import (
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestEjectionAndReturn(t *testing.T) {
	t.Parallel()
	a, b := tcpBackend(t, "a"), unixBackend(t, "b")
	s := start(t, Options{}, a, b)
	a.ready.Store(false)
	waitFor(t, "a is out", func() bool { return s.state(a.addr) == "down" })
	for range 20 {
		if _, body := s.do(t, "GET", "/", ""); body != "hello from b" {
			t.Fatalf("got %q", body)
		}
	}
	b.ready.Store(false)
	waitFor(t, "nothing left", func() bool { return errors.Is(s.Ready(), ErrNoOrigin) })
	a.ready.Store(true)
	waitFor(t, "a is back", func() bool { return s.Ready() == nil && s.state(a.addr) == "up" })
	if _, body := s.do(t, "GET", "/", ""); body != "hello from a" {
		t.Errorf("got %q", body)
	}
}

func TestNoOriginIs503InBoundedTime(t *testing.T) {
	t.Parallel()
	a := tcpBackend(t, "a")
	a.ready.Store(false)
	s := start(t, Options{WaitForOrigin: 100 * time.Millisecond, MaxWaiters: 1}, a)
	waitFor(t, "a is out", func() bool { return s.Ready() != nil })
	begun := time.Now()
	res, body := s.do(t, "GET", "/", "")
	wantProblem(t, res, body, 503, "temporarily-unavailable")
	if res.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if took := time.Since(begun); took < 90*time.Millisecond || took > 20*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestWaitersAreServedWhenAnOriginReturns(t *testing.T) {
	t.Parallel()
	a := tcpBackend(t, "a")
	a.ready.Store(false)
	s := start(t, Options{WaitForOrigin: 10 * time.Second, MaxWaiters: 3}, a)
	waitFor(t, "a is out", func() bool { return s.Ready() != nil })
	var wg sync.WaitGroup
	var ok atomic.Int64
	for range 3 {
		wg.Go(func() {
			if res, _, err := s.try("POST", "/", "x"); err == nil && res.StatusCode == 200 {
				ok.Add(1)
			}
		})
	}
	waitFor(t, "three wait", func() bool { return s.pool.waiters.Load() == 3 })
	res, body := s.do(t, "GET", "/", "")
	wantProblem(t, res, body, 503, "temporarily-unavailable") // the queue is full
	a.ready.Store(true)
	wg.Wait()
	if ok.Load() != 3 {
		t.Errorf("%d of 3 served", ok.Load())
	}
}

// hang accepts connections and never answers, as a stopped process does.
func hang(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
		for _, c := range conns {
			_ = c.Close()
		}
	})
	return "http://" + l.Addr().String()
}

func TestHungOriginLosesItsRequests(t *testing.T) {
	t.Parallel()
	dead := hang(t)
	b := tcpBackend(t, "b")
	s := start(t, Options{Origins: []string{dead}, HealthTimeout: 500 * time.Millisecond}, b)
	for range 5 { // two in three would otherwise wait for the whole Timeout
		if res, body := s.do(t, "GET", "/", ""); res.StatusCode != 200 {
			t.Fatalf("got %d %s", res.StatusCode, body)
		}
	}
	waitFor(t, "slow", func() bool { return s.state(dead) == "slow" })
	if err := s.SetOrigins([]string{dead}); err != nil {
		t.Fatal(err)
	}
	if s.Ready() != nil {
		t.Error("a slow origin is better than none")
	}
}

func TestSetOriginsUnderLoad(t *testing.T) {
	t.Parallel()
	a, b := tcpBackend(t, "a"), tcpBackend(t, "b")
	s := start(t, Options{}, a)
	var wg sync.WaitGroup
	var failed atomic.Int64
	for range 4 {
		wg.Go(func() {
			for range 100 {
				if res, _, err := s.try("POST", "/", "x"); err != nil || res.StatusCode != 200 {
					failed.Add(1)
				}
			}
		})
	}
	for i := range 40 {
		addrs := []string{a.addr, b.addr, b.addr}
		if err := s.SetOrigins(addrs[i%2 : 2+i%2]); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	if failed.Load() != 0 {
		t.Errorf("%d failed", failed.Load())
	}
	if err := s.SetOrigins([]string{"ftp://x"}); err == nil || len(s.Origins()) == 0 {
		t.Error("a wrong origin must change nothing")
	}
}

// TestFlappingOrigins kills and revives two origins in turn, connections and all: no GET may fail.
func TestFlappingOrigins(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	origins := []*flapper{newFlapper(t, dir+"/a"), newFlapper(t, dir+"/b")}
	s := start(t, Options{Origins: []string{"unix:" + origins[0].path, "unix:" + origins[1].path}})
	var wg sync.WaitGroup
	var total atomic.Int64
	stop := make(chan struct{})
	for range 8 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				total.Add(1)
				res, body, err := s.try("GET", "/", "")
				if err != nil || res.StatusCode != http.StatusOK || len(body) != 20_000 {
					t.Errorf("failed: %v %v %.200s", err, res, body)
				}
			}
		})
	}
	for i := range 10 {
		o := origins[i%2]
		o.kill()
		waitFor(t, "noticed", func() bool { return s.state("unix:"+o.path) == "down" })
		o.revive(t)
		waitFor(t, "back", func() bool { return s.state("unix:"+o.path) == "up" })
	}
	close(stop)
	wg.Wait()
	t.Logf("%d requests", total.Load())
}
