package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/stampede-shop/stampede/loadsim"
)

// AgentOptions of an agent.
type AgentOptions struct {
	Name string       // of the fleet; default "default"
	ID   string       // of the agent, unlike any other's; needed
	Log  *slog.Logger // nil discards
}

// agent serves one fleet.
type agent struct {
	nc  *nats.Conn
	o   AgentOptions
	to  subjects
	log *slog.Logger
}

// Serve does what coordinators of the fleet say, one load after another, until ctx ends; then it returns nil. Somebody else
// closes the connection.
func Serve(ctx context.Context, nc *nats.Conn, o AgentOptions) error {
	if o.Name == "" {
		o.Name = "default"
	}
	for what, name := range map[string]string{"fleet": o.Name, "agent": o.ID} {
		if err := checkName(name); err != nil {
			return fmt.Errorf("%w: %s %q: %w", ErrOptions, what, name, err)
		}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	a := &agent{nc, o, subjects{name: o.Name}, o.Log.With("agent", o.ID)}
	calls, orders := make(chan *nats.Msg, 64), make(chan *nats.Msg, 4)
	for subject, c := range map[string]chan *nats.Msg{a.to.call(): calls, a.to.agent(o.ID): orders} {
		sub, err := nc.ChanSubscribe(subject, c)
		if err != nil {
			return fmt.Errorf("fleet: subscribe: %w", err)
		}
		defer func() { _ = sub.Unsubscribe() }()
	}
	closed := nc.StatusChanged(nats.CLOSED)
	for {
		select {
		case msg := <-calls:
			answer(msg, hello{o.ID})
		case msg := <-orders:
			a.work(ctx, msg)
			for len(calls) > 0 {
				<-calls // nobody waits for these any more; who still does calls again
			}
		case <-closed:
			return fmt.Errorf("fleet: %w", nats.ErrConnectionClosed)
		case <-ctx.Done():
			return nil
		}
	}
}

// work prepares for an order, waits for the word to begin, plays, and hands the recording in.
func (a *agent) work(ctx context.Context, msg *nats.Msg) {
	var o order
	if err := json.Unmarshal(msg.Data, &o); err != nil {
		answer(msg, ready{Error: "the order cannot be read: " + err.Error()})
		return
	}
	run := subjects{a.o.Name, o.Run}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watch, err := a.watch(run, cancel)
	if err != nil {
		answer(msg, ready{Error: err.Error()})
		return
	}
	defer watch.stop()
	opts := o.options()
	opts.Progress = func(s loadsim.Snapshot) { publish(a.nc, run.of("progress"), progress{a.o.ID, s}) }
	runner, err := loadsim.Prepare(ctx, opts)
	if err != nil {
		answer(msg, ready{Error: err.Error()})
		return
	}
	answer(msg, ready{})
	if !watch.begin(ctx) {
		return
	}
	a.log.Info("load begins", "target", o.Target, "part", o.Part+1, "of", o.Parts)
	rec, err := runner.Run(ctx)
	if err != nil {
		a.log.Warn("load broken off", "error", err)
	}
	if err := a.handIn(run, rec); err != nil {
		a.log.Error("the recording is lost", "error", err)
	}
}

// watcher listens to the coordinator of a run.
type watcher struct {
	subs   []*nats.Subscription
	alive  chan struct{}
	beginC chan struct{}
	done   chan struct{}
	ended  chan struct{}
}

// watch calls end when the coordinator says so, or is not heard of any more.
func (a *agent) watch(run subjects, end func()) (*watcher, error) {
	w := &watcher{alive: make(chan struct{}, 1), beginC: make(chan struct{}, 1), done: make(chan struct{}), ended: make(chan struct{})}
	note := func(c chan struct{}) nats.MsgHandler {
		return func(*nats.Msg) {
			select {
			case c <- struct{}{}:
			default:
			}
		}
	}
	for what, handle := range map[string]nats.MsgHandler{"alive": note(w.alive), "go": note(w.beginC), "stop": func(*nats.Msg) { end() }} {
		sub, err := a.nc.Subscribe(run.of(what), handle)
		if err != nil {
			for _, s := range w.subs {
				_ = s.Unsubscribe()
			}
			return nil, err
		}
		w.subs = append(w.subs, sub)
	}
	go w.listen(end)
	return w, nil
}

func (w *watcher) listen(end func()) {
	defer close(w.ended)
	limit := time.NewTimer(silence)
	defer limit.Stop()
	for {
		select {
		case <-w.alive:
			limit.Reset(silence)
		case <-limit.C:
			end()
			return
		case <-w.done:
			return
		}
	}
}

// begin waits for the word, and then a moment; false when it does not come.
func (w *watcher) begin(ctx context.Context) bool {
	select {
	case <-w.beginC:
	case <-ctx.Done():
		return false
	}
	t := time.NewTimer(leadIn)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (w *watcher) stop() {
	for _, s := range w.subs {
		_ = s.Unsubscribe()
	}
	close(w.done)
	<-w.ended
}

func answer(msg *nats.Msg, v any) {
	if data, err := json.Marshal(v); err == nil {
		_ = msg.Respond(data) // whoever asked asks again, or gives up
	}
}

func publish(nc *nats.Conn, subject string, v any) {
	if data, err := json.Marshal(v); err == nil {
		_ = nc.Publish(subject, data) // the next one comes in a second
	}
}
