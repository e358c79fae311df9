package limit

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

var teapot = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewPedanticRegistry()
	l := newLimiter(t, Options{Registerer: reg, Classes: []Class{{Name: "all", Address: Rate{Requests: 2, Per: time.Hour, Burst: 2}}}})
	h := l.Wrap(teapot)
	for _, want := range []string{`"all-address";r=1;t=1800`, `"all-address";r=0;t=3600`} {
		rec := serve(h, from("192.0.2.1:1", http.MethodGet))
		if rec.Code != http.StatusTeapot || rec.Header().Get("RateLimit") != want || rec.Header().Get("RateLimit-Policy") != `"all-address";q=2;w=3600` {
			t.Errorf("%d %v, want RateLimit %s", rec.Code, rec.Header(), want)
		}
	}
	rec := serve(h, from("192.0.2.1:1", http.MethodGet, "X-Request-Id", "id-1"))
	var p problem
	if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil {
		t.Fatal(err)
	}
	if rec.Code != http.StatusTooManyRequests || rec.Header().Get("Content-Type") != "application/problem+json" || p.Type != "/problems/too-many-requests" ||
		p.Status != http.StatusTooManyRequests || p.RequestID != "id-1" || !strings.Contains(p.Detail, "wait 1800 s") || rec.Header().Get("Retry-After") != "1800" {
		t.Errorf("%d %v %s", rec.Code, rec.Header(), rec.Body)
	}
	for labels, want := range map[string]float64{
		"stampede_limit_decisions_total all address": 1, "stampede_limit_decisions_total all admitted": 2,
		"stampede_limit_decisions_total all session": 0, "stampede_limit_busy_clients": 1, "stampede_limit_evictions_total": 0,
	} {
		if got := gathered(t, reg)[labels]; got != want {
			t.Errorf("%s: %v, want %v", labels, got, want)
		}
	}
}

// gathered are the metrics of a registry by name and label values.
func gathered(t *testing.T, reg prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			out[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return out
}

func TestModes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode Mode
		addr string
		want int // of 100,000 reads
	}{
		{ModeOff, "192.0.2.1:1", 100_000}, {ModeOn, "192.0.2.1:1", 2000}, {ModeOn, "127.0.0.1:1", 100_000}, {ModeOn, "[::1]:1", 100_000},
		{ModeOn, "@", 100_000}, {ModeStrict, "127.0.0.1:1", 80}, {ModeStrict, "192.0.2.1:1", 80},
	} {
		l := newLimiter(t, Options{Mode: c.mode})
		start := time.Now()
		got := admitted(l, from(c.addr, http.MethodGet), 100_000)
		grown := int(time.Since(start).Seconds()*1000) + 2 // what the time it took adds at most
		if got < c.want || got > c.want+grown {
			t.Errorf("%s, %s: %d admitted, want %d and at most %d more", c.mode, c.addr, got, c.want, grown)
		}
	}
	l := newLimiter(t, Options{})
	if err := l.SetMode(ModeOff); err != nil || l.Mode() != ModeOff {
		t.Errorf("%v %v", l.Mode(), err)
	}
	if err := l.SetMode("loud"); err == nil || !strings.Contains(err.Error(), "off, on or strict") {
		t.Errorf("mode loud: %v", err)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{
		{Mode: "loud"}, {MaxClients: -1}, {Classes: []Class{}}, {Classes: []Class{{Name: "a b"}}}, {Classes: []Class{{Name: "a"}, {Name: "a"}}},
		{Classes: []Class{{Name: "a", Address: Rate{Burst: 1}}}}, {Classes: []Class{{Name: "a", Session: Rate{Requests: -1}}}},
	} {
		if _, err := New(o); err == nil || !strings.HasPrefix(err.Error(), "limit: ") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// Hits that never become a request share the buckets of those that do.
func TestAdmit(t *testing.T) {
	t.Parallel()
	l := newLimiter(t, Options{Classes: []Class{{Name: "all", Address: Rate{Requests: 1, Per: time.Hour, Burst: 3}, Session: Rate{Requests: 1, Per: time.Hour, Burst: 2}}}})
	client := netip.MustParseAddr("::ffff:192.0.2.1")
	got := []bool{l.Admit("all", client, ""), l.Decide(from("192.0.2.1:1", http.MethodGet)).Admitted, l.Admit("all", client, ""), l.Admit("all", client, ""),
		l.Decide(from("192.0.2.1:1", http.MethodGet)).Admitted, l.Admit("none", client, ""), l.Admit("all", netip.Addr{}, "a"), l.Admit("all", netip.Addr{}, "a"), l.Admit("all", netip.Addr{}, "a")}
	if want := []bool{true, true, true, false, false, true, true, true, false}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// What is admitted costs no memory.
func TestNoAllocation(t *testing.T) {
	l := newLimiter(t, Options{TrustedProxies: prefixes("10.0.0.0/8")})
	r := from("10.0.0.1:1", http.MethodPost, "X-Forwarded-For", "127.0.0.1, 10.2.2.2", "Cookie", "a=b; sid=1.abc.def")
	if n := testing.AllocsPerRun(500, func() { l.Decide(r) }); n != 0 {
		t.Errorf("%v allocations in Decide", n)
	}
	client := netip.MustParseAddr("192.0.2.1")
	if n := testing.AllocsPerRun(500, func() { l.Admit("reads", client, "") }); n != 0 {
		t.Errorf("%v allocations in Admit", n)
	}
	h, w := l.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})), httptest.NewRecorder()
	if n := testing.AllocsPerRun(500, func() { h.ServeHTTP(w, r) }); n != 0 {
		t.Errorf("%v allocations in Wrap", n)
	}
}
