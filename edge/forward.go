package edge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	maxRefused  = 8         // connections in a row that may be refused for one request
	smallAnswer = 128 << 10 // answers up to this size are complete before any of it is passed on
)

// forwarder sends a request to an origin, and to another if need be.
type forwarder struct{ *Edge }

func (f forwarder) RoundTrip(req *http.Request) (*http.Response, error) {
	x := exchangeOf(req.Context())
	f.budget.request()
	if !x.repeatable {
		hideFromTransport(req)
	}
	var tried []*origin
	var last error
	for {
		o, err := f.choose(req.Context(), x, tried)
		if err != nil {
			return nil, firstOf(last, err)
		}
		begun := time.Now()
		res, err := f.attempt(req, x, o)
		if err == nil {
			o.breaks.Store(0)
			f.m.attempt(o.id, "answered")
			f.m.took(o.id, res.StatusCode, time.Since(begun))
			return res, nil
		}
		if !isDialError(err) {
			last = err // something may have reached the origin: that is what the client must know
		}
		if !f.again(req.Context(), x, o, err) {
			return nil, firstOf(last, err)
		}
		tried = append(tried, o)
	}
}

func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// choose picks an origin, waiting within the request's allowance when there is none.
func (f forwarder) choose(ctx context.Context, x *exchange, tried []*origin) (*origin, error) {
	if x.sticky != "" {
		if o := f.pool.sticky(x.sticky, tried); o != nil {
			return o, nil
		}
	}
	if o := f.pool.pick(tried); o != nil {
		return o, nil
	}
	if x.waitLeft <= 0 {
		return nil, ErrNoOrigin
	}
	f.m.waits.Inc()
	begun := time.Now()
	defer func() { x.waitLeft -= time.Since(begun) }()
	return f.pool.await(ctx, tried, begun.Add(x.waitLeft))
}

// again notes a failed attempt and says whether there may be another.
func (f forwarder) again(ctx context.Context, x *exchange, o *origin, err error) bool {
	if ctx.Err() != nil || x.body.failure() != nil {
		f.m.attempt(o.id, "cancelled")
		return false
	}
	if isDialError(err) {
		f.m.attempt(o.id, "refused")
		f.pool.refused(o, err)
		x.refused++
		if x.refused >= maxRefused || !x.body.whole() {
			return false
		}
		f.m.retry("refused") // costs no origin anything, so not the budget either
		return true
	}
	f.m.attempt(o.id, "broken")
	if !errors.Is(err, errHung) {
		f.pool.broke(o, err)
	}
	if !x.repeatable || !x.body.whole() || x.attempts >= f.opts.MaxAttempts {
		return false
	}
	if !f.budget.spend() {
		f.m.retry("over-budget")
		return false
	}
	f.m.retry("broken")
	return true
}

// attempt sends the request to o. The answer it returns is in flight until its body is closed.
func (f forwarder) attempt(req *http.Request, x *exchange, o *origin) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	unwatch := func() bool { return true }
	if x.repeatable { // a hung origin must not hold what another could answer
		unwatch = context.AfterFunc(o.lostContext(), func() {
			if alt := f.pool.pick([]*origin{o}); alt != nil && alt != o && alt.is() == stateUp {
				cancel(errHung)
			}
		})
	}
	o.inFlight.Add(1)
	release := func() { cancel(nil); o.inFlight.Add(-1) }
	res, err := o.transport.RoundTrip(outgoing(req.WithContext(ctx), x, o))
	if err == nil {
		x.attempts++
		err = f.receive(req, res, x, release)
	} else if !isDialError(err) {
		x.attempts++
	}
	unwatch()
	if err != nil {
		if errors.Is(context.Cause(ctx), errHung) {
			err = errHung
		}
		release()
		return nil, err
	}
	return res, nil
}

// outgoing is r, ready for o.
func outgoing(r *http.Request, x *exchange, o *origin) *http.Request {
	u := *r.URL
	u.Host = o.host
	r.URL = &u
	r.Body, r.GetBody = http.NoBody, nil
	if x.body.empty() {
		return r
	}
	r.Body = x.body.open()
	if x.repeatable && x.body.rest == nil {
		r.GetBody = func() (io.ReadCloser, error) { return x.body.open(), nil }
	}
	return r
}

// hideFromTransport keeps net/http from repeating, behind our back, a request that carries an Idempotency-Key: the
// origin may not honour it. It looks for the canonical spelling only; on the wire the case does not matter.
func hideFromTransport(req *http.Request) {
	for _, name := range [...]string{"Idempotency-Key", "X-Idempotency-Key"} {
		if v, ok := req.Header[name]; ok {
			delete(req.Header, name)
			req.Header[strings.ToLower(name)] = v
		}
	}
}

// receive takes a small answer in as a whole, so that one that breaks off can still be repeated; others are passed on
// as they come. On success release is called when the body is closed.
func (f forwarder) receive(req *http.Request, res *http.Response, x *exchange, release func()) error {
	if rw, ok := res.Body.(io.ReadWriteCloser); ok && res.StatusCode == http.StatusSwitchingProtocols {
		x.answer()
		res.Body = &upgraded{ReadWriteCloser: rw, release: release}
		return nil
	}
	if req.Method != http.MethodHead && res.ContentLength > 0 && res.ContentLength <= smallAnswer {
		data := make([]byte, res.ContentLength)
		_, err := io.ReadFull(res.Body, data)
		_ = res.Body.Close()
		if err != nil {
			return fmt.Errorf("edge: answer broke off: %w", err)
		}
		x.answer()
		release()
		res.Body = io.NopCloser(bytes.NewReader(data))
		return nil
	}
	x.answer()
	b := &passing{ReadCloser: res.Body, timer: x.timer, release: release}
	if !isEventStream(res.Header) {
		b.stall = f.opts.StallTimeout
	}
	res.Body = b
	return nil
}
