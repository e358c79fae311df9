package loadsim

import (
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// short plays a scenario against the fake shop for a moment.
func short(t *testing.T, s *fakeShop, yaml string, change func(*Options)) *Report {
	t.Helper()
	plan := play(t, yaml)
	return simulate(t, s, func(o *Options) {
		o.Users, o.Duration, o.Scenario, o.enough = 0, 0, plan, nil
		if change != nil {
			change(o)
		}
	})
}

// log notes the requests of a shop.
func (s *fakeShop) log() func() []string {
	var mu sync.Mutex
	var lines []string
	f := func(_ http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		lines = append(lines, r.Method+" "+r.URL.RequestURI()+" "+r.UserAgent())
		mu.Unlock()
		return false
	}
	s.fault.Store(&f)
	return func() []string { mu.Lock(); defer mu.Unlock(); return slices.Clone(lines) }
}

func TestCrawl(t *testing.T) {
	t.Parallel()
	s := newFakeShop(t)
	log := s.log()
	r := short(t, s, "load: {users: 1, duration: 1m}\nshoppers: [{agent: bot/1, cookies: false, steps: [crawl: 3]}]", func(o *Options) {
		o.enough = after(&s.requests, fakeProducts+30)
	})
	var products []string
	for _, line := range log() {
		if !strings.HasSuffix(line, " bot/1") && !strings.Contains(line, "limit=100") {
			t.Fatalf("%s", line)
		}
		if id, ok := strings.CutPrefix(line, "GET /products/"); ok {
			products = append(products, strings.TrimSuffix(id, " bot/1"))
		}
	}
	if len(products) < fakeProducts+10 || r.Summary.Failed != 0 {
		t.Fatalf("%d products\n%s", len(products), r.text())
	}
	for i, id := range products {
		if id != strconv.Itoa(i%fakeProducts+1) {
			t.Fatalf("product %s at %d", id, i)
		}
	}
}

func TestDoorsHotAndLeave(t *testing.T) {
	t.Parallel()
	s := newFakeShop(t)
	log := s.log()
	r := short(t, s, `
load: {users: 6, duration: 1m}
doors: 1s
popularity: {product: 7}
think: 20ms-60ms
shoppers:
  - weight: 1
    steps: [{wait: doors}, {view: 1, of: hot}, {stock: 1, of: hot}, {add: 2, of: hot}, {leave: 50%}, {checkout: 1}]
  - weight: 0.000001
    steps: [{browse: 100}]`, func(o *Options) { o.enough = after(&s.orders, 25) })
	opened := false
	for _, line := range log() {
		if strings.Contains(line, "limit=100") {
			continue
		}
		opened = opened || !strings.HasPrefix(line, "GET /products/7 ")
		if !opened && !strings.HasPrefix(line, "GET /products/7 ") || strings.Contains(line, "limit=20") {
			t.Fatalf("%s", line)
		}
	}
	p := r.Series[0]
	if !opened || r.Summary.Failed != 0 || r.Summary.Orders == 0 || r.Summary.Orders != s.orders.Load() || p.Steps["view"].Requests() == 0 || p.Seconds < 0.99 && p.Steps["cart"].Requests() != 0 {
		t.Errorf("%s", r.text())
	}
	left := float64(r.Summary.Abandoned[leftUnmoved]) / float64(r.Summary.Journeys)
	if r.Summary.Journeys < 20 || left < 0.2 || left > 0.8 {
		t.Errorf("%d of %d left", r.Summary.Abandoned[leftUnmoved], r.Summary.Journeys)
	}
	if r.ResponseTimes["stock"].Count == 0 {
		t.Error("nobody asked for the stock")
	}
}

func TestPageThatIsNoShop(t *testing.T) {
	t.Parallel()
	var seen atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.Add(1)
		if r.URL.Path == "/gone" {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = w.Write([]byte("<html>"))
	}))
	defer srv.Close()
	rep, err := Run(t.Context(), Options{Target: srv.URL, GoodWithin: time.Minute, enough: after(&seen, 30),
		Scenario: play(t, "load: {users: 2, duration: 1m}\nshoppers: [{steps: [{get: /here}, {get: /gone}]}]")})
	if err != nil {
		t.Fatal(err)
	}
	checkMath(t, rep)
	if n := rep.ResponseTimes["page"].Count; n == 0 || rep.Errors["http_404"] == nil || rep.Errors["http_404"].Count > n/2+1 || len(rep.Errors) != 1 {
		t.Errorf("%s", rep.text())
	}
}

// A shop that says "come back later" is taken at its word; who is told to wait too long leaves.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	s := newFakeShop(t)
	var tooEarly, told atomic.Int64
	f := func(w http.ResponseWriter, r *http.Request) bool { // whoever comes for the first time is put off for a second
		if r.URL.Path != "/products/7" {
			return false
		}
		c, err := r.Cookie("told")
		if err != nil {
			told.Add(1)
			http.SetCookie(w, &http.Cookie{Name: "told", Value: strconv.FormatInt(time.Now().UnixNano(), 10)})
			w.Header().Set("Retry-After", "1")
			reply(w, http.StatusServiceUnavailable, map[string]any{"detail": "busy"})
			return true
		}
		if at, _ := strconv.ParseInt(c.Value, 10, 64); time.Since(time.Unix(0, at)) < time.Second {
			tooEarly.Add(1)
		}
		return false
	}
	s.fault.Store(&f)
	const yaml = "load: {users: 4, duration: 2500ms}\npopularity: {product: 7}\nshoppers: [{steps: [{view: 1, of: hot}]}]\n"
	synctest.Test(t, func(t *testing.T) {
		r := inside(t, s.Config.Handler, yaml+"retry: {times: 1, longest: 5s}", nil)
		if tooEarly.Load() != 0 || r.Summary.Retries < 4 || r.Summary.Retries > told.Load() || r.Errors["http_503"].Count != told.Load() || len(r.Errors) != 1 {
			t.Errorf("told %d times, %d too early\n%s", told.Load(), tooEarly.Load(), r.text())
		}
		if good := r.ResponseTimes["view"].Count - told.Load(); good != r.Summary.Retries || r.ResponseTimes["view"].Max > 0.1 {
			t.Errorf("%d good answers, the wait is no response time: %+v", good, r.ResponseTimes["view"])
		}
		r = inside(t, s.Config.Handler, yaml+"retry: {times: 1, longest: 100ms}", nil)
		if r.Summary.Retries != 0 || r.Summary.Abandoned[leftPutOff] == 0 {
			t.Errorf("%s", r.text())
		}
	})
}

// Cookies stay within a session, and each session on connections of its own opens one.
func TestOwnConnections(t *testing.T) {
	t.Parallel()
	s := newFakeShop(t)
	var conns atomic.Int64
	front := httptest.NewUnstartedServer(s.Config.Handler)
	front.Config.ConnState = func(_ net.Conn, st http.ConnState) {
		if st == http.StateNew {
			conns.Add(1)
		}
	}
	front.Start()
	defer front.Close()
	s.URL = front.URL
	const yaml = "load: {users: 3, duration: 600ms}\nshoppers: [{steps: [{view: 2}, {add: 1}, {pause: 1ms-5ms}, {checkout: 1}]}]"
	r := short(t, s, yaml, func(o *Options) { o.OwnConnections = true })
	if n := conns.Load() - 1; n < r.Summary.Journeys || n > r.Summary.Journeys+3 || r.Summary.Orders != s.orders.Load() || r.Summary.Failed != 0 {
		t.Errorf("%d connections for %d sessions\n%s", n, r.Summary.Journeys, r.text())
	}
	conns.Store(0)
	if short(t, s, yaml, nil); conns.Load() > 3+3 {
		t.Errorf("three shoppers who share took %d connections", conns.Load())
	}
}

func TestPatience(t *testing.T) {
	t.Parallel()
	s := newFakeShop(t)
	planted := s.plant("/products/7", 1, func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(100 * time.Millisecond)
		reply(w, 200, fakeProduct(7))
	})
	r := short(t, s, "load: {users: 2, duration: 1m}\npatience: 50ms\npopularity: {product: 7}\nshoppers: [{steps: [{view: 1, of: hot}, {browse: 1}]}]", func(o *Options) { o.enough = after(planted, 4) })
	if r.ResponseTimes["browse"].Count != 0 || r.Summary.Abandoned[leftSlow] == 0 || r.Summary.Failed != 0 {
		t.Errorf("%s", r.text())
	}
}

// With somebody else's Transport the same is seen.
func TestOtherTransport(t *testing.T) {
	t.Parallel()
	s := newFakeShop(t)
	planted := s.plant("/orders/checkout", 3, func(w http.ResponseWriter, _ *http.Request) { reply(w, 500, "boom") })
	tr := &http.Transport{MaxIdleConnsPerHost: 10}
	defer tr.CloseIdleConnections()
	r := simulate(t, s, func(o *Options) { o.Transport, o.enough = tr, after(planted, 2) })
	if f := r.Errors["http_500"]; f == nil || len(r.Errors) != 1 || r.Summary.Orders != s.orders.Load() || r.Summary.Orders == 0 {
		t.Errorf("%s", r.text())
	}
}
