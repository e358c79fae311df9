package loadsim

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stampede-shop/stampede/loadsim/internal/schedule"
	"github.com/stampede-shop/stampede/loadsim/internal/wire"
	"github.com/stampede-shop/stampede/loadsim/scenario"
)

// Runner is a run that is ready to begin: options and scenario are right, the target answers, its catalogue is known.
type Runner struct {
	opts  Options
	plan  scenario.Scenario
	curve schedule.Curve
	base  *url.URL
	kinds []kind
	cat   *catalogue
}

// kind of shopper, as it is played.
type kind struct {
	agent   string
	forgets bool
	steps   []scenario.Step
	upTo    float64 // weights of the kinds up to this one
}

// run is one run of the simulator.
type run struct {
	*Runner
	net       *wire.Client
	transport http.RoundTripper
	rec       *recorder
	known     *answers
	pace      pacer
	started   time.Time
	until     time.Time // no new request from here on
	atWork    atomic.Int64
	peak      atomic.Int64 // of atWork
	shoppers  sync.WaitGroup
}

// pacer decides when shoppers send requests.
type pacer interface {
	// next waits until the shopper's next request is due, and says when that was; false when there is none.
	next(ctx context.Context, s *shopper) (time.Time, bool)
	// over says whether this shopper is to stop.
	over(s *shopper) bool
	// scheduled says whether requests come by the clock alone.
	scheduled() bool
	// open says whether arrivals come by the clock.
	open() bool
	// drive starts shoppers and returns when all the load has been offered.
	drive(ctx context.Context)
	// figures of what was offered.
	figures() offered
}

// offered is what an open model had to send, and what became of it.
type offered struct {
	due     int64 // arrivals that were due
	unsent  int64 // of them never sent
	crowded int64 // of them delayed because all shoppers waited for answers
}

// Prepare checks the options, asks the target for its catalogue, and fails with ErrOptions, ErrUnreachable, ErrNotShop or
// ErrEmptyCatalogue when there is nothing to measure.
func Prepare(ctx context.Context, o Options) (*Runner, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	r := &Runner{opts: o}
	var err error
	if r.plan, err = o.plan(); err != nil {
		return nil, err
	}
	if r.base, err = url.Parse(o.Target); err != nil {
		return nil, err
	}
	r.curve = r.plan.Load.Curve()
	sum := 0.0
	for _, k := range r.plan.Shoppers {
		sum += k.Weight
		agent := k.Agent
		def(&agent, "stampede-load")
		r.kinds = append(r.kinds, kind{agent, k.Forgets(), k.Steps, sum})
	}
	r.cat = &catalogue{}
	if r.plan.NeedsCatalogue() {
		u := r.newRun()
		defer u.disconnect()
		cl := u.newClient()
		r.cat, err = discover(ctx, &cl, r.plan.Popularity)
	} else {
		err = r.greet(ctx)
	}
	return r, err
}

// greet asks for anything at all, to fail early when nobody is there.
func (r *Runner) greet(ctx context.Context) error {
	u := r.newRun()
	defer u.disconnect()
	cl := u.newClient()
	defer cl.leave()
	if _, err := cl.do(ctx, &call{method: http.MethodGet, path: "/"}); err != nil {
		return unreachable(ctx, r.base.String()+"/", err)
	}
	return nil
}

func (r *Runner) newRun() *run {
	u := &run{Runner: r, transport: r.opts.Transport, known: newAnswers()}
	if u.transport == nil {
		u.net = wire.New(wire.Options{Base: r.base, Idle: max(r.plan.Load.Users, r.opts.MaxUsers), MaxBody: maxAnswer})
	}
	return u
}

func (r *run) disconnect() {
	if r.net != nil {
		r.net.Close()
	}
}

func (r *run) newClient() client {
	return client{
		net: r.net, transport: r.transport, base: r.base, timeout: r.opts.Timeout, own: r.opts.OwnConnections && r.net != nil,
		agent: "stampede-load",
	}
}

// Run lets shoppers loose on a shop and reports how it did. It fails early, as [Prepare] does, when there is nothing to
// measure. When ctx ends during the run, requests in flight are broken off and not counted, and the report so far is
// returned with ctx's error.
func Run(ctx context.Context, o Options) (*Report, error) {
	r, err := Prepare(ctx, o)
	if err != nil {
		return nil, err
	}
	rec, err := r.Run(ctx)
	return rec.Report(), err
}

// Run plays the scenario. A Runner may be run several times, one after another.
func (r *Runner) Run(ctx context.Context) (*Recording, error) {
	u := r.newRun()
	u.rec = newRecorder(r.opts.MaxUsers)
	stop := context.AfterFunc(ctx, u.disconnect) // whoever waits for an answer waits no longer
	defer stop()
	defer u.disconnect()
	u.started = time.Now()
	u.until = u.started.Add(r.curve.Length())
	u.pace = newPacer(u)
	used := cpuTime()
	points, took := u.play(ctx)
	rec := u.recording(points, took)
	rec.CPU = (cpuTime() - used).Seconds()
	if ctx.Err() != nil {
		rec.Interrupted = true
		return rec, fmt.Errorf("loadsim: the run was broken off: %w", context.Cause(ctx))
	}
	return rec, nil
}

// play offers the load, with the clock beside it, and waits for the last answer.
func (r *run) play(ctx context.Context) ([]Point, time.Duration) {
	clock := newSeries(r.rec)
	var beside sync.WaitGroup
	stop := make(chan struct{})
	beside.Go(func() { r.tick(clock, stop) })
	if !r.pace.scheduled() {
		beside.Go(func() { r.watchLag(stop) })
	}
	r.pace.drive(ctx)
	r.shoppers.Wait()
	took := time.Since(r.started)
	close(stop)
	beside.Wait()
	clock.advance(took, r.gauges(took))
	return clock.points, took
}

// start lets a shopper in.
func (r *run) start(ctx context.Context, s *shopper, walk func(*shopper, context.Context)) {
	n := r.atWork.Add(1)
	for peak := r.peak.Load(); n > peak && !r.peak.CompareAndSwap(peak, n); peak = r.peak.Load() {
	}
	r.shoppers.Go(func() {
		walk(s, ctx)
		r.atWork.Add(-1)
	})
}
