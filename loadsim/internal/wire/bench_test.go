package wire

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func newReader(raw []byte) *bufio.Reader { return bufio.NewReader(bytes.NewReader(raw)) }

// trivial answers whatever ends in an empty line with one fixed KiB, as cheaply as a server in Go can.
func trivial(b *testing.B) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	body := bytes.Repeat([]byte("x"), 1024)
	reply := append([]byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1024\r\n\r\n"), body...)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				buf := make([]byte, 4096)
				for {
					if _, err := c.Read(buf); err != nil {
						return
					}
					if _, err := c.Write(reply); err != nil {
						return
					}
				}
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// BenchmarkClient compares this client with net/http's Transport: time and CPU of a request over 64 kept connections, the
// share of the server, which is the same for both, included.
func BenchmarkClient(b *testing.B) {
	b.Run("wire", func(b *testing.B) {
		u, _ := url.Parse(trivial(b))
		c := New(Options{Base: u, Head: "Accept: application/json\r\nUser-Agent: x\r\n"})
		defer c.Close()
		callers(b, func() error {
			cn, err := c.Get(b.Context(), time.Now().Add(time.Minute))
			if err != nil {
				return err
			}
			var res Response
			err = cn.Do(&Request{Method: "GET", Path: "/products/1"}, &res, time.Now().Add(time.Minute))
			c.Put(cn)
			return err
		})
	})
	b.Run("nethttp", func(b *testing.B) {
		tr := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
		defer tr.CloseIdleConnections()
		base := trivial(b)
		callers(b, func() error {
			req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, base+"/products/1", nil)
			if err != nil {
				return err
			}
			req.Header["Accept"], req.Header["User-Agent"] = []string{"application/json"}, []string{"x"}
			res, err := tr.RoundTrip(req)
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			return err
		})
	})
}

func callers(b *testing.B, call func() error) {
	b.ReportAllocs()
	var left atomic.Int64
	left.Store(int64(b.N))
	failed := make(chan error, 64)
	begun := cpu()
	for range 64 {
		go func() {
			var err error
			for err == nil && left.Add(-1) >= 0 {
				err = call()
			}
			failed <- err
		}()
	}
	for range 64 {
		if err := <-failed; err != nil {
			b.Error(err)
		}
	}
	b.ReportMetric(float64((cpu()-begun).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
