package limit

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// ErrSlowBody is what reading a body that comes too slowly fails with. It is an os.ErrDeadlineExceeded, too.
var ErrSlowBody = fmt.Errorf("limit: the body comes too slowly: %w", os.ErrDeadlineExceeded)

// paced is a body that has to come at a minimum rate: n bytes must be there within grace + n/rate, and no silence may
// be longer than stall.
type paced struct {
	r     io.ReadCloser
	rc    *http.ResponseController
	b     Bounds
	start time.Time
	n     int64
	done  bool
}

func newPaced(r io.ReadCloser, rc *http.ResponseController, b Bounds) *paced {
	return &paced{r: r, rc: rc, b: b, start: time.Now()}
}

// due is when the next byte has to be there.
func (p *paced) due(now time.Time) time.Time {
	due := p.start.Add(p.b.Grace + time.Duration(float64(p.n)/float64(p.b.MinBytesPerSecond)*float64(time.Second)))
	if stall := now.Add(p.b.Stall); stall.Before(due) {
		return stall
	}
	return due
}

// Read implements io.Reader.
func (p *paced) Read(b []byte) (int, error) {
	now := time.Now()
	due := p.due(now)
	if !now.Before(due) {
		return 0, ErrSlowBody
	}
	_ = p.rc.SetReadDeadline(due) // writers that cannot, such as recorders, have no slow clients
	n, err := p.r.Read(b)
	p.n += int64(n)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return n, ErrSlowBody
	case err != nil:
		p.release()
	}
	return n, err
}

// release takes the deadline off the connection, which lives on.
func (p *paced) release() {
	if !p.done {
		p.done = true
		_ = p.rc.SetReadDeadline(time.Time{})
	}
}

// Close implements io.Closer.
func (p *paced) Close() error { return p.r.Close() }
