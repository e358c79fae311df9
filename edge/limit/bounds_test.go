package limit

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

func TestBounds(t *testing.T) {
	t.Parallel()
	h := Bounds{MaxURIBytes: 100, MaxHeaders: 5, MaxHeaderBytes: 200, MaxBodyBytes: 10}.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			w.WriteHeader(http.StatusInsufficientStorage)
			return
		}
		w.WriteHeader(http.StatusTeapot)
	}))
	many := from("192.0.2.1:1", http.MethodGet)
	for i := range 6 {
		many.Header.Add("X-A", fmt.Sprint(i))
	}
	unknown := httptest.NewRequest(http.MethodPost, "/", io.NopCloser(strings.NewReader(strings.Repeat("x", 11))))
	unknown.ContentLength = -1
	for name, c := range map[string]struct {
		r      *http.Request
		status int
	}{
		"fine":           {httptest.NewRequest(http.MethodPost, "/", strings.NewReader("0123456789")), http.StatusTeapot},
		"no body":        {from("192.0.2.1:1", http.MethodGet), http.StatusTeapot},
		"long URI":       {httptest.NewRequest(http.MethodGet, "/?"+strings.Repeat("a", 100), nil), http.StatusRequestURITooLong},
		"many headers":   {many, http.StatusRequestHeaderFieldsTooLarge},
		"large header":   {from("192.0.2.1:1", http.MethodGet, "X-A", strings.Repeat("a", 200)), http.StatusRequestHeaderFieldsTooLarge},
		"large body":     {httptest.NewRequest(http.MethodPost, "/", strings.NewReader("0123456789a")), http.StatusRequestEntityTooLarge},
		"unknown length": {unknown, http.StatusInsufficientStorage},
	} {
		rec := serve(h, c.r)
		if rec.Code != c.status {
			t.Errorf("%s: %d %s, want %d", name, rec.Code, rec.Body, c.status)
		}
		if rec.Code >= 400 && rec.Code < 500 && rec.Code != http.StatusTeapot && (rec.Header().Get("Content-Type") != "application/problem+json" || rec.Header().Get("Connection") != "close") {
			t.Errorf("%s: %v", name, rec.Header())
		}
	}
}

// A body that trickles in is given up when it falls behind the minimum rate; the rate counts, not the silence alone.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	got := make(chan error, 1)
	b := Bounds{MinBytesPerSecond: 1 << 20, Grace: 50 * time.Millisecond, Stall: time.Minute}
	srv := httptest.NewUnstartedServer(b.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		got <- err
		w.WriteHeader(http.StatusRequestTimeout)
	})))
	Harden(srv.Config)
	if srv.Config.ReadHeaderTimeout == 0 || srv.Config.IdleTimeout == 0 || srv.Config.MaxHeaderBytes == 0 {
		t.Error("Harden left something open")
	}
	srv.Start()
	t.Cleanup(srv.Close)
	c, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc"); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-got:
		if !errors.Is(err, ErrSlowBody) || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%v, want ErrSlowBody", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("the server still waits for the body")
	}
}

func TestDue(t *testing.T) {
	t.Parallel()
	start := time.Unix(1000, 0)
	p := &paced{b: Bounds{MinBytesPerSecond: 100, Grace: 5 * time.Second, Stall: 10 * time.Second}, start: start}
	for n, want := range map[int64]time.Duration{0: 5 * time.Second, 100: 6 * time.Second, 1000: 12 * time.Second} {
		p.n = n
		if due := p.due(start.Add(2 * time.Second)).Sub(start); due != want {
			t.Errorf("after %d bytes: due at %v, want %v", n, due, want)
		}
	}
}
