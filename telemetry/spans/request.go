package spans

import (
	"context"
	"sync"
	"time"
)

// MaxSpans bounds the spans of a request; what comes later is counted only.
const MaxSpans = 64

// Span is a piece of work for a request.
type Span struct {
	Kind   string        `json:"kind"`             // db, cache, origin …
	Name   string        `json:"name"`             // of the statement, the tier …
	Detail string        `json:"detail,omitempty"` // such as the node, hit or miss
	Start  time.Duration `json:"start_ns"`         // after the request's; negative when it is not known
	Took   time.Duration `json:"took_ns"`
	Error  string        `json:"error,omitempty"`
}

// Unknown is the Start of a span of which only the duration is known.
const Unknown time.Duration = -1

// Request is a request on its way. It is safe for concurrent use.
type Request struct {
	start time.Time

	mu      sync.Mutex
	spans   []Span
	dropped int
}

type requestKey struct{}

// Begin makes what is done under the returned context part of a request that starts now.
func Begin(ctx context.Context, start time.Time) (context.Context, *Request) {
	r := &Request{start: start}
	return &carrying{ctx, r}, r
}

// carrying is a context with a request:.
type carrying struct {
	context.Context
	r *Request
}

// Value implements context.Context.
func (c *carrying) Value(key any) any {
	if key == (requestKey{}) {
		return c.r
	}
	return c.Context.Value(key)
}

// From is the request that a context belongs to; nil, on which all methods do nothing, when there is none.
func From(ctx context.Context) *Request {
	r, _ := ctx.Value(requestKey{}).(*Request)
	return r
}

// Add adds a span that ended now and took so long.
func (r *Request) Add(s Span) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.spans) >= MaxSpans {
		r.dropped++
		return
	}
	r.spans = append(r.spans, s)
}

// Ended adds a span that took so long and has just ended.
func (r *Request) Ended(kind, name, detail string, took time.Duration, err error) {
	if r == nil {
		return
	}
	s := Span{Kind: kind, Name: name, Detail: detail, Start: max(0, time.Since(r.start)-took), Took: took}
	if err != nil {
		s.Error = err.Error()
	}
	r.Add(s)
}

func (r *Request) copySpans() ([]Span, int) {
	if r == nil {
		return nil, 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Span(nil), r.spans...), r.dropped
}
