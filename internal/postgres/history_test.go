package postgres_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// The histories of these tests are what clients saw, call by call, of a shop that they share; porcupine looks for an order of the
// calls in which a shop that does one thing at a time would have answered the same (Herlihy and Wing, Linearizability, 1990).

// never is when a call returned whose answer nobody got: it may take effect at any time after it was made, or not at all.
const never = math.MaxInt64

// history collects calls. Its clock counts calls and returns, so no two happen at once.
type history struct {
	mu    sync.Mutex
	clock int64
	ops   []porcupine.Operation
}

// now is the moment just before a call or just after a return.
func (h *history) now() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clock++
	return h.clock
}

// checkWithin bounds the search for an order; histories here are short enough to need a small part of it.
const checkWithin = time.Minute

// explained fails the test unless there is an order that explains what was seen. One that cannot be found in time is a failure, too: a
// check that gives up checks nothing.
func explained(t testing.TB, m porcupine.Model, ops []porcupine.Operation) {
	t.Helper()
	if r := porcupine.CheckOperationsTimeout(m, ops, checkWithin); r != porcupine.Ok {
		t.Fatalf("no order explains this history of %d calls (%s):\n%s", len(ops), r, told(m, ops))
	}
}

// told writes a history down, for a failure's message.
func told(m porcupine.Model, ops []porcupine.Operation) string {
	var b strings.Builder
	ops = slices.Clone(ops)
	slices.SortStableFunc(ops, func(x, y porcupine.Operation) int { return int(x.Call - y.Call) })
	for _, o := range ops {
		ret := fmt.Sprint(o.Return)
		if o.Return == never {
			ret = "never"
		}
		fmt.Fprintf(&b, "%5d..%-5s client %d: %s\n", o.Call, ret, o.ClientId, m.DescribeOperation(o.Input, o.Output))
	}
	return b.String()
}
