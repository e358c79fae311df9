package loadsim

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// run is one run of the simulator.
type run struct {
	opts      Options
	base      *url.URL
	transport http.RoundTripper
	cat       *catalogue
	rec       *recorder
	until     time.Time // no new request from here on
}

// Run lets shoppers loose on a shop and reports how it did. It fails early, with ErrOptions, ErrUnreachable, ErrNotShop
// or ErrEmptyCatalogue, when there is nothing to measure. When ctx ends during the run, requests in flight are broken
// off and not counted, and the report so far is returned with ctx's error.
func Run(ctx context.Context, o Options) (*Report, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	base, err := url.Parse(o.Target)
	if err != nil {
		return nil, err
	}
	r := &run{opts: o, base: base, transport: o.Transport, rec: newRecorder(o.Users)}
	if r.transport == nil {
		t := newTransport(o.Users)
		defer t.CloseIdleConnections()
		r.transport = t
	}
	if r.cat, err = discover(ctx, r.newClient()); err != nil {
		return nil, err
	}
	started := time.Now()
	r.until = started.Add(o.Duration)
	points, took := r.walk(ctx, started)
	rep := report(o, started, took, r.rec.total(), points)
	if ctx.Err() != nil {
		rep.Summary.Interrupted = true
		return rep, context.Cause(ctx)
	}
	return rep, nil
}

func (r *run) newClient() *client {
	return &client{base: r.base, transport: r.transport, timeout: r.opts.Timeout}
}

// walk runs all shoppers to their end, and the clock beside them.
func (r *run) walk(ctx context.Context, started time.Time) ([]Point, time.Duration) {
	var shoppers sync.WaitGroup
	spread := min(time.Second, r.opts.Duration/10) // so that they do not all come through the door in one instant
	for i := range r.opts.Users {
		shoppers.Go(func() {
			pause(ctx, spread*time.Duration(i)/time.Duration(r.opts.Users), r.until)
			newShopper(r, i).walk(ctx)
		})
	}
	clock := newSeries(r.rec)
	stop := make(chan struct{})
	var ticking sync.WaitGroup
	ticking.Go(func() { r.tick(clock, started, stop) })
	shoppers.Wait()
	took := time.Since(started)
	close(stop)
	ticking.Wait()
	clock.advance(took)
	return clock.points, took
}

// tick makes a point of the time series every second and tells the progress.
func (r *run) tick(clock *series, started time.Time, stop <-chan struct{}) {
	every := time.NewTicker(time.Second)
	defer every.Stop()
	for {
		select {
		case <-stop:
			return
		case <-every.C:
		}
		select {
		case <-stop:
			return // both were ready: the last point is not ours to make
		default:
		}
		last := clock.advance(time.Since(started))
		if r.opts.Progress != nil {
			r.opts.Progress(r.snapshot(time.Since(started), last))
		}
	}
}

func (r *run) snapshot(elapsed time.Duration, last Point) Snapshot {
	s := Snapshot{Elapsed: elapsed, Duration: r.opts.Duration, Users: r.opts.Users, Last: last}
	for _, t := range r.rec.tallies {
		t.mu.Lock()
		for i := range t.steps {
			s.Requests += t.steps[i].n
		}
		s.Errors += t.bad
		s.Orders += t.orders
		t.mu.Unlock()
	}
	return s
}

// pause waits for d, but not beyond until or ctx.
func pause(ctx context.Context, d time.Duration, until time.Time) {
	d = min(d, time.Until(until))
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
