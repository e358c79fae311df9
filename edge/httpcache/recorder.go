package httpcache

import (
	"context"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// aloneFor is how long a key whose answer was personal is not waited for.
const aloneFor = 5 * time.Second

// what a recorder does with the answer
type doing int

const (
	undecided doing = iota
	keeping         // all of it is collected, nothing is sent yet
	passing         // it is for the leader only, and goes to it as it comes
	confirmed       // 304: what we have still holds
	bridging        // the origin failed, what we have is served
	nobody          // it is for nobody
)

// recorder is the ResponseWriter of a fetch.
type recorder struct {
	h      *handler
	q      *question
	f      *flight
	key    string
	prior  *entry
	cancel context.CancelFunc
	asked  time.Time

	mu     sync.Mutex
	client http.ResponseWriter // the leader's; nil: none, or it has left
	header http.Header
	status int
	do     doing
	begun  bool // something was written to the client
	buf    []byte
	came   time.Time
	v      verdict
}

// Header implements http.ResponseWriter.
func (r *recorder) Header() http.Header {
	if r.header == nil {
		r.header = http.Header{}
	}
	return r.header
}

// leave takes the client away, unless the answer is going to it right now: then the fetch is cancelled instead.
func (r *recorder) leave() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.do == passing && r.begun {
		r.cancel()
		return false
	}
	r.client = nil
	return true
}

// WriteHeader implements http.ResponseWriter: it decides what becomes of the answer.
func (r *recorder) WriteHeader(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if status < 200 {
		r.interim(status)
		return
	}
	if r.status != 0 {
		return
	}
	r.status, r.came = status, r.h.now()
	now := r.came.UnixNano()
	switch {
	case r.prior != nil && status == http.StatusNotModified:
		r.do = confirmed
		return
	case r.prior != nil && failing(status) && r.prior.bridges(now):
		r.do = bridging
		return
	}
	r.v = r.h.judge(r.q.sent, r.q.shared, status, r.Header(), r.came)
	length, err := strconv.ParseInt(r.header.Get("Content-Length"), 10, 64)
	if r.v.store && (err != nil || length <= r.h.o.MaxObject) {
		r.do = keeping
		if err == nil {
			r.buf = make([]byte, 0, length)
		}
		return
	}
	r.pass()
}

// failing says whether a status stands for an origin that could not answer.
func failing(status int) bool {
	return status == 500 || status == 502 || status == 503 || status == 504
}

func (r *recorder) interim(status int) {
	if r.client == nil || status == http.StatusSwitchingProtocols {
		return
	}
	out := r.client.Header()
	before := maps.Clone(out)
	maps.Copy(out, r.header)
	r.client.WriteHeader(status)
	clear(out)
	maps.Copy(out, before)
}

// pass lets the others go and sends what there is to the leader; r.mu is held.
func (r *recorder) pass() {
	r.f.personal = r.v.personal && r.status < 400 // whoever is refused says nothing about the others
	r.f.o = outcome{fwd: r.fwd(), fwdStatus: r.status, detail: r.v.why}
	r.decide()
	r.do = nobody
	if r.client == nil {
		r.cancel()
		return
	}
	r.do, r.begun = passing, true
	r.h.counts.misses.Add(1)
	out := r.client.Header()
	maps.Copy(out, r.header)
	out.Add("Cache-Status", r.f.o.field(r.h.o.Name))
	r.client.WriteHeader(r.status)
	if len(r.buf) > 0 {
		_, _ = r.client.Write(r.buf)
		r.buf = nil
	}
}

// decide ends the waiting of the others.
func (r *recorder) decide() {
	if r.f.personal {
		r.h.alone(r.q, aloneFor)
	}
	r.h.land(r.key, r.q.key, r.f)
	close(r.f.decided)
}

func (r *recorder) fwd() string {
	if r.prior != nil {
		return "stale"
	}
	if res := find(r.h.mem, r.q.key); res != nil && len(res.list()) > 0 {
		return "vary-miss"
	}
	return "uri-miss"
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.WriteHeader(http.StatusOK)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.h.counts.originBytes.Add(int64(len(p)))
	if r.do == keeping {
		if int64(len(r.buf)+len(p)) <= r.h.o.MaxObject {
			r.buf = append(r.buf, p...)
			return len(p), nil
		}
		r.v.why = "too-large"
		r.pass()
	}
	switch r.do {
	case passing:
		return r.client.Write(p)
	case nobody:
		return 0, http.ErrAbortHandler
	}
	return len(p), nil
}

// FlushError sends on what has come, when it goes straight to a client.
func (r *recorder) FlushError() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.do != passing {
		return nil
	}
	return http.NewResponseController(r.client).Flush()
}

// end is called when the handler has returned or panicked.
func (r *recorder) end() {
	defer close(r.f.ended)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.status == 0 && r.f.aborted == nil {
		r.mu.Unlock()
		r.WriteHeader(http.StatusOK)
		r.mu.Lock()
	}
	switch {
	case r.do == passing || r.do == nobody:
		return // decided long ago
	case r.f.aborted != nil || r.do == keeping && !r.complete():
		r.broken()
	case r.do == keeping:
		r.keep()
	case r.do == confirmed:
		r.confirm()
	case r.do == bridging:
		r.bridge()
	}
	r.decide()
}

// complete says whether the body is as long as was announced.
func (r *recorder) complete() bool {
	n := r.header.Get("Content-Length")
	return n == "" || n == strconv.Itoa(len(r.buf)) || !bodyAllowed(r.status)
}

func (r *recorder) broken() {
	if r.prior != nil && r.prior.bridges(r.h.now().UnixNano()) {
		r.bridge()
		return
	}
	if r.f.aborted == nil {
		r.f.aborted = http.ErrAbortHandler
	}
}

func (r *recorder) keep() {
	r.h.counts.misses.Add(1)
	r.f.o = outcome{fwd: r.fwd(), fwdStatus: r.status, stored: true}
	r.f.e = r.h.newEntry(r.q, r.status, r.header, r.buf, r.v, r.asked, r.came)
	r.h.keep(r.f.e)
	r.forLeader(r.v.omit...)
	r.forLeader("Server-Timing")
}

// forLeader hands fields that are not kept to the one who asked.
func (r *recorder) forLeader(names ...string) {
	for _, name := range names {
		if values := r.header.Values(name); len(values) > 0 && r.client != nil {
			r.client.Header()[http.CanonicalHeaderKey(name)] = values
		}
	}
}

func (r *recorder) confirm() {
	r.h.counts.revalidated.Add(1)
	r.f.o = outcome{fwd: "stale", fwdStatus: r.status, stored: true}
	r.forLeader("Server-Timing")
	if n := r.h.freshened(r.prior, r.q, r.header, r.asked, r.came); n != nil {
		r.f.e = n
		r.h.keep(n)
		return
	}
	r.f.e, r.f.o.stored = r.prior, false
	r.h.forget(r.prior)
}

func (r *recorder) bridge() {
	r.h.counts.bridged.Add(1)
	r.f.e = r.prior
	r.f.aborted = nil
	r.f.o = outcome{hit: true, ttl: ttl(r.prior, r.h.now().UnixNano()), fwd: "stale", fwdStatus: r.status, detail: "stale-if-error"}
}
