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
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	edgeRounds  = 12 // each of both
	edgeSeconds = 2
	edgeConns   = 64
)

// benchEdge measures cache hits of 1 KiB over keep-alive connections: `stampede edge` as it is by default (limits, firewall,
// metrics, request ids, Cache-Status) against nginx proxy_cache with none of it, each on the first core, wrk on the second, in
// turns. The ratio is of the rates. Where others use the machine, cpu_ratio says more: of the processor time that a request
// costs.
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
	conf, err := nginxConf(dir, ports[0], origin)
	if err != nil {
		return result{}, err
	}
	var pids [2]int
	for i, args := range [][]string{
		{"bin/stampede", "edge", "--origin", "http://" + origin, "--listen", ports[1], "--ops", ports[2]},
		{"nginx", "-p", dir, "-c", conf, "-e", filepath.Join(dir, "error.log")},
	} {
		pid, wait, err := pinned(ctx, args...)
		if err != nil {
			return result{}, err
		}
		pids[i] = pid
		defer wait()
	}
	defer cancel() // before waiting for them
	return edgeRatio(ctx, edgeSide{"http://" + ports[1] + "/products/1", pids[0]}, edgeSide{"http://" + ports[0] + "/products/1", pids[1]})
}

// edgeSide is one of the two: what it is asked, and its process.
type edgeSide struct {
	url string
	pid int
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
func pinned(ctx context.Context, args ...string) (pid int, wait func(), err error) {
	cmd := exec.CommandContext(ctx, "taskset", append([]string{"-c", "0"}, args...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 15 * time.Second
	if err := cmd.Start(); err != nil {
		return 0, nil, err
	}
	return cmd.Process.Pid, func() { _ = cmd.Wait() }, nil // taskset becomes the server
}

func edgeRatio(ctx context.Context, ours, anchor edgeSide) (result, error) {
	for _, side := range []edgeSide{ours, anchor} {
		if err := fill(ctx, side.url); err != nil {
			return result{}, err
		}
	}
	got, ratios := map[string][]float64{}, []float64{}
	var cpuRatios []float64
	for i := range edgeRounds + 1 { // the first warms up
		a, err := ours.load(ctx)
		if err != nil {
			return result{}, err
		}
		b, err := anchor.load(ctx)
		if err != nil {
			return result{}, err
		}
		if i == 0 {
			continue
		}
		ratios, cpuRatios = append(ratios, a.rate/b.rate), append(cpuRatios, b.cpu/a.cpu)
		for name, r := range map[string]wrkResult{"": a, "anchor_": b} {
			got[name+"rate"], got[name+"p99_ms"] = append(got[name+"rate"], r.rate), append(got[name+"p99_ms"], r.p99)
			got[name+"cpu_us"], got["others"] = append(got[name+"cpu_us"], r.cpu), append(got["others"], r.others)
		}
	}
	details := map[string]any{"connections": edgeConns, "cpu_ratio": median(cpuRatios), "others_busy": median(got["others"])}
	for _, name := range []string{"p99_ms", "anchor_p99_ms", "cpu_us", "anchor_cpu_us"} {
		details[name] = median(got[name])
	}
	return result{Unit: "requests/s", Ours: median(got["rate"]), Anchor: median(got["anchor_rate"]), Ratio: median(ratios),
		Spread: spread(got["rate"]), Runs: edgeRounds, Details: details}, nil
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

// wrkResult is a round: requests a second, the 99th percentile in ms, processor time of the server per request in µs, and
// the share of the machine that neither server nor wrk used, nor nobody.
type wrkResult struct{ rate, p99, cpu, others float64 }

var (
	wrkRate  = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)
	wrkTail  = regexp.MustCompile(`99%\s+([0-9.]+)(us|ms|s)`)
	wrkCount = regexp.MustCompile(`([0-9]+) requests in`)
)

// load asks from the second core and reads what wrk reports; an answer that is no 200 is an error.
func (s edgeSide) load(ctx context.Context) (r wrkResult, err error) {
	cmd := exec.CommandContext(ctx, "taskset", "-c", "1", "wrk", "-t1", "-c"+strconv.Itoa(edgeConns), "-d"+strconv.Itoa(edgeSeconds)+"s",
		"--latency", s.url)
	before, used := busyTime(), processTime(s.pid)
	began := time.Now()
	out, err := cmd.CombinedOutput()
	took, served := time.Since(began), processTime(s.pid)-used
	rate, tail, count := wrkRate.FindSubmatch(out), wrkTail.FindSubmatch(out), wrkCount.FindSubmatch(out)
	if err != nil || rate == nil || tail == nil || count == nil || strings.Contains(string(out), "Non-2xx") || strings.Contains(string(out), "Socket errors") {
		return r, fmt.Errorf("wrk %s: %w: %s", s.url, errors.Join(err, errors.New("no clean run")), out)
	}
	n, _ := strconv.ParseFloat(string(count[1]), 64)
	r.rate, _ = strconv.ParseFloat(string(rate[1]), 64)
	r.p99, _ = strconv.ParseFloat(string(tail[1]), 64)
	r.p99 *= map[string]float64{"us": 0.001, "ms": 1, "s": 1000}[string(tail[2])]
	r.cpu = float64(served.Microseconds()) / n
	own := served + cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	r.others = max(0, (busyTime()-before-own).Seconds()/took.Seconds()/float64(runtime.NumCPU()))
	return r, nil
}

// tick is the unit of /proc, on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// processTime is the processor time that a process has used.
func processTime(pid int) time.Duration {
	raw, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	_, after, _ := strings.Cut(string(raw), ") ")
	f := strings.Fields(after)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * tick
}

// busyTime is the time in which any processor of the machine did something, for us or for other guests.
func busyTime() (busy time.Duration) {
	raw, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(raw), "\n")
	for i, f := range strings.Fields(line) {
		if n, err := strconv.Atoi(f); err == nil && i < 9 && i != 4 && i != 5 { // idle, and idle for a disk
			busy += time.Duration(n) * tick
		}
	}
	return busy
}
