package loadsim

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/stampede-shop/stampede/loadsim/internal/wire"
)

// step is what a request is for; the last one, all, only exists in reports.
type step int

const (
	stepBrowse step = iota
	stepView
	stepStock
	stepPage
	stepCart
	stepCheckout
	stepQueue // asking for the place in the waiting room, when that went wrong; else it is counted apart
	stepCount
)

var stepNames = [stepCount]string{"browse", "view", "stock", "page", "cart", "checkout", "queue"}

// Steps are the names of what requests are for, in the order in which shoppers come to them.
func Steps() []string { return stepNames[:] }

// Kinds of bad outcomes; an unexpected status is "http_" and the code.
const (
	kindTimeout    = "timeout"     // no complete answer within Timeout
	kindConnection = "connection"  // the connection could not be made, or broke (after one replay)
	kindProtocol   = "protocol"    // not HTTP/1.1
	kindSlow       = "slow"        // correct, but later than GoodWithin
	kindBody       = "wrong_body"  // not the JSON that was due
	kindCart       = "wrong_cart"  // the cart does not hold what was put in
	kindOrder      = "wrong_order" // not confirmed, or the wrong total
)

// failure is a bad outcome: its kind and what was seen.
type failure struct {
	kind string
	text string
}

func wrong(kind, format string, args ...any) *failure {
	return &failure{kind, fmt.Sprintf(format, args...)}
}

func wrongStatus(status int, body []byte) *failure {
	return wrong(fmt.Sprintf("http_%d", status), "%s", excerpt(body))
}

// excerpt is the beginning of a body, short enough for a report.
func excerpt(body []byte) string {
	const most = 160
	if len(body) > most {
		return string(body[:most]) + "…"
	}
	return string(body)
}

// sortError makes a failure of an error that a request ended with.
func sortError(err error) *failure {
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() || errors.Is(err, os.ErrDeadlineExceeded) {
		return wrong(kindTimeout, "%v", err)
	}
	switch {
	case errors.Is(err, wire.ErrTooLong):
		return wrong(kindBody, "%v", err)
	case errors.Is(err, wire.ErrProtocol), errors.Is(err, wire.ErrRequest):
		return wrong(kindProtocol, "%v", err)
	}
	return wrong(kindConnection, "%v", err)
}

// result is one request as it goes into the report.
type result struct {
	step     step
	took     time.Duration // from when the request was due
	replayed bool
	refusal  int      // an expected 404, 409 or 402
	fail     *failure // nil when good
	order    bool     // an order was confirmed
}

// isBroken says whether a connection ended in the middle, as opposed to never having been made.
func isBroken(err error) bool {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return false
	}
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || isEOF(err)
}
