package edge

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// slowestUpload is the least average rate, in bytes per second, at which a body must come in after its first StallTimeout.
const slowestUpload = 16 << 10

// linger is how long net/http may go on reading a body that nobody wants, so that the client sees the answer, not a reset.
const linger = 500 * time.Millisecond

// arriving tells of each piece of a body that comes in, whoever reads it: a middleware may take all of it before the
// balancer does.
type arriving struct {
	io.ReadCloser
	ended    *atomic.Bool
	progress func()
}

func (a *arriving) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	if n > 0 {
		a.progress()
	}
	if err == io.EOF { //nolint:errorlint // readers return it as it is
		a.ended.Store(true)
	}
	return n, err
}

// stream reads a client's body, each read with a deadline.
type stream struct {
	r     io.Reader
	rc    *http.ResponseController
	start time.Time
	stall time.Duration
	size  int64 // -1 when unknown

	reading sync.Mutex // held while a read is going on

	mu   sync.Mutex
	read int64
	eof  bool
	err  error
	over bool
}

func (s *stream) Read(p []byte) (int, error) {
	s.reading.Lock()
	defer s.reading.Unlock()
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return 0, http.ErrBodyReadAfterClose
	}
	allowed := s.stall + time.Duration(s.read)*time.Second/slowestUpload
	_ = s.rc.SetReadDeadline(s.start.Add(allowed)) // not supported by recorders in tests
	s.mu.Unlock()
	n, err := s.r.Read(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read += int64(n)
	if errors.Is(err, io.EOF) {
		s.eof = true
	} else if err != nil && !s.over {
		s.err = err
	}
	return n, err
}

func (s *stream) used() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.read > 0 || s.err != nil
}

// complete says whether the client has sent all of it.
func (s *stream) complete() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.eof || s.size >= 0 && s.read >= s.size
}

// stop ends the stream and takes the deadline off the connection, which may carry more requests. When the origin
// answered before it had the whole body, the connection closes; a read that still waits is ended first, because net/http
// would take the deadline off if it found one.
func (s *stream) stop() {
	s.mu.Lock()
	s.over = true
	partial := !s.eof && s.read != s.size
	s.mu.Unlock()
	if !partial {
		_ = s.rc.SetReadDeadline(time.Time{})
		return
	}
	_ = s.rc.SetReadDeadline(time.Now())
	s.reading.Lock()
	_ = s.rc.SetReadDeadline(time.Now().Add(linger))
	s.reading.Unlock()
}
