package limit

import (
	"io"
	"net/http"
	"time"
)

// A body that is refused for its size is read and dropped up to this much and this long: a client that writes all of it
// before it reads would find its connection reset instead of the answer.
const (
	drainBytes = 8 << 20
	drainTime  = 2 * time.Second
)

// drain drops the rest of r's body. A client that waits for 100 Continue has sent nothing, and is not to.
func drain(w http.ResponseWriter, r *http.Request) {
	if r.Body == nil || r.Header.Get("Expect") != "" {
		return
	}
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Now().Add(drainTime)) // writers that cannot, such as recorders, have no slow clients
	_, _ = io.CopyN(io.Discard, r.Body, drainBytes)
	_ = rc.SetReadDeadline(time.Time{})
}
