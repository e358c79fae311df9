package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

const (
	monitoringAPIRate  = 300 // requests a second, at one API process
	monitoringAPIConns = 10
	monitoringAPIFor   = 90 * time.Second
)

// benchMonitoringAPI measures what monitoring costs an API process of a whole platform: requests that no edge answers go to it directly, so
// that series, spans, what statements took and the flight recorder have something to do. It is compared as benchMonitoring does; the figure is
// that of the requests that an edge at its rate passes on.
func benchMonitoringAPI(ctx context.Context) (_ result, err error) {
	if err := os.Setenv("STAMPEDE_TELEMETRY_PROFILE", "false"); err != nil { // no slice is long enough for it: profiles are a side
		return result{}, err
	}
	defer func() { err = errors.Join(err, os.Unsetenv("STAMPEDE_TELEMETRY_PROFILE")) }()
	data, stop, err := startPlatform(ctx, "--apis", "1", "--shards", "2", "--replicas", "1", "--products", "2000")
	if err != nil {
		return result{}, err
	}
	defer stop()
	m, err := monitoredAPI(ctx, data)
	if err != nil {
		return result{}, err
	}
	asks, err := apiShoppers(ctx, m.addr)
	if err != nil {
		return result{}, err
	}
	m.load = steady{rate: m.rate, conns: len(asks), asks: func(conn int) [][]byte { return asks[conn] }}.begin(ctx, m.addr)
	seen, err := m.rounds(ctx)
	if err = errors.Join(err, m.load.end()); err != nil {
		return result{}, err
	}
	r := m.result(seen)
	var micros, share []float64
	for _, round := range seen.rounds {
		off := float64(round[sideOff].perRequest+round[sideAgain].perRequest) / 2
		more := float64(round[sideOn].perRequest) - off
		micros, share = append(micros, more/1e3), append(share, 100*more/off)
	}
	for name, v := range map[string][]float64{"recording_us": micros, "recording_of_api_percent": share} {
		e := bootstrapped(v)
		r.Details[name] = []float64{e.mean, e.low, e.high}
	}
	return r, nil
}

// monitoredAPI is the API process of a platform that `up` started.
func monitoredAPI(ctx context.Context, data string) (*monitored, error) {
	raw, err := os.ReadFile(filepath.Join(data, "run", "config.yaml"))
	if err != nil {
		return nil, err
	}
	var cfg struct{ Edge struct{ Origins []string } }
	if err := yaml.Unmarshal(raw, &cfg); err != nil {
		return nil, err
	}
	st, err := statusOf(ctx, data)
	if err != nil {
		return nil, err
	}
	const name = "api-1"
	m := &monitored{ops: "http://localhost", rate: monitoringAPIRate, counts: monitoringRate / monitoringPassed, most: monitoringAPIFor}
	for _, o := range cfg.Edge.Origins {
		if path, ok := strings.CutPrefix(o, "unix:"); ok && filepath.Base(path) == name {
			m.addr = path
		}
	}
	for _, p := range st.Processes {
		if p.Name == name {
			m.pid = p.PID
		}
	}
	if m.addr == "" || m.pid == 0 {
		return nil, fmt.Errorf("%s is not among the platform's processes", name)
	}
	m.client = overSocket(m.addr + ".ops")
	return m, nil
}

// overSocket is a client whose requests all go to a Unix socket.
func overSocket(path string) *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
}

// apiShoppers are what shoppers ask who have something in their bags, by connection: what an edge may not keep, or not for long, and some of
// what it does not have yet.
func apiShoppers(ctx context.Context, socket string) (asks [][][]byte, err error) {
	client := overSocket(socket)
	defer client.CloseIdleConnections()
	for i := range monitoringAPIConns {
		body := strings.NewReader(fmt.Sprintf(`{"product_id":%d,"quantity":1}`, i+1))
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://shop/cart/add", body)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := client.Do(req)
		if err != nil {
			return nil, err
		}
		_ = res.Body.Close()
		at := slices.IndexFunc(res.Cookies(), func(c *http.Cookie) bool { return c.Name == "sid" })
		if res.StatusCode != http.StatusOK || at < 0 {
			return nil, fmt.Errorf("POST /cart/add: %s", res.Status)
		}
		cookie := "Cookie: sid=" + res.Cookies()[at].Value
		var list [][]byte
		for j := range 10 {
			id := 1 + 97*i + 7*j
			switch {
			case j < 4:
				list = append(list, asked(fmt.Sprintf("/products/%d/stock", id)))
			case j < 6:
				list = append(list, asked("/cart", cookie))
			case j < 8:
				list = append(list, asked(fmt.Sprintf("/products/%d", id)))
			case j == 8:
				list = append(list, asked("/search?q=lamp", "Accept: text/html"))
			default:
				list = append(list, asked("/products?limit=20&sort=price"))
			}
		}
		asks = append(asks, list)
	}
	return asks, nil
}
