package edge

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/stampede-shop/stampede/edge/internal/respond"
)

// body is a request's body: wholly in memory, or its beginning with the rest still at the client.
type body struct {
	data []byte
	rest *stream // nil when data is all there is
	free func()
}

// takeBody reads r's body as far as it is kept for repetition.
func (e *Edge) takeBody(w http.ResponseWriter, r *http.Request, x *exchange) error {
	x.body = &body{free: func() {}}
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return nil
	}
	limit := e.opts.MaxBodyBytes
	if limit >= 0 {
		if r.ContentLength > limit {
			return problemTooLarge // before the client was told to go on (Expect: 100-continue)
		}
		r.Body = http.MaxBytesReader(respond.Innermost(w), r.Body, limit)
	}
	s := &stream{r: r.Body, rc: http.NewResponseController(w), start: time.Now(), stall: e.opts.StallTimeout, size: r.ContentLength}
	keep := e.opts.ReplayBytes
	if r.ContentLength > keep || !e.reserve(x.body, r.ContentLength) {
		x.body.rest = s
		return nil
	}
	return x.body.fill(s, keep, r)
}

// reserve takes the memory for keeping a body of the given size (-1: unknown) out of ReplayMemory, if it is there.
func (e *Edge) reserve(b *body, size int64) bool {
	if size < 0 {
		size = e.opts.ReplayBytes
	}
	if e.kept.Add(size) > e.opts.ReplayMemory {
		e.kept.Add(-size)
		return false
	}
	b.free = func() { e.kept.Add(-size) }
	return true
}

// fill reads up to keep bytes; if there are more they stay in the stream.
func (b *body) fill(s *stream, keep int64, r *http.Request) error {
	var buf bytes.Buffer
	if r.ContentLength > 0 {
		buf.Grow(int(min(r.ContentLength, 64<<10)) + bytes.MinRead)
	}
	n, err := io.CopyN(&buf, s, keep+1)
	b.data = buf.Bytes()
	switch {
	case n > keep:
		b.rest = s
	case errors.Is(err, io.EOF):
		s.stop()
		r.ContentLength = n
		r.TransferEncoding = nil
	default:
		s.stop()
		b.free()
		b.free = func() {}
		return bodyProblem(err)
	}
	return nil
}

// open returns the body for one attempt.
func (b *body) open() io.ReadCloser {
	if b.rest == nil {
		return io.NopCloser(bytes.NewReader(b.data))
	}
	return io.NopCloser(io.MultiReader(bytes.NewReader(b.data), b.rest))
}

func (b *body) empty() bool { return b.rest == nil && len(b.data) == 0 }

// whole says whether all of the body is at hand, so that it can be sent again.
func (b *body) whole() bool { return b.rest == nil || !b.rest.used() }

// failure is why the client's body could not be read to its end, if so.
func (b *body) failure() error {
	if b.rest == nil {
		return nil
	}
	b.rest.mu.Lock()
	defer b.rest.mu.Unlock()
	return b.rest.err
}

func (b *body) finish() {
	if b.rest != nil {
		b.rest.stop()
	}
	b.free()
}

func bodyProblem(err error) problem {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return problemTooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		return problemSlowBody
	default:
		return problemBadBody
	}
}
