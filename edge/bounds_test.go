package edge

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestOriginThatDoesNotAnswerIs504(t *testing.T) {
	t.Parallel()
	a := tcpBackend(t, "a")
	a.handle(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	s := start(t, Options{Timeout: time.Second}, a) // enough to reach the origin
	res, body := s.do(t, "GET", "/", "")
	wantProblem(t, res, body, 504, "gateway-timeout")
	if a.hits.Load() != 1 {
		t.Errorf("asked %d times", a.hits.Load())
	}
}

func TestStalledAnswerIsCutOff(t *testing.T) {
	t.Parallel()
	a := tcpBackend(t, "a")
	a.handle(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "begin")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	s := start(t, Options{StallTimeout: 100 * time.Millisecond}, a)
	if _, body, err := s.try("GET", "/", ""); err == nil || body != "begin" {
		t.Errorf("got %q, %v: the client must see that the answer is incomplete", body, err)
	}
}

func TestBodyLimits(t *testing.T) {
	t.Parallel()
	a := tcpBackend(t, "a")
	a.handle(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprint(w, n, err)
	})
	s := start(t, Options{MaxBodyBytes: 2000, ReplayBytes: 500}, a)
	for size, want := range map[int]string{10: "10 <nil>", 500: "500 <nil>", 501: "501 <nil>", 2000: "2000 <nil>"} {
		if res, body := s.do(t, "POST", "/", strings.Repeat("x", size)); res.StatusCode != 200 || body != want {
			t.Errorf("%d bytes: %d %q", size, res.StatusCode, body)
		}
	}
	res, body := s.do(t, "POST", "/", strings.Repeat("x", 2001))
	wantProblem(t, res, body, 413, "too-large")
	chunked, err := s.client.Post(s.url, "text/plain", iotest.OneByteReader(strings.NewReader(strings.Repeat("x", 3000))))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = chunked.Body.Close() }()
	text, _ := io.ReadAll(chunked.Body)
	wantProblem(t, chunked, string(text), 413, "too-large")
	if s.kept.Load() != 0 {
		t.Errorf("%d bytes still reserved", s.kept.Load())
	}
}

// raw sends text on a fresh connection and returns all that comes back until the edge closes it.
func raw(t *testing.T, s *setup, text string) string {
	t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	_, _ = io.WriteString(c, text)
	all, err := io.ReadAll(c)
	if errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("the edge kept the connection; so far: %q", all)
	}
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		t.Fatalf("the edge kept the connection; so far: %q", all)
	}
	return string(all)
}

func TestSlowClients(t *testing.T) {
	t.Parallel()
	const limit = 700 * time.Millisecond // more than a busy machine needs for what is sent at once
	a := tcpBackend(t, "a")
	s := start(t, Options{HeaderTimeout: limit, StallTimeout: limit, IdleTimeout: limit, ReplayBytes: 50}, a)
	if got := raw(t, s, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow"); strings.Contains(got, "200 OK") {
		t.Errorf("unfinished header: %q", got)
	}
	for _, length := range []string{"20", "1000"} { // kept, streamed
		got := raw(t, s, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: "+length+"\r\n\r\nhalf")
		if length == "20" && !strings.HasPrefix(got, "HTTP/1.1 408 ") {
			t.Errorf("unfinished body of %s: %q", length, got)
		}
	}
	if got := raw(t, s, "TRACE / HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\nhalf"); !strings.HasPrefix(got, "HTTP/1.1 405 ") || !strings.Contains(got, "\r\nAllow: DELETE, GET,") {
		t.Errorf("body nobody reads: %q", got)
	}
	if got := raw(t, s, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 200 ") {
		t.Errorf("idle connection: %q", got)
	}
	if got := raw(t, s, "GET / HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("x", 100_000)+"\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 431 ") {
		t.Errorf("large header: %.100q", got)
	}
}

// TestUnreadBodyIsNotTheNextRequest: an origin that answers early leaves part of the body unread; it must not be served.
func TestUnreadBodyIsNotTheNextRequest(t *testing.T) {
	t.Parallel()
	a := tcpBackend(t, "a")
	a.handle(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") })
	s := start(t, Options{ReplayBytes: 10, StallTimeout: time.Second}, a)
	smuggled := "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
	raw(t, s, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"+smuggled)
	if n := a.hits.Load(); n != 1 {
		t.Errorf("%d requests reached the origin", n)
	}
}

// Who refuses a request after its body was read need not end the connection: in an overload new ones cost more than the refusal.
func TestRefusalAfterBodyKeepsConnection(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Admission: []func(http.Handler) http.Handler{func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusServiceUnavailable)
		})
	}}}, tcpBackend(t, "a"))
	post := "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
	if got := strings.Count(raw(t, s, post+strings.Replace(post, "Host: x", "Host: x\r\nConnection: close", 1)), "HTTP/1.1 503 "); got != 2 {
		t.Errorf("%d answers, want 2", got)
	}
}

// A body that comes slowly but steadily may take longer than Timeout, also when a middleware reads it.
func TestSteadyUpload(t *testing.T) {
	t.Parallel()
	for name, wrap := range map[string]func(http.Handler) http.Handler{
		"balancer": func(next http.Handler) http.Handler { return next },
		"middleware": func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				all, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				r.Body = io.NopCloser(strings.NewReader(string(all)))
				next.ServeHTTP(w, r)
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := tcpBackend(t, "a")
			a.handle(func(w http.ResponseWriter, r *http.Request) {
				n, err := io.Copy(io.Discard, r.Body)
				_, _ = fmt.Fprint(w, n, err)
			})
			s := start(t, Options{Timeout: 1500 * time.Millisecond, Middleware: []func(http.Handler) http.Handler{wrap}}, a)
			pr, pw := io.Pipe()
			go func() {
				tick := time.NewTicker(100 * time.Millisecond)
				defer tick.Stop()
				for range 20 {
					<-tick.C
					_, _ = pw.Write([]byte("x"))
				}
				_ = pw.Close()
			}()
			res, err := s.client.Post(s.url, "text/plain", pr)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = res.Body.Close() }()
			if text, _ := io.ReadAll(res.Body); res.StatusCode != 200 || string(text) != "20 <nil>" {
				t.Errorf("%d %q", res.StatusCode, text)
			}
		})
	}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	a := tcpBackend(t, "a")
	begun, release := make(chan struct{}), make(chan struct{})
	a.handle(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(begun)
			<-release
		}
	})
	s := start(t, Options{DrainGrace: 5 * time.Second}, a)
	idle, err := net.Dial("tcp", s.addr) // a connection with a request just before draining
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = idle.Close() }()
	ask := func() *http.Response {
		_, _ = io.WriteString(idle, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		res, err := http.ReadResponse(bufio.NewReader(idle), nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res
	}
	ask()
	slow := make(chan int, 1)
	go func() {
		res, _, err := s.try("GET", "/slow", "")
		if err != nil {
			slow <- 0
			return
		}
		slow <- res.StatusCode
	}()
	<-begun
	s.cancel()
	waitFor(t, "draining", func() bool { return errors.Is(s.Ready(), ErrDraining) })
	waitFor(t, "not accepting", func() bool {
		c, err := net.Dial("tcp", s.addr)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	if res := ask(); res.StatusCode != 200 || !res.Close {
		t.Errorf("open connection: %d, close %v", res.StatusCode, res.Close)
	}
	close(release)
	if code := <-slow; code != 200 {
		t.Errorf("request in flight: %d", code)
	}
	if err := <-s.served; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestDrainIsBounded(t *testing.T) {
	t.Parallel()
	a := tcpBackend(t, "a")
	begun := make(chan struct{})
	a.handle(func(_ http.ResponseWriter, r *http.Request) { close(begun); <-r.Context().Done() })
	s := start(t, Options{DrainGrace: -1, DrainTimeout: 50 * time.Millisecond}, a)
	done := make(chan struct{})
	go func() { defer close(done); _, _, _ = s.try("POST", "/", "") }()
	<-begun
	s.cancel()
	if err := <-s.served; err == nil {
		t.Error("a request was cut off, and Serve says nothing")
	}
	<-done
	s.Close()
	s.Close()
	if !errors.Is(s.Ready(), ErrClosed) || !errors.Is(s.SetOrigins(nil), ErrClosed) {
		t.Error("closed edge")
	}
}

func TestWrongOptions(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	if _, err := newMetrics(reg); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]Options{
		"origin": {Origins: []string{"nonsense"}}, "timeout": {Timeout: -1}, "attempts": {MaxAttempts: -1}, "registered twice": {Registerer: reg},
	} {
		if e, err := New(o); err == nil {
			e.Close()
			t.Errorf("%s: accepted", name)
		}
	}
}
