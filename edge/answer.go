package edge

import (
	"bufio"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// answer is the ResponseWriter that middlewares and balancer write to. It cleans the headers at the last moment, so
// that whatever sits inside still sees Surrogate-Key and the like, and gives a slow reader a bounded time for each write.
type answer struct {
	http.ResponseWriter
	rc       *http.ResponseController
	x        *exchange
	name     string // of the cache in Cache-Status
	stall    time.Duration
	status   int
	extended time.Time
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) WriteHeader(code int) {
	if a.status == 0 && code >= 200 {
		a.status = code
		a.x.answer() // from now on it is the reader that takes time
		a.cleanHeader()
	}
	a.extend()
	a.ResponseWriter.WriteHeader(code)
}

func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	a.extend()
	return a.ResponseWriter.Write(p)
}

// Hijack hands the connection over, for protocol upgrades.
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	a.status = http.StatusSwitchingProtocols
	a.cleanHeader()
	return a.rc.Hijack()
}

// extend moves the write deadline on, at most once a second: it is for clients that stopped reading.
func (a *answer) extend() {
	if now := time.Now(); now.Sub(a.extended) > min(time.Second, a.stall/2) {
		a.extended = now
		_ = a.rc.SetWriteDeadline(now.Add(a.stall)) // not supported by recorders in tests: then there is no deadline
	}
}

func (a *answer) cleanHeader() {
	h := a.Header()
	for name := range h {
		if private(name) {
			delete(h, name)
		}
	}
	if b := a.x.body; a.x.hasBody && !a.x.arrived.Load() && (b == nil || b.rest != nil && !b.rest.complete()) {
		h.Set("Connection", "close") // the unread part must not be taken for the next request
	}
	h.Set("X-Request-Id", a.x.id)
	h.Add("Server-Timing", a.timing())
}

// timing is the edge's entry in Server-Timing: milliseconds from arrival to the answer's header.
func (a *answer) timing() string {
	b := make([]byte, 0, 48)
	b = append(b, "edge;dur="...)
	b = strconv.AppendFloat(b, float64(time.Since(a.x.start).Microseconds())/1000, 'f', -1, 64)
	if strings.HasPrefix(a.Header().Get("Cache-Status"), a.name+"; hit") {
		b = append(b, ";desc=hit"...)
	}
	if n := a.x.attempts + a.x.refused; n > 1 {
		b = append(b, `;desc="attempt `...)
		b = strconv.AppendInt(b, int64(n), 10)
		b = append(b, '"')
	}
	return string(b)
}

// private says whether a header (in canonical form) is between edge and origin only.
func private(name string) bool {
	return strings.HasPrefix(name, "Surrogate-") || strings.HasPrefix(name, "Stampede-")
}
