package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// steady asks at a rate, whatever the server does, on a number of connections; passed is the share that no cache may answer.
type steady struct {
	rate   int
	passed float64
	conns  int
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
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	kept := []byte("GET /kept HTTP/1.1\r\nHost: shop\r\n\r\n")
	passed := []byte("GET /passed HTTP/1.1\r\nHost: shop\r\n\r\n")
	every := time.Second * time.Duration(s.conns) / time.Duration(s.rate)
	due := time.Now().Add(every * time.Duration(i) / time.Duration(s.conns))
	share := float64(i%7) / 7
	for ctx.Err() == nil {
		time.Sleep(time.Until(due)) // an open load: it asks by the clock
		due = due.Add(every)
		ask := kept
		if share += s.passed; share >= 1 {
			share, ask = share-1, passed
		}
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		if _, err := conn.Write(ask); err != nil {
			return err
		}
		if err := skipAnswer(in); err != nil {
			return err
		}
		n.Add(1)
	}
	return nil
}

// skipAnswer reads an answer of known length.
func skipAnswer(in *bufio.Reader) error {
	length := -1
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
func skipAll(req *http.Request) error {
	res, err := http.DefaultClient.Do(req)
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
