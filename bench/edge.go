package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	edgeRounds  = 7 // each of both
	edgeSeconds = 3
	edgeConns   = 64
)

// benchEdge measures cache hits of 1 KiB over keep-alive connections: the edge as shipped against nginx proxy_cache, each
// on the first core, wrk on the second, in turns. The ratio is of the rates.
func benchEdge(ctx context.Context) (_ result, err error) {
	dir, err := os.MkdirTemp("", "bench-edge-")
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	origin, stop, err := edgeOrigin()
	if err != nil {
		return result{}, err
	}
	defer stop()
	ports, err := freePorts(3)
	if err != nil {
		return result{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	binary := filepath.Join(dir, "cdn")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "./edge/examples/cdn").CombinedOutput(); err != nil {
		return result{}, fmt.Errorf("%w: %s", err, out)
	}
	conf, err := nginxConf(dir, ports[0], origin)
	if err != nil {
		return result{}, err
	}
	for _, args := range [][]string{
		{"nginx", "-p", dir, "-c", conf, "-e", filepath.Join(dir, "error.log")},
		{binary, "-origin", "http://" + origin, "-listen", ports[1], "-ops", ports[2]},
	} {
		wait, err := pinned(ctx, args...)
		if err != nil {
			return result{}, err
		}
		defer wait()
	}
	defer cancel() // before waiting for them
	return edgeRatio(ctx, "http://"+ports[1]+"/p", "http://"+ports[0]+"/p")
}

// edgeOrigin answers everything with 1 KiB that may be kept.
func edgeOrigin() (addr string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	body := []byte(`{"id":1,"name":"` + strings.Repeat("x", 1024-18) + `"}`)
	srv := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "public, max-age=3600")
		w.Header().Set("Etag", `"1"`)
		_, _ = w.Write(body)
	})}
	go func() { _ = srv.Serve(l) }()
	return l.Addr().String(), func() { _ = srv.Close() }, nil
}

func freePorts(n int) (addrs []string, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { _ = l.Close() }()
		addrs = append(addrs, l.Addr().String())
	}
	return addrs, nil
}

func nginxConf(dir, listen, origin string) (string, error) {
	path := filepath.Join(dir, "nginx.conf")
	return path, os.WriteFile(path, []byte(strings.NewReplacer("DIR", dir, "LISTEN", listen, "ORIGIN", origin).Replace(`daemon off; master_process off; pid DIR/nginx.pid;
events { worker_connections 1024; }
http {
  access_log off; keepalive_requests 1000000000; client_body_temp_path DIR/b; proxy_temp_path DIR/t;
  fastcgi_temp_path DIR/f; uwsgi_temp_path DIR/u; scgi_temp_path DIR/s;
  proxy_cache_path DIR/cache levels=1:2 keys_zone=c:16m max_size=256m inactive=1h;
  server { listen LISTEN; location / { proxy_pass http://ORIGIN; proxy_cache c; proxy_cache_revalidate on; add_header X-Cache $upstream_cache_status; } }
}
`)), 0o600)
}

// pinned runs a server on the first core until ctx ends; the function waits for its end.
func pinned(ctx context.Context, args ...string) (wait func(), err error) {
	cmd := exec.CommandContext(ctx, "taskset", append([]string{"-c", "0"}, args...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 15 * time.Second
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() { _ = cmd.Wait() }, nil
}

func edgeRatio(ctx context.Context, ours, anchor string) (result, error) {
	for _, url := range []string{ours, anchor} {
		if err := fill(ctx, url); err != nil {
			return result{}, err
		}
	}
	var rates, others, ratios, tails, otherTails []float64
	for i := range edgeRounds + 1 { // the first warms up
		a, err := wrk(ctx, ours)
		if err != nil {
			return result{}, err
		}
		b, err := wrk(ctx, anchor)
		if err != nil {
			return result{}, err
		}
		if i > 0 {
			rates, others, ratios = append(rates, a.rate), append(others, b.rate), append(ratios, a.rate/b.rate)
			tails, otherTails = append(tails, a.p99), append(otherTails, b.p99)
		}
	}
	return result{Unit: "requests/s", Ours: median(rates), Anchor: median(others), Ratio: median(ratios),
		Spread: spread(rates), Runs: edgeRounds,
		Details: map[string]any{"connections": edgeConns, "p99_ms": median(tails), "anchor_p99_ms": median(otherTails)}}, nil
}

// fill waits until url is answered, twice, so that it is in the cache.
func fill(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for got := 0; got < 2; {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				got++
				continue
			}
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w", url, err)
		}
	}
	return nil
}

type wrkResult struct{ rate, p99 float64 }

var (
	wrkRate = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)
	wrkTail = regexp.MustCompile(`99%\s+([0-9.]+)(us|ms|s)`)
)

// wrk loads url from the second core and reads what wrk reports; an answer that is no 200 is an error.
func wrk(ctx context.Context, url string) (r wrkResult, err error) {
	out, err := exec.CommandContext(ctx, "taskset", "-c", "1", "wrk", "-t1", "-c"+strconv.Itoa(edgeConns), "-d"+strconv.Itoa(edgeSeconds)+"s",
		"--latency", url).CombinedOutput()
	rate, tail := wrkRate.FindSubmatch(out), wrkTail.FindSubmatch(out)
	if err != nil || rate == nil || tail == nil || strings.Contains(string(out), "Non-2xx") || strings.Contains(string(out), "Socket errors") {
		return r, fmt.Errorf("wrk %s: %w: %s", url, errors.Join(err, errors.New("no clean run")), out)
	}
	r.rate, _ = strconv.ParseFloat(string(rate[1]), 64)
	r.p99, _ = strconv.ParseFloat(string(tail[1]), 64)
	r.p99 *= map[string]float64{"us": 0.001, "ms": 1, "s": 1000}[string(tail[2])]
	return r, nil
}
