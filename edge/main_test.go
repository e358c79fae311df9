package edge

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// backend is a real origin whose behaviour a test sets.
type backend struct {
	addr  string
	ready atomic.Bool
	hits  atomic.Int64 // requests other than health checks
	serve atomic.Pointer[http.HandlerFunc]
	srv   *httptest.Server
}

func newBackend(t testing.TB, name string, l net.Listener) *backend {
	t.Helper()
	b := &backend{}
	b.ready.Store(true)
	b.handle(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Origin", name)
		_, _ = io.WriteString(w, "hello from "+name)
	})
	b.srv = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" {
			if !b.ready.Load() {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			return
		}
		b.hits.Add(1)
		(*b.serve.Load())(w, r)
	}))
	if l != nil {
		_ = b.srv.Listener.Close()
		b.srv.Listener = l
	}
	b.srv.Start()
	t.Cleanup(b.srv.Close)
	b.addr = "http://" + b.srv.Listener.Addr().String()
	if l != nil && l.Addr().Network() == "unix" {
		b.addr = "unix:" + l.Addr().String()
	}
	return b
}

func (b *backend) handle(f http.HandlerFunc) { b.serve.Store(&f) }

func tcpBackend(t testing.TB, name string) *backend { return newBackend(t, name, nil) }

func unixBackend(t *testing.T, name string) *backend {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(shortDir(t), "s"))
	if err != nil {
		t.Fatal(err)
	}
	return newBackend(t, name, l)
}

// shortDir is t.TempDir with a short path: a socket's is limited to about 100 bytes.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "edge")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// cut breaks the connection without an answer, as a dying process does.
func cut(w http.ResponseWriter, _ *http.Request) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = c.Close()
	}
}

// setup is an edge that serves on a real socket, and a client for it.
type setup struct {
	*Edge
	url    string
	addr   string
	client *http.Client
	cancel context.CancelFunc // starts draining
	served chan error
}

func start(t testing.TB, o Options, backends ...*backend) *setup {
	t.Helper()
	for _, b := range backends {
		o.Origins = append(o.Origins, b.addr)
	}
	def(&o.HealthInterval, 20*time.Millisecond)
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &setup{Edge: e, addr: l.Addr().String(), url: "http://" + l.Addr().String(), cancel: cancel, served: make(chan error, 1)}
	tr := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}
	s.client = &http.Client{Transport: tr, Timeout: 20 * time.Second}
	go func() { s.served <- e.Serve(ctx, l) }()
	t.Cleanup(func() {
		e.Close()
		cancel()
		tr.CloseIdleConnections()
	})
	return s
}

// do sends a request and returns the answer with its body read.
func (s *setup) do(t *testing.T, method, path, body string, header ...string) (*http.Response, string) {
	t.Helper()
	res, text, err := s.try(method, path, body, header...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return res, text
}

func (s *setup) try(method, path, body string, header ...string) (*http.Response, string, error) {
	var rd io.Reader
	if body != "" {
		rd = strings.NewReader(body)
	}
	req, err := http.NewRequest(method, s.url+path, rd)
	if err != nil {
		return nil, "", err
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	res, err := s.client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	return res, string(text), err
}

// waitFor waits until cond holds.
func waitFor(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatal("never happened: " + what)
		}
		time.Sleep(time.Millisecond)
	}
}

func (s *setup) state(addr string) string {
	for _, o := range s.Origins() {
		if o.Address == addr {
			return o.State
		}
	}
	return "gone"
}

func wantProblem(t *testing.T, res *http.Response, body string, status int, typ string) {
	t.Helper()
	if res.StatusCode != status || res.Header.Get("Content-Type") != "application/problem+json" || !strings.Contains(body, fmt.Sprintf("%q", "/problems/"+typ)) {
		t.Fatalf("got %d %s %s, want a problem %d %s", res.StatusCode, res.Header.Get("Content-Type"), body, status, typ)
	}
	if res.Header.Get("X-Request-Id") == "" {
		t.Error("a problem without X-Request-Id")
	}
}
