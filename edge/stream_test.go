package edge

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestEventStreamFlowsAndOutlivesTimeouts(t *testing.T) {
	t.Parallel()
	a := tcpBackend(t, "a")
	next := make(chan struct{})
	a.handle(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := 0; ; i++ {
			_, _ = fmt.Fprintf(w, "data: %d\n\n", i)
			_ = http.NewResponseController(w).Flush()
			select {
			case <-next:
			case <-r.Context().Done():
				return
			}
		}
	})
	s := start(t, Options{Timeout: time.Second, StallTimeout: time.Second}, a)
	res, err := s.client.Get(s.url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	lines := bufio.NewReader(res.Body)
	for i := range 2 {
		line, err := lines.ReadString('\n')
		if err != nil || line != fmt.Sprintf("data: %d\n", i) {
			t.Fatalf("event %d: %q %v", i, line, err)
		}
		_, _ = lines.ReadString('\n')
		time.Sleep(1200 * time.Millisecond) // the silence under test
		next <- struct{}{}
	}
}

func TestUpgradePassesThrough(t *testing.T) {
	t.Parallel()
	a := unixBackend(t, "a")
	a.handle(func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\nSurrogate-Key: x\r\n\r\n")
		_ = rw.Flush()
		_, _ = io.Copy(c, rw)
	})
	s := start(t, Options{Timeout: time.Second}, a)
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	_, _ = io.WriteString(c, "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	rd := bufio.NewReader(c)
	res, err := http.ReadResponse(rd, nil)
	if err != nil || res.StatusCode != 101 || res.Header.Get("Surrogate-Key") != "" || res.Header.Get("X-Request-Id") == "" {
		t.Fatalf("%v %v", res, err)
	}
	time.Sleep(1200 * time.Millisecond) // beyond Timeout
	for _, msg := range []string{"one\n", "two\n"} {
		_, _ = io.WriteString(c, msg)
		if got, err := rd.ReadString('\n'); got != msg {
			t.Fatalf("%q %v", got, err)
		}
	}
	waitFor(t, "one in flight", func() bool { return s.Origins()[0].InFlight == 1 })
	_ = c.Close()
	waitFor(t, "none in flight", func() bool { return s.Origins()[0].InFlight == 0 })
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	a, b := tcpBackend(t, "a"), tcpBackend(t, "b")
	a.handle(cut)
	s := start(t, Options{Registerer: reg, HealthInterval: time.Hour}, a, b)
	for range 30 {
		s.do(t, "GET", "/", "")
	}
	if n := value(t, reg, "requests_total", "200"); n != 30 {
		t.Errorf("%v requests", n)
	}
	broken := value(t, reg, "origin_requests_total", a.addr, "broken")
	if retries := value(t, reg, "retries_total", "broken"); broken == 0 || retries != broken {
		t.Errorf("%v broken, %v retries", broken, retries)
	}
	if err := s.SetOrigins([]string{b.addr}); err != nil {
		t.Fatal(err)
	}
	all, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if strings.Contains(f.String(), a.addr) {
			t.Errorf("%s still names an origin that was removed", f.GetName())
		}
	}
	waitFor(t, "idle", func() bool { return value(t, reg, "in_flight_requests") == 0 })
}

// value is one figure of the edge's metrics: that of the series which has all the given label values.
func value(t *testing.T, reg prometheus.Gatherer, name string, labels ...string) float64 {
	t.Helper()
	all, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if f.GetName() != "stampede_edge_"+name {
			continue
		}
		for _, m := range f.GetMetric() {
			found := 0
			for _, l := range m.GetLabel() {
				if slices.Contains(labels, l.GetValue()) {
					found++
				}
			}
			if found == len(labels) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return 0
}
