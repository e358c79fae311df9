package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// steady asks at a rate, whatever the server does, on a number of connections.
type steady struct {
	rate  int
	conns int
	asks  func(conn int) [][]byte // what a connection asks, again and again
}

// loading is a load that is going on.
type loading struct {
	n    atomic.Int64 // answers
	stop context.CancelFunc
	err  atomic.Pointer[error] // of the first connection that broke
	wg   sync.WaitGroup
}

// begin asks until the load is ended.
func (s steady) begin(ctx context.Context, addr string) *loading {
	ctx, cancel := context.WithCancel(ctx)
	l := &loading{stop: cancel}
	for i := range s.conns {
		l.wg.Go(func() {
			if err := s.connection(ctx, addr, i, &l.n); err != nil && ctx.Err() == nil {
				l.err.CompareAndSwap(nil, &err)
				cancel()
			}
		})
	}
	return l
}

// failed is why the load is over before it was ended; nil while it goes on.
func (l *loading) failed() error {
	if err := l.err.Load(); err != nil {
		return *err
	}
	return nil
}

// end waits for the answers that are due.
func (l *loading) end() error {
	l.stop()
	l.wg.Wait()
	return l.failed()
}

// connection asks on one connection, each request when it is due or as soon as the one before was answered.
func (s steady) connection(ctx context.Context, addr string, i int, n *atomic.Int64) error {
	network := "tcp"
	if strings.HasPrefix(addr, "/") {
		network = "unix"
	}
	conn, err := net.DialTimeout(network, addr, 5*time.Second)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	asks := s.asks(i)
	every := time.Second * time.Duration(s.conns) / time.Duration(s.rate)
	due := time.Now().Add(every * time.Duration(i) / time.Duration(s.conns))
	for turn := i; ctx.Err() == nil; turn++ {
		time.Sleep(time.Until(due)) // an open load: it asks by the clock
		due = due.Add(every)
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		if _, err := conn.Write(asks[turn%len(asks)]); err != nil {
			return err
		}
		if err := skipAnswer(in); err != nil {
			line, _, _ := strings.Cut(string(asks[turn%len(asks)]), "\r\n")
			return fmt.Errorf("%s: %w", line, err)
		}
		n.Add(1)
	}
	return nil
}

// asked is a request for a path, with more lines of a header or none.
func asked(path string, lines ...string) []byte {
	head := append([]string{"GET " + path + " HTTP/1.1", "Host: shop"}, lines...)
	return []byte(strings.Join(head, "\r\n") + "\r\n\r\n")
}

// skipAnswer reads an answer of known length, or in chunks.
func skipAnswer(in *bufio.Reader) error {
	length, chunked := -1, false
	for first := true; ; first = false {
		line, err := in.ReadString('\n')
		if err != nil {
			return err
		}
		if line = strings.TrimRight(line, "\r\n"); line == "" {
			break
		}
		if first && !strings.HasPrefix(line, "HTTP/1.1 200") {
			return fmt.Errorf("answered %q", line)
		}
		if v, ok := strings.CutPrefix(strings.ToLower(line), "content-length:"); ok {
			if length, err = strconv.Atoi(strings.TrimSpace(v)); err != nil {
				return err
			}
		}
		chunked = chunked || strings.EqualFold(line, "Transfer-Encoding: chunked")
	}
	if chunked {
		if _, err := io.Copy(io.Discard, httputil.NewChunkedReader(in)); err != nil {
			return err
		}
		_, err := in.ReadString('\n') // after the last chunk
		return err
	}
	if length < 0 {
		return fmt.Errorf("an answer without a length")
	}
	_, err := in.Discard(length)
	return err
}

// monitoringOrigin answers /passed with 1 KiB that nobody may keep, and everything else with 1 KiB that may be kept.
func monitoringOrigin() (addr string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	body := []byte(strings.Repeat("x", 1024))
	srv := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.Header().Set("Cache-Control", "public, max-age=3600")
		if r.URL.Path == "/passed" {
			w.Header().Set("Cache-Control", "private, no-store")
		}
		_, _ = w.Write(body)
	})}
	go func() { _ = srv.Serve(l) }()
	return l.Addr().String(), func() { _ = srv.Close() }, nil
}

// skipAll makes a request and reads its answer to the end.
func skipAll(client *http.Client, req *http.Request) error {
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s", req.Method, req.URL, res.Status)
	}
	return nil
}
