package edge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"
)

const (
	slowAfter   = 2                     // health checks in a row that time out
	breakAfter  = 3                     // connections in a row that break
	firstHold   = 50 * time.Millisecond // a first failure holds an origin out this long,
	longestHold = 5 * time.Second       // each further one twice as long, at most this
)

// check watches one origin until ctx ends. A down origin is looked at more often, so that it is back soon.
func (p *pool) check(ctx context.Context, o *origin) {
	defer o.probes.CloseIdleConnections()
	timer := time.NewTimer(0)
	defer timer.Stop()
	late := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-o.kick:
		}
		err := p.probe(ctx, o)
		if ctx.Err() != nil {
			return
		}
		if isTimeout(err) {
			late++
		} else {
			late = 0
		}
		p.judge(o, err, late)
		timer.Reset(p.nextCheck(o))
	}
}

func (p *pool) nextCheck(o *origin) time.Duration {
	d := p.opts.HealthInterval
	if o.is() == stateDown {
		d = min(d, firstHold)
	}
	return d + rand.N(d/4+1) // apart from each other, so that many edges do not ask in step
}

// judge turns the result of a health check into a state.
func (p *pool) judge(o *origin, err error, late int) {
	switch {
	case err == nil:
		if !o.held() {
			o.breaks.Store(0)
			p.become(o, stateUp, nil)
		}
	case !isTimeout(err):
		p.become(o, stateDown, err)
	case late >= slowAfter && o.is() == stateUp:
		p.become(o, stateSlow, err)
	}
}

// isTimeout tells an origin that hangs, or is drowning, from one that is gone.
func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// probe asks an origin whether it is ready.
func (p *pool) probe(ctx context.Context, o *origin) error {
	ctx, cancel := context.WithTimeout(ctx, p.opts.HealthTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+o.host+p.opts.HealthPath, nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", p.opts.Name+"-edge-health")
	res, err := o.probes.RoundTrip(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.CopyN(io.Discard, res.Body, 4<<10)
	if res.StatusCode >= http.StatusInternalServerError {
		return fmt.Errorf("health check answered %d", res.StatusCode)
	}
	return nil
}

// become moves an origin to a state and tells whom it concerns.
func (p *pool) become(o *origin, s state, why error) {
	if !o.move(s, why) {
		return
	}
	p.m.up(o.id, s == stateUp)
	if s == stateUp {
		if p.opts.SlowStart > 0 {
			o.warming.Store(time.Now().UnixNano())
		}
		p.opts.Log.Info("origin is back", "origin", o.id)
	} else {
		p.m.ejected(o.id, s)
		p.opts.Log.Warn("origin is out", "origin", o.id, "state", s.String(), "reason", why)
	}
	p.mu.Lock()
	p.wake()
	p.mu.Unlock()
}

func (o *origin) move(s state, why error) (changed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.is() == s {
		return false
	}
	if s == stateUp && o.lost.Err() != nil {
		o.lost, o.lose = context.WithCancel(context.Background())
	}
	if isTimeout(why) {
		o.lose() // one that is only draining or refusing may still finish what it has
	}
	o.state.Store(int32(s))
	return true
}

// refused takes an origin out whose connection could not be made; each time in a row for longer. One that hangs is
// only slow: under overload all do, and somebody has to serve.
func (p *pool) refused(o *origin, err error) {
	if isTimeout(err) {
		if o.is() == stateUp {
			p.become(o, stateSlow, err)
		}
		return
	}
	o.mu.Lock()
	now := time.Now()
	if o.is() != stateDown {
		if o.holdDown == 0 || now.Sub(o.ejected) > 2*longestHold {
			o.holdDown = firstHold
		} else {
			o.holdDown = min(2*o.holdDown, longestHold)
		}
		o.ejected = now
	}
	o.mu.Unlock()
	p.become(o, stateDown, err)
}

// broke notes a connection that ended before its answer was complete. One may be one request's fault: the health check
// decides; several in a row are the origin's.
func (p *pool) broke(o *origin, err error) {
	if o.breaks.Add(1) >= breakAfter {
		p.refused(o, err)
	}
	o.askProbe()
}

func (o *origin) held() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.is() == stateDown && time.Since(o.ejected) < o.holdDown
}
