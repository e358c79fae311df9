package admission

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/edge/internal/respond"
)

// Wrap lets requests through to next as there are places, and refuses the others with 503 and Retry-After. A place is held
// until the answer begins: how fast it is read is the client's business.
func (l *Limiter) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = l.readAhead(r)
		p, err := l.acquire(r.Context(), l.opts.Classify(r), l.opts.Client(r), l.opts.Known(r))
		if err != nil {
			l.opts.Refuse(w, r, l.RetryAfter())
			return
		}
		a := &answer{ResponseWriter: w, p: p, ctx: r.Context()}
		defer func() { // for handlers that write nothing, or panic
			if r.Context().Err() != nil {
				p.Done(Ignored)
			}
			p.Done(Served)
		}()
		next.ServeHTTP(a, r)
	})
}

// answer gives the place back when the answer begins.
type answer struct {
	http.ResponseWriter
	p     *Permit
	ctx   context.Context
	begun bool
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) WriteHeader(code int) {
	if code >= 200 && !a.begun {
		a.begun = true
		a.p.end(a.result(code), a.p.l.opts.Took(a.Header()))
	}
	a.ResponseWriter.WriteHeader(code)
}

func (a *answer) Write(b []byte) (int, error) {
	if !a.begun {
		a.WriteHeader(http.StatusOK)
	}
	return a.ResponseWriter.Write(b)
}

// Hijack hands the connection over: an upgraded connection holds no place.
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	a.begun = true
	a.p.Done(Ignored)
	return http.NewResponseController(a.ResponseWriter).Hijack()
}

// result is what an answer says about load. A failure may be quick for reasons of its own.
func (a *answer) result(code int) Result {
	switch {
	case a.ctx.Err() != nil && context.Cause(a.ctx) == context.Canceled: // the client left
		return Ignored
	case code == http.StatusServiceUnavailable || code == http.StatusGatewayTimeout:
		return Overloaded
	case code >= http.StatusInternalServerError:
		return Ignored
	}
	return Served
}

// serverTiming reads the entry called total of Server-Timing (W3C), which is in milliseconds.
func serverTiming(h http.Header) time.Duration {
	for _, line := range h["Server-Timing"] {
		if _, after, ok := strings.Cut(line, "total;dur="); ok {
			value, _, _ := strings.Cut(after, ",")
			value, _, _ = strings.Cut(value, ";")
			if ms, err := strconv.ParseFloat(strings.TrimSpace(value), 64); err == nil && ms > 0 && ms < 1e9 {
				return time.Duration(ms * float64(time.Millisecond))
			}
		}
	}
	return 0
}

// readAhead takes in a body, or the beginning of a long one. What fails here, whoever reads on finds out.
func (l *Limiter) readAhead(r *http.Request) *http.Request {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return r
	}
	var buf bytes.Buffer
	if n := min(r.ContentLength, l.opts.ReadAhead); n > 0 {
		buf.Grow(int(n) + bytes.MinRead)
	}
	n, err := io.Copy(&buf, io.LimitReader(r.Body, l.opts.ReadAhead))
	rest := io.Reader(r.Body)
	switch {
	case err != nil:
		rest = failing{err}
	case n < l.opts.ReadAhead:
		rest = http.NoBody
	}
	out := *r
	out.Body = &rejoined{io.MultiReader(&buf, rest), r.Body}
	return &out
}

// rejoined is a body of which the beginning was read.
type rejoined struct {
	io.Reader
	io.Closer
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func byMethod(r *http.Request) Class {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return Browse
	}
	return Cart
}

func byAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// Refuse answers with a problem (RFC 9457): 503 and Retry-After, in seconds.
func Refuse(w http.ResponseWriter, r *http.Request, retryAfter int) {
	respond.Problem{Type: "temporarily-unavailable", Status: http.StatusServiceUnavailable, RetryAfter: retryAfter,
		Detail: "more is asked for than can be answered well right now; nothing was done: wait as long as Retry-After says, then ask again",
	}.Write(w, r.Method, r.Header.Get("X-Request-Id"))
}
