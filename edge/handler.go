package edge

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"
)

// Reasons for which a request is given up.
var (
	errTimeout = errors.New("edge: no answer in time")
	errHung    = errors.New("edge: the origin stopped answering its health checks")
)

// exchange is one request and its answer, as the edge sees them.
type exchange struct {
	start      time.Time
	id         string // X-Request-Id
	timer      *time.Timer
	hasBody    bool
	arrived    atomic.Bool   // its end was read
	body       *body         // once it was taken
	answered   atomic.Bool   // an origin's answer has begun
	repeatable bool          // may be sent again after its connection broke
	attempts   int           // sent so far, connections that were refused not counted
	refused    int           // connections that were refused
	sticky     string        // "" any origin
	waitLeft   time.Duration // how much longer it may wait for an origin
}

// answer ends the time that an origin has to answer.
func (x *exchange) answer() {
	x.answered.Store(true)
	x.timer.Stop()
}

// uploading gives the request more time while its body is coming in.
func (x *exchange) uploading(more time.Duration) {
	if !x.answered.Load() {
		x.timer.Reset(more)
	}
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

// ServeHTTP answers a request: headers cleaned, admission, cache, middlewares, balancer. Of what comes from outside it drops Stampede-*,
// Surrogate-*, X-Request-Start, and X-Forwarded-* of clients that are not trusted proxies; of what goes out it drops
// Surrogate-* and Stampede-*, and sets X-Request-Id, Server-Timing and Cache-Status. It changes r's headers in place.
func (e *Edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{start: time.Now(), waitLeft: e.opts.WaitForOrigin}
	x.id = e.cleanRequest(r, x.start)
	ctx, cancel := context.WithCancelCause(context.WithValue(r.Context(), exchangeKey{}, x))
	defer cancel(nil)
	x.timer = time.AfterFunc(e.opts.Timeout, func() { cancel(errTimeout) })
	defer x.timer.Stop()
	stop := context.AfterFunc(e.ctx, func() { cancel(ErrClosed) })
	defer stop()

	x.hasBody = r.ContentLength != 0
	if x.hasBody { // also when nobody takes the body and net/http only skips it
		_ = http.NewResponseController(w).SetReadDeadline(x.start.Add(2 * e.opts.StallTimeout))
		if r.Body != nil && r.Body != http.NoBody {
			r.Body = &arriving{r.Body, &x.arrived, func() { x.uploading(e.opts.Timeout) }}
		}
	}
	a := &answer{ResponseWriter: w, rc: http.NewResponseController(w), x: x, name: e.opts.Name, stall: e.opts.StallTimeout}
	// A chunked request may have had a Content-Length too, of which net/http does not tell: whoever went by that takes what
	// follows for another request, or for none (RFC 9112, section 6.1).
	if e.draining.Load() || r.ProtoMajor == 1 && len(r.TransferEncoding) > 0 {
		w.Header().Set("Connection", "close")
	}
	e.m.inFlight.Inc()
	done := false
	defer func() { e.finish(a, r, done) }()
	e.handler.ServeHTTP(a, r.WithContext(ctx))
	done = true
}

// finish counts a request; done is false when its answer was cut off.
func (e *Edge) finish(a *answer, r *http.Request, done bool) {
	e.m.inFlight.Dec()
	took := time.Since(a.x.start)
	if e.opts.Observe != nil {
		e.opts.Observe(a.answered(r, took, done))
	}
	switch {
	case !done:
		e.m.aborted(took)
		e.opts.Log.Debug("answer cut off", "request_id", a.x.id, "method", r.Method, "path", r.URL.Path)
	case a.status == 0:
		e.m.answered(http.StatusOK, took)
	default:
		e.m.answered(a.status, took)
	}
}

// balance is the innermost handler: takes the body in and passes the request on.
func (e *Edge) balance(w http.ResponseWriter, r *http.Request) {
	x := exchangeOf(r.Context())
	if r.Method == http.MethodConnect || r.Method == http.MethodTrace || r.Method == "PRI" { // the last begins HTTP/2, where it is too late
		w.Header().Set("Allow", "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT")
		problemMethod.Write(w, "", x.id)
		return
	}
	if err := e.takeBody(w, r, x); err != nil {
		e.fail(w, r, err)
		return
	}
	defer x.body.finish()
	r.Body = http.NoBody // each attempt opens x.body; ReverseProxy must not wait for the client's
	x.repeatable = safe(r.Method) || e.opts.RetryUnsafe != nil && e.opts.RetryUnsafe(r)
	if e.opts.Sticky != nil {
		x.sticky = e.opts.Sticky(r)
	}
	e.proxy.ServeHTTP(w, r)
}

func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// fail answers a request that got none from an origin.
func (e *Edge) fail(w http.ResponseWriter, r *http.Request, err error) {
	x := exchangeOf(r.Context())
	cause := context.Cause(r.Context())
	p := problemBadGateway
	var asProblem problem
	switch {
	case x.body != nil && x.body.failure() != nil:
		p = bodyProblem(x.body.failure())
	case errors.As(err, &asProblem):
		p = asProblem
	case errors.Is(cause, context.Canceled):
		p = problemClientGone
	case errors.Is(cause, ErrClosed) || errors.Is(err, ErrClosed):
		p = problemDraining
	case errors.Is(cause, errTimeout):
		p = problemTimeout
	case errors.Is(err, ErrNoOrigin) || isDialError(err):
		p = problemNoOrigin
	}
	if p.Status >= http.StatusInternalServerError {
		e.opts.Log.Warn("request failed", "request_id", x.id, "method", r.Method, "path", r.URL.Path,
			"status", p.Status, "attempts", x.attempts, "refused", x.refused, "err", err)
	}
	if p.Status != http.StatusServiceUnavailable || e.opts.Refuse == nil || !e.opts.Refuse(w, r, p.RetryAfter) {
		p.Write(w, "", x.id)
	}
}
