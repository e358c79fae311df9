package waf

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"
)

// Wrap inspects each request before next gets it. A body is read whole first, and handed on whole. It belongs behind
// whatever answers without asking the origin, such as a cache, and behind what cleans headers.
func (w *WAF) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		mode := w.Mode()
		if mode == ModeOff || w.opts.Skip != nil && w.opts.Skip(r) {
			next.ServeHTTP(rw, r)
			return
		}
		body, free, err := w.read(rw, r)
		defer free()
		if err != nil {
			w.m.requests.WithLabelValues("unread").Inc()
			refuse(rw, r, bodyProblem(err))
			return
		}
		calls, isBatch := w.batch(r, body)
		own := body
		if isBatch {
			own = nil // what is left is the call itself
		}
		if v := w.measure(r, own); v.Objects() {
			w.report(r, v, mode)
			if mode == ModeBlock {
				w.m.requests.WithLabelValues("blocked").Inc()
				p := verdictProblem(v)
				if w.opts.Refuse == nil || !w.opts.Refuse(rw, r, p.Status, p.Detail) {
					refuse(rw, r, p)
				}
				return
			}
			w.m.requests.WithLabelValues("detected").Inc()
		} else {
			w.m.requests.WithLabelValues("passed").Inc()
		}
		if isBatch {
			body = w.sift(r, calls, body, mode)
		}
		next.ServeHTTP(rw, withBody(r, body))
	})
}

func (w *WAF) measure(r *http.Request, body []byte) Verdict {
	start := time.Now()
	v := w.alone(r, body)
	w.m.seconds.Observe(time.Since(start).Seconds())
	if v.Fast {
		w.m.path.WithLabelValues("fast").Inc()
	} else {
		w.m.path.WithLabelValues("whole").Inc()
	}
	return v
}

// withBody is r with a body that was read.
func withBody(r *http.Request, body []byte) *http.Request {
	if body == nil {
		return r
	}
	out := *r
	out.Body = io.NopCloser(bytes.NewReader(body))
	out.ContentLength = int64(len(body))
	out.TransferEncoding = nil
	return &out
}

// smallBody is a body, in bytes, that always finds room: it takes no more than a request's headers may, and whoever fills
// BodyMemory with slow uploads must not keep shoppers from their carts.
const smallBody = 16 << 10

var (
	errTooLarge = errors.New("waf: the body is too large")
	errNoMemory = errors.New("waf: too many bodies at once")
)

// read takes in the body, nil if there is none. free gives back its share of BodyMemory.
func (w *WAF) read(rw http.ResponseWriter, r *http.Request) (body []byte, free func(), err error) {
	free = func() {}
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return nil, free, nil
	}
	limit := w.opts.MaxBodyBytes
	if r.ContentLength > limit {
		return nil, free, errTooLarge
	}
	if share := r.ContentLength; share < 0 || share > smallBody {
		if share < 0 {
			share = limit
		}
		if w.bodies.Add(share) > w.opts.BodyMemory {
			w.bodies.Add(-share)
			return nil, free, errNoMemory
		}
		free = func() { w.bodies.Add(-share) }
	}
	var buf bytes.Buffer
	if r.ContentLength > 0 {
		buf.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	n, err := io.Copy(&buf, io.LimitReader(r.Body, limit+1))
	switch {
	case err != nil:
		return nil, free, err
	case n > limit:
		return nil, free, errTooLarge
	}
	return buf.Bytes(), free, nil
}

func bodyProblem(err error) problem {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, errTooLarge) || errors.As(err, &tooLarge):
		return problem{Type: "too-large", Status: http.StatusRequestEntityTooLarge, CloseConn: true,
			Detail: "the request body is larger than this server takes; send less at once"}
	case errors.Is(err, errNoMemory):
		return problem{Type: "temporarily-unavailable", Status: http.StatusServiceUnavailable, RetryAfter: 1, CloseConn: true,
			Detail: "too many uploads at once; try again in a moment"}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return problem{Type: "request-timeout", Status: http.StatusRequestTimeout, CloseConn: true,
			Detail: "the request body did not arrive in time; send it again"}
	}
	return problem{Type: "malformed", Status: http.StatusBadRequest, CloseConn: true,
		Detail: "the request body could not be read; send it again"}
}

// itoa is short for what headers, metrics and log lines need.
func itoa(n int) string { return strconv.Itoa(n) }
