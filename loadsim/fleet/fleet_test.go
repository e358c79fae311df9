package fleet

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/stampede-shop/stampede/loadsim"
	"github.com/stampede-shop/stampede/loadsim/scenario"
)

func TestMain(m *testing.M) {
	silence = 10 * time.Second // of an agent that a busy machine holds up it must not be thought that it is gone
	goleak.VerifyTestMain(m)
}

// natsServer is inside this process. A small limit for messages makes recordings come in pieces.
func natsServer(t *testing.T) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true, MaxPayload: 8 << 10})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(time.Minute) {
		t.Fatal("NATS did not start")
	}
	return s
}

func connect(t *testing.T, s *server.Server) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// agents serve until stop is called or the test ends.
func agents(t *testing.T, s *server.Server, ids ...string) (stop map[string]func()) {
	t.Helper()
	stop = map[string]func(){}
	for _, id := range ids {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		nc := connect(t, s)
		go func() { done <- Serve(ctx, nc, AgentOptions{ID: id}) }()
		var once sync.Once
		stop[id] = func() {
			once.Do(func() {
				cancel()
				if err := <-done; err != nil {
					t.Errorf("agent %s: %v", id, err)
				}
			})
		}
		t.Cleanup(stop[id])
	}
	return stop
}

// shop has one product, and counts who asks.
type shop struct {
	*httptest.Server
	requests atomic.Int64
}

func newShop(t *testing.T) *shop {
	s := &shop{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.URL.RawQuery, "limit=100") {
			s.requests.Add(1)
		}
		_, _ = w.Write([]byte(`[{"id":1,"name":"x","price":1}]`))
	}))
	t.Cleanup(s.Close)
	return s
}

func plan(t *testing.T, yaml string) *scenario.Scenario {
	t.Helper()
	s, err := scenario.Parse([]byte("name: together\nshoppers: [{steps: [browse: 1]}]\n" + yaml))
	if err != nil {
		t.Fatal(err)
	}
	return &s
}

// Three agents together send exactly the arrivals of the whole load; what they recorded is one report.
func TestOpenLoadTogether(t *testing.T) {
	t.Parallel()
	s, target := natsServer(t), newShop(t)
	agents(t, s, "a", "b", "c", "spare")
	var told atomic.Int64
	rec, err := Run(t.Context(), connect(t, s), Options{Agents: 3, Load: loadsim.Options{
		Target: target.URL, Scenario: plan(t, "load: {model: open, rate: 200, duration: 3s, arrivals: even}"), GoodWithin: time.Minute,
		Progress: func(p loadsim.Snapshot) { told.Store(max(told.Load(), p.Requests)) },
	}})
	if err != nil {
		t.Fatal(err)
	}
	r := rec.Report()
	if r.Summary.TotalRequests != 600 || target.requests.Load() != 600 || r.Generator.Due != 600 || r.Generator.Generators != 3 || r.Summary.Rate != 200 {
		t.Errorf("%d requests, the shop saw %d: %+v", r.Summary.TotalRequests, target.requests.Load(), r.Generator)
	}
	if len(r.Summary.Invalid) > 0 && !strings.Contains(fmt.Sprint(r.Summary.Invalid), "keep up") || r.Summary.Failed != 0 || told.Load() == 0 {
		t.Errorf("%+v, told of %d", r.Summary, told.Load())
	}
	// they began together: each second has its share of arrivals; when they are answered is the machine's affair
	for i, p := range r.Series[:2] {
		if p.Level < 150 || p.Level > 250 {
			t.Errorf("second %d: %v intended", i, p.Level)
		}
	}
}

// The shoppers of a closed load are shared out; afterwards the same agents are there for the next load.
func TestClosedLoadsOneAfterAnother(t *testing.T) {
	t.Parallel()
	s, target := natsServer(t), newShop(t)
	agents(t, s, "a", "b")
	nc := connect(t, s)
	for round := range 2 {
		rec, err := Run(t.Context(), nc, Options{Agents: 2, Load: loadsim.Options{Target: target.URL, Scenario: plan(t, "think: 10ms-20ms"), Users: 7, Duration: 3 * time.Second}})
		if err != nil {
			t.Fatal(err)
		}
		if r := rec.Report(); r.Generator.PeakUsers != 7 || r.Summary.Users != 7 || r.Summary.TotalRequests == 0 {
			t.Errorf("round %d: %+v %+v", round, r.Summary, r.Generator)
		}
	}
}

func TestWhatKeepsAFleetFromBeginning(t *testing.T) {
	t.Parallel()
	s := natsServer(t)
	agents(t, s, "a")
	nc := connect(t, s)
	gone := httptest.NewServer(nil)
	gone.Close()
	for name, c := range map[string]struct {
		o    Options
		want error
		text string
	}{
		"no agents":   {Options{}, ErrOptions, "0 agents"},
		"a bad name":  {Options{Name: "a.b", Agents: 1}, ErrOptions, "one word"},
		"too few":     {Options{Agents: 2, Wait: time.Second}, ErrTooFew, "1 of 2 answered within 1s (a)"},
		"nobody home": {Options{Agents: 1, Load: loadsim.Options{Target: gone.URL}}, ErrAgent, "cannot be reached"},
		"no target":   {Options{Agents: 1}, ErrAgent, "target"},
	} {
		if rec, err := Run(t.Context(), nc, c.o); !errors.Is(err, c.want) || rec != nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, nc, Options{Agents: 5}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if err := Serve(ctx, nc, AgentOptions{ID: "a b"}); !errors.Is(err, ErrOptions) {
		t.Errorf("%v", err)
	}
}

// When the coordinator is told to end, the agents end, and what they did until then is reported.
func TestBrokenOff(t *testing.T) {
	t.Parallel()
	s, target := natsServer(t), newShop(t)
	agents(t, s, "a", "b")
	ctx, cancel := context.WithCancel(t.Context())
	begun := time.Now()
	rec, err := Run(ctx, connect(t, s), Options{Agents: 2, Load: loadsim.Options{
		Target: target.URL, Scenario: plan(t, ""), Rate: 50, Duration: time.Hour, Progress: func(loadsim.Snapshot) { cancel() },
	}})
	if !errors.Is(err, context.Canceled) || rec == nil || !rec.Report().Summary.Interrupted || rec.Report().Summary.TotalRequests == 0 || len(rec.Lost) != 0 {
		t.Fatalf("%v %+v", err, rec)
	}
	if time.Since(begun) > time.Minute {
		t.Errorf("it took %v", time.Since(begun))
	}
}

// An agent that dies makes the report invalid, and does not hold up the others.
func TestLostAgent(t *testing.T) {
	t.Parallel()
	s, target := natsServer(t), newShop(t)
	agents(t, s, "a")
	// this one takes its order, and is never heard of again
	nc := connect(t, s)
	to := subjects{name: "default"}
	for subject, v := range map[string]any{to.call(): hello{"z"}, to.agent("z"): ready{}} {
		if _, err := nc.Subscribe(subject, func(msg *nats.Msg) { answer(msg, v) }); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	rec, err := Run(t.Context(), connect(t, s), Options{Agents: 2, Load: loadsim.Options{Target: target.URL, Scenario: plan(t, ""), Rate: 50, Duration: time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	r := rec.Report()
	if r.Summary.Valid || !strings.Contains(fmt.Sprint(r.Summary.Invalid), "generator z was lost") || r.Summary.TotalRequests != target.requests.Load() {
		t.Errorf("%+v", r.Summary)
	}
}

// An agent whose coordinator falls silent ends the load by itself.
func TestSilentCoordinator(t *testing.T) {
	t.Parallel()
	s, target := natsServer(t), newShop(t)
	agents(t, s, "a")
	c := &coordinator{nc: connect(t, s), run: subjects{"default", "r1"}}
	c.o.Load = loadsim.Options{Target: target.URL, Scenario: plan(t, ""), Rate: 20, Duration: time.Hour, MaxUsers: 10}
	for { // until the agent is there
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		err := c.prepareOne(ctx, "a", 0, 1)
		cancel()
		if err == nil {
			break
		}
		if !errors.Is(err, nats.ErrNoResponders) {
			t.Fatal(err)
		}
	}
	publish(c.nc, c.run.of("go"), struct{}{})
	deadline := time.Now().Add(10 * silence)
	for last, quiet := int64(-1), 0; quiet < 3; {
		time.Sleep(time.Second) // there is nothing to wait on: what is looked for is that nothing happens any more
		n := target.requests.Load()
		if quiet++; n == 0 || n != last {
			last, quiet = n, 0
		}
		if time.Now().After(deadline) {
			t.Fatal("the agent goes on and on")
		}
	}
	if n := target.requests.Load(); n < 2*20 {
		t.Errorf("it gave up after %d requests", n)
	}
}

// Pieces may come in any order and more than once; what is not a recording is nobody's.
func TestPieces(t *testing.T) {
	t.Parallel()
	g := &collection{members: map[string]*member{}}
	m := &member{}
	for _, p := range []piece{{N: 1, Of: 2, Data: []byte("x")}, {N: 1, Of: 2}, {N: 7, Of: 2}, {N: -1, Of: 2}} {
		if g.take(m, p); m.lost || m.missing != 1 {
			t.Fatalf("%+v", m)
		}
	}
	if g.take(m, piece{N: 0, Of: 2, Data: []byte("y")}); !m.lost || !errors.Is(g.broken, ErrAgent) {
		t.Errorf("%+v %v", m, g.broken)
	}
	none := new(member)
	if g.take(none, piece{N: 0, Of: -1}); none.pieces != nil || none.lost {
		t.Errorf("%+v", none)
	}
}
