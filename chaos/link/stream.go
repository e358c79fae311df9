package link

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// MaxHeld is how many bytes of a connection are held back for each direction, at most.
const MaxHeld = 1 << 20

const chunkSize = 16 << 10

// stream carries one direction of a connection. Its reader writes through while nothing is in the way; what is held up goes
// through a queue to a writer of its own, in order.
type stream struct {
	c        *conn
	dir      Direction
	from, to net.Conn

	mu     sync.Mutex
	cond   *sync.Cond // of what follows
	queue  []piece
	held   int  // bytes in the queue, or being written from it
	ended  bool // nothing comes any more
	failed bool // nothing can be written any more
	last   time.Time
	free   time.Time // when the link has sent what is on its way
}

// piece is bytes that arrive later.
type piece struct {
	bytes []byte
	due   time.Time
}

func newStream(c *conn, dir Direction, from, to net.Conn) *stream {
	s := &stream{c: c, dir: dir, from: from, to: to}
	s.cond = sync.NewCond(&s.mu)
	return s
}

// run carries until the sender has ended; first was read before.
func (s *stream) run(first []byte) {
	var writer sync.WaitGroup
	writer.Go(s.writeLate)
	s.read(first)
	s.mu.Lock()
	s.ended = true
	s.cond.Broadcast()
	s.mu.Unlock()
	writer.Wait()
}

func (s *stream) read(first []byte) {
	if len(first) > 0 && !s.send(first) {
		return
	}
	buf := make([]byte, chunkSize)
	for {
		n, err := s.from.Read(buf)
		if n > 0 && !s.send(buf[:n]) {
			return
		}
		if err == nil {
			continue
		}
		if !errors.Is(err, io.EOF) && !s.c.isHalf() {
			s.c.breakOff() // a reset is passed on as one
		}
		return
	}
}

// send passes bytes on, now or later; false when that is over.
func (s *stream) send(b []byte) bool {
	w, _ := s.c.way(s.dir)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed {
		return false
	}
	if w.clear() && s.held == 0 { // the writer has nothing to do, so that nobody is overtaken
		s.mu.Unlock()
		_, err := s.to.Write(b)
		s.mu.Lock()
		s.failed = err != nil
		return err == nil
	}
	for s.held+len(b) > MaxHeld && s.held > 0 && !s.failed {
		s.cond.Wait()
	}
	s.queue = append(s.queue, piece{append([]byte(nil), b...), s.due(&w, len(b))})
	s.held += len(b)
	s.cond.Broadcast()
	return !s.failed
}

// due is when bytes that are sent now arrive.
func (s *stream) due(w *way, n int) time.Time {
	now := time.Now()
	start := now
	if w.bandwidth > 0 {
		if s.free.After(start) {
			start = s.free
		}
		start = start.Add(time.Duration(float64(n) / float64(w.bandwidth) * float64(time.Second)))
		s.free = start
	}
	at := start.Add(w.delay(n))
	if s.last.After(at) { // whoever was sent before arrives before
		at = s.last
	}
	s.last = at
	return at
}

// writeLate writes what was held up, when it is due.
func (s *stream) writeLate() {
	for {
		s.mu.Lock()
		for len(s.queue) == 0 && !s.ended {
			s.cond.Wait()
		}
		if len(s.queue) == 0 {
			s.mu.Unlock()
			s.end()
			return
		}
		next := s.queue[0]
		s.mu.Unlock()
		ok := s.await(next.due)
		if ok {
			_, err := s.to.Write(next.bytes)
			ok = err == nil
		}
		s.mu.Lock()
		s.queue[0] = piece{}
		s.queue = s.queue[1:]
		s.held -= len(next.bytes)
		if !ok {
			s.failed, s.queue, s.held = true, nil, 0
		}
		s.cond.Broadcast()
		s.mu.Unlock()
	}
}

// await waits until bytes are due and nothing holds them; false when the connection has broken. When nothing is in the way any
// more they go at once.
func (s *stream) await(due time.Time) bool {
	for {
		w, changed := s.c.way(s.dir)
		left := time.Until(due)
		if w.clear() || !w.stall && left <= 0 {
			return true
		}
		var timer <-chan time.Time
		if !w.stall {
			t := time.NewTimer(left)
			defer t.Stop()
			timer = t.C
		}
		select {
		case <-timer:
			return true
		case <-changed:
		case <-s.c.dead:
			return false
		}
	}
}

// end tells the receiver that nothing comes any more, unless it is not to be told.
func (s *stream) end() {
	if s.c.isHalf() {
		return
	}
	s.mu.Lock()
	failed := s.failed
	s.mu.Unlock()
	if half, ok := s.to.(interface{ CloseWrite() error }); ok && !failed {
		_ = half.CloseWrite()
		return
	}
	s.c.breakOff()
}
