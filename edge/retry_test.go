package edge

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestBalancesOverTCPAndUnix(t *testing.T) {
	t.Parallel()
	a, b := tcpBackend(t, "a"), unixBackend(t, "b")
	s := start(t, Options{}, a, b)
	for range 200 {
		if res, body := s.do(t, "GET", "/x", ""); res.StatusCode != 200 || body != "hello from "+res.Header.Get("X-Origin") {
			t.Fatalf("got %d %q", res.StatusCode, body)
		}
	}
	if a.hits.Load() < 50 || b.hits.Load() < 50 {
		t.Errorf("unfair: %d and %d", a.hits.Load(), b.hits.Load())
	}
}

func TestPrefersTheLessBusy(t *testing.T) {
	t.Parallel()
	a, b := tcpBackend(t, "a"), tcpBackend(t, "b")
	release := make(chan struct{})
	a.handle(func(http.ResponseWriter, *http.Request) { <-release })
	s := start(t, Options{}, a, b)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(release)
	for a.hits.Load() == 0 { // until one request hangs in a
		before := a.hits.Load() + b.hits.Load()
		wg.Go(func() { _, _, _ = s.try("GET", "/", "") })
		waitFor(t, "a hit", func() bool { return a.hits.Load()+b.hits.Load() > before })
	}
	waitFor(t, "quiet", func() bool { return s.Origins()[1].InFlight == 0 })
	for range 20 {
		if _, body := s.do(t, "GET", "/", ""); body != "hello from b" {
			t.Fatalf("got %q", body)
		}
	}
}

func TestGETOutlivesBrokenConnections(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]http.HandlerFunc{
		"before the header": cut,
		"inside the body": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, "half an ans")
			_ = http.NewResponseController(w).Flush()
			cut(w, r)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := tcpBackend(t, "a"), unixBackend(t, "b")
			a.handle(broken)
			s := start(t, Options{}, a, b)
			for range 50 {
				if res, body := s.do(t, "GET", "/", ""); res.StatusCode != 200 || body != "hello from b" {
					t.Fatalf("got %d %q", res.StatusCode, body)
				}
			}
			if a.hits.Load() == 0 {
				t.Error("the broken origin was never asked")
			}
		})
	}
}

// seen records what origins received.
type seen struct {
	sync.Mutex
	ops, bodies []string
}

func (s *seen) note(r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.Lock()
	defer s.Unlock()
	s.ops = append(s.ops, r.Header.Get("Stampede-Op"))
	s.bodies = append(s.bodies, string(body))
}

func TestPOSTIsRepeatedOnlyWhereAllowed(t *testing.T) {
	t.Parallel()
	allow := func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/cart") }
	a := tcpBackend(t, "a")
	s := start(t, Options{RetryUnsafe: allow}, a)
	var log seen
	a.handle(func(w http.ResponseWriter, r *http.Request) {
		log.note(r)
		cut(w, r)
		a.handle(func(_ http.ResponseWriter, r *http.Request) { log.note(r) })
	})
	if res, _ := s.do(t, "POST", "/cart/add", `{"product_id":1}`); res.StatusCode != 200 {
		t.Fatalf("allowed: got %d", res.StatusCode)
	}
	if len(log.ops) != 2 || log.ops[0] == "" || log.ops[0] != log.ops[1] || log.bodies[1] != `{"product_id":1}` {
		t.Fatalf("attempts: %q %q", log.ops, log.bodies)
	}
	for _, body := range []string{"", "x"} { // net/http would repeat these by itself because of the key
		a.hits.Store(0)
		a.handle(func(http.ResponseWriter, *http.Request) {})
		s.do(t, "GET", "/warm-the-connection", "")
		a.handle(cut)
		res, text := s.do(t, "POST", "/other", body, "Idempotency-Key", "k")
		wantProblem(t, res, text, 502, "bad-gateway")
		if n := a.hits.Load(); n != 2 {
			t.Errorf("body %q: sent %d times", body, n-1)
		}
	}
}

func TestIdempotencyKeyArrives(t *testing.T) {
	t.Parallel()
	a := tcpBackend(t, "a")
	a.handle(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("Idempotency-Key")+r.Header.Get("X-Idempotency-Key"))
	})
	s := start(t, Options{}, a)
	if _, body := s.do(t, "POST", "/", "b", "Idempotency-Key", "one,", "X-Idempotency-Key", "two"); body != "one,two" {
		t.Errorf("got %q", body)
	}
}

func TestRefusedConnectionIsAlwaysRetried(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	b := tcpBackend(t, "b")
	for range 10 { // a fresh edge each time: it takes the dead origin for healthy at first
		s := start(t, Options{Origins: []string{"http://" + l.Addr().String()}, HealthInterval: time.Minute}, b)
		if res, body := s.do(t, "POST", "/", "body"); res.StatusCode != 200 {
			t.Fatalf("got %d %s", res.StatusCode, body)
		}
		s.Close()
	}
}

func TestLargeBodiesAreStreamedAndNotRepeated(t *testing.T) {
	t.Parallel()
	a := tcpBackend(t, "a")
	s := start(t, Options{ReplayBytes: 1000, RetryUnsafe: func(*http.Request) bool { return true }}, a)
	big := strings.Repeat("x", 100_000)
	a.handle(func(w http.ResponseWriter, r *http.Request) {
		all, _ := io.ReadAll(r.Body)
		_, _ = w.Write(all)
	})
	if _, body := s.do(t, "PUT", "/", big); body != big {
		t.Fatalf("got %d bytes back", len(body))
	}
	a.hits.Store(0)
	a.handle(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body); cut(w, r) })
	res, body := s.do(t, "PUT", "/", big)
	wantProblem(t, res, body, 502, "bad-gateway")
	if a.hits.Load() != 1 {
		t.Errorf("sent %d times", a.hits.Load())
	}
}

func TestBudgetEndsRetryStorms(t *testing.T) {
	t.Parallel()
	a := tcpBackend(t, "a")
	a.handle(cut)
	s := start(t, Options{RetryFloor: 5, RetryRatio: 0.1, HealthInterval: time.Millisecond}, a)
	const requests = 40
	for range requests {
		if res, _ := s.do(t, "GET", "/", ""); res.StatusCode < 500 {
			t.Fatalf("got %d", res.StatusCode)
		}
	}
	if extra := a.hits.Load() - requests; extra > 5+requests/10 || extra < 1 {
		t.Errorf("%d repetitions", extra)
	}
}

func TestBudgetWindow(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	b := &budget{ratio: 0.2, floor: 1, now: func() time.Time { return now }}
	for range 10 {
		b.request()
	}
	for i := range 3 {
		if !b.spend() {
			t.Fatalf("repetition %d refused", i)
		}
	}
	if b.spend() {
		t.Error("more than floor + 20 %")
	}
	now = now.Add(budgetWindow * time.Second)
	if !b.spend() || b.spend() {
		t.Error("after the window only the floor is left")
	}
}
