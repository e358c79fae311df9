package wire

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// half answers /hit…, and leaves the rest to net/http.
type half struct{ hits atomic.Int64 }

func (a *half) Answer(h *Head, _ netip.Addr, _ time.Time, out []byte) ([]byte, bool, bool) {
	if !strings.HasPrefix(string(h.Target), "/hit") {
		return out, false, false
	}
	a.hits.Add(1)
	body := "fast " + string(h.Target)
	return fmt.Appendf(out, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body), string(h.Target) == "/hit/last", true
}

func (a *half) Flushed(int, time.Duration) {}

type setup struct {
	*half
	addr string
	l    *Listener
	gone chan struct{} // gets one for each request of net/http whose client left
}

func serve(t *testing.T) *setup {
	t.Helper()
	return serveWithin(t, 5*time.Second)
}

func serveWithin(t *testing.T, write time.Duration) *setup {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &setup{half: &half{}, addr: inner.Addr().String(), gone: make(chan struct{}, 10)}
	s.l = NewListener(inner, Options{Answerer: s.half, MaxHeader: 8 << 10, HeaderTimeout: 200 * time.Millisecond, IdleTimeout: 10 * time.Second, WriteTimeout: write})
	srv := &http.Server{ReadHeaderTimeout: 200 * time.Millisecond, IdleTimeout: 10 * time.Second,
		ConnState: func(c net.Conn, st http.ConnState) {
			switch st {
			case http.StateIdle:
				c.(*Conn).Boundary()
			case http.StateHijacked:
				c.(*Conn).Raw()
			}
		},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/wait" {
				<-r.Context().Done()
				s.gone <- struct{}{}
				return
			}
			body, _ := io.ReadAll(r.Body)
			_, _ = fmt.Fprintf(w, "slow %s %s", r.URL.Path, body)
		})}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(s.l) }()
	t.Cleanup(func() { _ = srv.Close(); <-done })
	return s
}

func (s *setup) dial(t *testing.T) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	t.Cleanup(func() { _ = c.Close() })
	return c, bufio.NewReader(c)
}

func want(t *testing.T, r *bufio.Reader, text string) {
	t.Helper()
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatalf("instead of %q: %v", text, err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil || string(body) != text {
		t.Fatalf("%q %v, want %q", body, err, text)
	}
}

func send(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

const (
	hit  = "GET /hit HTTP/1.1\r\nHost: a\r\n\r\n"
	miss = "GET /miss HTTP/1.1\r\nHost: a\r\n\r\n"
	post = "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
)

// Hits, misses and bodies in any order, one after the other and all at once, come back in order.
func TestMixOnOneConnection(t *testing.T) {
	t.Parallel()
	s := serve(t)
	order := []string{hit, miss, post, hit, hit, miss, post, post, miss, hit, hit}
	answers := map[string]string{hit: "fast /hit", miss: "slow /miss ", post: "slow /p abc"}
	c, r := s.dial(t)
	for _, q := range order {
		send(t, c, q)
		want(t, r, answers[q])
	}
	c, r = s.dial(t)
	send(t, c, strings.Join(order, ""))
	for _, q := range order {
		want(t, r, answers[q])
	}
	c, r = s.dial(t) // and a byte at a time
	go func() {
		for _, b := range []byte(strings.Join(order, "")) {
			if _, err := c.Write([]byte{b}); err != nil {
				return
			}
		}
	}()
	for _, q := range order {
		want(t, r, answers[q])
	}
	if got := s.hits.Load(); got != 15 {
		t.Errorf("%d hits on the fast path, want 15", got)
	}
}

// After something that is not understood net/http has the connection for good, and serves it as ever.
func TestForeignRequests(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, r := s.dial(t)
	send(t, c, hit+"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"+hit)
	want(t, r, "fast /hit")
	want(t, r, "slow /c abc")
	want(t, r, "slow /hit ")
	c, r = s.dial(t)
	send(t, c, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"+hit)
	want(t, r, "slow / ") // framed by chunks, as RFC 9112 has it: net/http alone decides, the fast path is out
	want(t, r, "slow /hit ")
	if s.hits.Load() != 1 {
		t.Errorf("%d hits", s.hits.Load())
	}
}

// A client that leaves while net/http works is noticed, also with requests of its own waiting.
func TestDisconnectIsNoticed(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, more := range []string{"", hit, hit + miss} {
		c, _ := s.dial(t)
		send(t, c, "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n"+more)
		_ = c.Close()
		select {
		case <-s.gone:
		case <-time.After(time.Minute):
			t.Fatal("never noticed")
		}
	}
}

// A head that comes in too slowly ends the connection, whatever was answered before.
func TestSlowHead(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, r := s.dial(t)
	send(t, c, hit+"GET /hit HT")
	want(t, r, "fast /hit")
	begun := time.Now()
	if _, err := r.ReadByte(); err == nil || time.Since(begun) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(begun))
	}
}

func TestClosing(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, r := s.dial(t)
	send(t, c, strings.Replace(hit, "/hit", "/hit/last", 1)+hit)
	want(t, r, "fast /hit/last")
	if _, err := r.ReadByte(); err != io.EOF {
		t.Errorf("not closed: %v", err)
	}
	c, r = s.dial(t)
	send(t, c, hit)
	want(t, r, "fast /hit")
	s.l.CloseIdle()
	if _, err := r.ReadByte(); err == nil {
		t.Error("an idle connection was not closed")
	}
	_ = c.Close()
}

func TestLongHeadIsForNetHTTP(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, r := s.dial(t)
	send(t, c, "GET /hit HTTP/1.1\r\nHost: a\r\nX: "+strings.Repeat("x", 10<<10)+"\r\n\r\n")
	want(t, r, "slow /hit ")
}

// A client that sends many requests before it reads gets all answers, in order; one that never reads is let go.
func TestClientThatDoesNotRead(t *testing.T) {
	t.Parallel()
	s := serve(t)
	const n = 6000
	c, r := s.dial(t)
	go func() {
		for i := range n {
			if _, err := fmt.Fprintf(c, "GET /hit%d%s HTTP/1.1\r\nHost: a\r\n\r\n", i, strings.Repeat("x", 1000)); err != nil {
				return
			}
		}
	}()
	stuck := time.Now()
	for before := int64(-1); before != s.hits.Load() || time.Since(stuck) < 100*time.Millisecond; time.Sleep(20 * time.Millisecond) {
		if now := s.hits.Load(); now != before {
			before, stuck = now, time.Now()
		}
	}
	if got := s.hits.Load(); got == n {
		t.Fatal("everything was sent at once: this shows nothing")
	}
	for i := range n {
		want(t, r, fmt.Sprintf("fast /hit%d%s", i, strings.Repeat("x", 1000)))
	}
	send(t, c, post)
	want(t, r, "slow /p abc")

	s = serveWithin(t, 100*time.Millisecond)
	c, _ = s.dial(t)
	for i := 0; ; i++ {
		if _, err := fmt.Fprintf(c, "GET /hit%s HTTP/1.1\r\nHost: a\r\n\r\n", strings.Repeat("x", 4000)); err != nil {
			break // cut off
		}
		if i > 100_000 {
			t.Fatal("never cut off")
		}
	}
}

// A client that has said all it will say gets its answer, and then the connection ends.
func TestHalfClosed(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, all := range []string{hit, miss, hit + miss + hit} {
		c, r := s.dial(t)
		send(t, c, all)
		if err := c.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		for range strings.Count(all, "GET") {
			if res, err := http.ReadResponse(r, nil); err != nil {
				t.Fatal(err)
			} else if _, err := io.Copy(io.Discard, res.Body); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := r.ReadByte(); err != io.EOF {
			t.Errorf("%q: %v", all, err)
		}
	}
}
