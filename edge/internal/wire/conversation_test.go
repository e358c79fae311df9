package wire

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// echo is what a request is answered with, whoever does, in a header: so the answer to a HEAD reads as any other.
func echo(method, target, host string, body []byte) string {
	return fmt.Sprintf("%s %s of %s: %q", method, target, host, body)
}

// echoing answers plain requests for /hit… as the handler would.
type echoing struct{}

func (echoing) Answer(h *Head, _ netip.Addr, _ time.Time, out []byte) ([]byte, bool, bool) {
	if !strings.HasPrefix(string(h.Target), "/hit") {
		return out, false, false
	}
	text := echo(string(h.Method), string(h.Target), string(h.Known[Host]), nil)
	return fmt.Appendf(out, "HTTP/1.1 200 OK\r\nX-Echo: %s\r\nContent-Length: 0\r\n\r\n", text), false, true
}

func (echoing) Flushed(int, time.Duration) {}

// echoServer serves on a port of its own, with the fast path or without.
func echoServer(f *testing.F, fast bool) (addr string) {
	f.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	addr = l.Addr().String()
	srv := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // cut short: who asked is gone
		}
		w.Header().Set("X-Echo", echo(r.Method, r.RequestURI, r.Host, body))
		w.Header().Set("Content-Length", "0")
	}), ConnState: func(c net.Conn, s http.ConnState) {
		if w, ok := c.(*Conn); ok && s == http.StateIdle {
			w.Boundary()
		}
	}}
	if fast {
		l = NewListener(l, Options{Answerer: echoing{}, MaxHeader: 64 << 10, HeaderTimeout: time.Minute, IdleTimeout: time.Minute, WriteTimeout: time.Minute})
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(l) }()
	f.Cleanup(func() { _ = srv.Close(); <-done })
	return addr
}

// converse says all of in, step bytes at a time, and returns the answers. What the server says to a request that is not whole is left out.
func converse(t *testing.T, addr string, in []byte, step int) (answers []string) {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	said := make(chan struct{})
	go func() {
		defer close(said)
		for rest := in; len(rest) > 0; rest = rest[min(step, len(rest)):] {
			if _, err := c.Write(rest[:min(step, len(rest))]); err != nil {
				return // it has closed after something that it refused
			}
		}
		_ = c.(*net.TCPConn).CloseWrite()
	}()
	defer func() { <-said }()
	all, _ := io.ReadAll(c) // a reset after what was refused is no news
	for r := bufio.NewReader(bytes.NewReader(all)); ; {
		res, err := http.ReadResponse(r, nil)
		if err != nil || res.StatusCode >= http.StatusBadRequest {
			return answers
		}
		answers = append(answers, fmt.Sprint(res.StatusCode, " ", res.Header.Get("X-Echo")))
	}
}

// Whatever is said on a connection, and in whatever pieces, is answered as net/http alone would answer it.
func FuzzConversation(f *testing.F) {
	head := "HEAD /hit HTTP/1.1\r\nHost: a\r\n\r\n"
	for i, in := range append([]string{hit + miss + post + hit, post + hit + hit + miss + post, hit + head + miss, miss + hit + "GET /hit HT", hit + post[:len(post)-1]}, seeds...) {
		f.Add([]byte(in), byte(i))
		f.Add([]byte(hit+in+hit), byte(255))
	}
	fast, plain := echoServer(f, true), echoServer(f, false)
	f.Fuzz(func(t *testing.T, in []byte, step byte) {
		ours, theirs := converse(t, fast, in, 1+int(step)), converse(t, plain, in, 1+int(step))
		if strings.Join(ours, "\n") != strings.Join(theirs, "\n") {
			t.Fatalf("%q: answered %q, by net/http alone %q", in, ours, theirs)
		}
	})
}
