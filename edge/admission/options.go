package admission

import (
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Class is how important a request is; the lower the more.
type Class int

// The classes.
const (
	Checkout Class = iota
	Cart
	Browse
	Crawl
	classes
)

var classNames = [classes]string{"checkout", "cart", "browse", "crawl"}

func (c Class) String() string {
	if c < 0 || c >= classes {
		return "unknown"
	}
	return classNames[c]
}

// Options configure a [Limiter]; the zero value has the defaults.
type Options struct {
	// Initial, Min and Max bound how many requests are under way at once. Default 64, 8 and 1000.
	Initial, Min, Max int
	// Target is a latency that is never worth reducing the limit for. Default 50 ms.
	Target time.Duration
	// Ceiling is one that always is. Default 400 ms.
	Ceiling time.Duration
	// Patience bounds the wait for a place, by class. Default 1 s, 800 ms and 600 ms; crawlers do not wait.
	Patience [3]time.Duration
	// Ahead bounds how far away somebody's turn may be who begins to wait, by class: by those who come before, and as places are given
	// out now. It is shorter than the patience where an answer that comes late is worth less than none, but a service that stands still
	// for a moment is to be waited for. Default the patience.
	Ahead [3]time.Duration
	// MaxWaiting bounds how many wait. Default 2048.
	MaxWaiting int

	// Classify tells the class of a request. Default: GET, HEAD and OPTIONS are Browse, the rest Cart.
	Classify func(*http.Request) Class
	// Client names who sends a request, for fairness; "" is one client, too. Default the address without its port.
	Client func(*http.Request) string
	// Known tells a client who is shopping already from one who has just come; among equals the former goes first. Default: all are.
	Known func(*http.Request) bool
	// Queued tells that a waiting room behind [Limiter.Guard] answers for a request: then it is not refused for want of processor time. A place
	// costs no more than a refusal, who has one comes back later, and who was let in is not sent away again. Default: none does.
	Queued func(*http.Request) bool
	// Took is how long the service itself says that it took for an answer with these headers; 0 when it does not say. Default: the
	// total of Server-Timing. Without it the time counts that passed here, in which may be waits for this process's processor.
	Took func(http.Header) time.Duration
	// Slack is how long work of this process may wait for a processor, on average, before [Limiter.Guard] refuses requests. Default
	// 50 ms: where processors are shared, waits of ten come and go.
	Slack time.Duration
	// Delay measures that, since its last call. Default by the Go runtime's figures.
	Delay func() time.Duration
	// Refuse answers a request that was refused; retryAfter is in whole seconds. Default a problem (RFC 9457) with 503.
	Refuse func(w http.ResponseWriter, r *http.Request, retryAfter int)
	// ReadAhead is how much of a body is taken in before a place is asked for, so that slow senders hold none. Larger
	// bodies hold their place while the rest comes. Default 64 KiB.
	ReadAhead int64

	// Registerer receives the metrics; nil means no metrics.
	Registerer prometheus.Registerer
}

func (o Options) withDefaults() (Options, error) {
	def(&o.Min, 8)
	def(&o.Max, 1000)
	def(&o.Initial, min(64, o.Max))
	def(&o.Target, 50*time.Millisecond)
	def(&o.Ceiling, 400*time.Millisecond)
	for c, d := range [...]time.Duration{time.Second, 800 * time.Millisecond, 600 * time.Millisecond} {
		def(&o.Patience[c], d)
		def(&o.Ahead[c], o.Patience[c])
	}
	def(&o.MaxWaiting, 2048)
	def(&o.ReadAhead, 64<<10)
	def(&o.Slack, 50*time.Millisecond)
	if o.Known == nil {
		o.Known = func(*http.Request) bool { return true }
	}
	if o.Queued == nil {
		o.Queued = func(*http.Request) bool { return false }
	}
	if o.Took == nil {
		o.Took = serverTiming
	}
	if o.Delay == nil {
		o.Delay = waitForProcessor()
	}
	if o.Classify == nil {
		o.Classify = byMethod
	}
	if o.Client == nil {
		o.Client = byAddress
	}
	if o.Refuse == nil {
		o.Refuse = Refuse
	}
	switch {
	case o.Min < 1 || o.Max < o.Min || o.Initial < o.Min || o.Initial > o.Max:
		return o, fmt.Errorf("admission: Min %d, Initial %d and Max %d: they must be positive and in that order", o.Min, o.Initial, o.Max)
	case o.Target < 0 || o.Ceiling < o.Target:
		return o, fmt.Errorf("admission: Target %v and Ceiling %v: they must be positive and in that order", o.Target, o.Ceiling)
	case o.Slack < 0:
		return o, fmt.Errorf("admission: Slack %v: it must be positive", o.Slack)
	case o.MaxWaiting < 0 || o.ReadAhead < 0 || min(o.Patience[0], o.Patience[1], o.Patience[2]) < 0 || min(o.Ahead[0], o.Ahead[1], o.Ahead[2]) < 0:
		return o, fmt.Errorf("admission: MaxWaiting, ReadAhead, Patience and Ahead must not be negative")
	}
	return o, nil
}

// def sets *v to d when it is the zero value.
func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}
