package wire

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// Answerer answers plain requests, or declines.
type Answerer interface {
	// Answer appends a whole response to out, body included, or returns ok false and leaves the request to net/http.
	// closing asks to close the connection after it. h is valid only during the call; peer is the zero Addr for a Unix
	// socket. now is about now.
	Answer(h *Head, peer netip.Addr, now time.Time, out []byte) (answer []byte, closing, ok bool)
	// Flushed is called with how many answers were sent and how long they took from the reading of the requests.
	Flushed(n int, took time.Duration)
}

// Options of a [Listener]; all are needed.
type Options struct {
	Answerer      Answerer
	MaxHeader     int           // bytes; a longer head is left to net/http
	HeaderTimeout time.Duration // for a head, from its first byte
	IdleTimeout   time.Duration // between requests
	WriteTimeout  time.Duration // for each write
}

const (
	firstBuffer = 4 << 10
	maxHeld     = 64 << 10 // bytes of further requests held while net/http is busy with one
	flushAt     = 64 << 10 // bytes of answers to pipelined requests that are sent at once
)

// what a connection is doing
type phase int32

const (
	boundary phase = iota // the next byte from the wire begins a request
	handing               // net/http is being given a request
	busy                  // net/http has all of a request and answers it
	raw                   // net/http has the connection to itself
)

// Conn is a connection whose simplest requests never reach net/http.
type Conn struct {
	net.Conn
	o     *Options
	onEnd func(*Conn)
	peer  netip.Addr

	raw      syscall.RawConn // nil: not to be had
	phase    atomic.Int32
	buf      []byte // read from the wire and not yet used up: buf[r:w]
	r, w     int
	hand     int64 // bytes that still belong to the request being handed over
	head     Head
	lent     *space    // what out is in, as long as there is anything in it
	out      []byte    // answers to be sent
	answers  int       // how many they are
	started  time.Time // when the first of them was begun
	after    verdict   // what comes when they are sent
	answered bool      // something was, on this connection
	replied  time.Time // when, if no deadline was set since
	begun    time.Time // when the head that is incomplete began
	idleAt   time.Time // when the idle deadline was last set
	came     verdict   // what turn came to
	fault    error     // why the connection ends

	sentAt  atomic.Int64 // when the deadline for writing was last set, 0 when net/http changed it
	writing atomic.Bool  // an answer is being sent: do not cut it off
	closing atomic.Bool
	ended   atomic.Bool
	past    atomic.Bool   // the read deadline that net/http set lies in the past
	wake    chan struct{} // told when net/http sets a deadline
}

// Boundary is told by http.Server's ConnState hook when a connection has become idle.
func (c *Conn) Boundary() {
	if phase(c.phase.Load()) == busy {
		c.phase.Store(int32(boundary))
	}
}

// Raw is told when a connection was hijacked.
func (c *Conn) Raw() { c.phase.Store(int32(raw)) }

// Read implements net.Conn for net/http.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	switch phase(c.phase.Load()) {
	case boundary:
		if err := c.serve(); err != nil {
			return 0, err
		}
		return c.give(p)
	case handing:
		return c.give(p)
	case busy:
		return 0, c.hold()
	}
	return c.pass(p)
}

// pass gives what is buffered, then the wire.
func (c *Conn) pass(p []byte) (int, error) {
	if c.r < c.w {
		n := copy(p, c.buf[c.r:c.w])
		c.r += n
		return n, nil
	}
	c.buf = nil
	return c.Conn.Read(p)
}

// give hands over bytes of the current request only.
func (c *Conn) give(p []byte) (int, error) {
	if phase(c.phase.Load()) == raw {
		return c.pass(p)
	}
	if int64(len(p)) > c.hand {
		p = p[:c.hand]
	}
	n, err := 0, error(nil)
	if c.r < c.w {
		n = copy(p, c.buf[c.r:c.w])
		c.r += n
	} else {
		n, err = c.Conn.Read(p)
	}
	if c.hand -= int64(n); c.hand == 0 {
		c.phase.Store(int32(busy))
	}
	return n, err
}

// hold is what net/http's reading in the background comes to, by which it learns that a client has left: it never gets a
// byte of the next request, which is kept here.
func (c *Conn) hold() error {
	for {
		if c.w-c.r >= maxHeld {
			<-c.wake
			if c.past.Load() || c.ended.Load() {
				return os.ErrDeadlineExceeded
			}
			continue
		}
		if err := c.fill(); err != nil {
			return err
		}
	}
}

// fill reads from the wire once.
func (c *Conn) fill() error {
	c.makeRoom()
	n, err := c.Conn.Read(c.buf[c.w:])
	c.w += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

func (c *Conn) makeRoom() {
	if c.r == c.w {
		c.r, c.w = 0, 0
	}
	if c.w < len(c.buf) {
		return
	}
	if c.r > 0 {
		c.w = copy(c.buf, c.buf[c.r:c.w])
		c.r = 0
		return
	}
	bigger := make([]byte, max(firstBuffer, 2*len(c.buf)))
	c.w = copy(bigger, c.buf[:c.w])
	c.buf = bigger
}

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.past.Store(!t.IsZero() && t.Before(time.Now()))
	err := c.Conn.SetReadDeadline(t)
	c.nudge()
	return err
}

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.sentAt.Store(0)
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *Conn) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Close implements net.Conn. An answer that is being sent gets a moment to be finished.
func (c *Conn) Close() error {
	c.closing.Store(true)
	if c.writing.Load() {
		_ = c.Conn.SetWriteDeadline(time.Now().Add(time.Second))
		_ = c.Conn.SetReadDeadline(time.Now())
		return nil // serve closes it
	}
	return c.end()
}

func (c *Conn) end() error {
	c.ended.Store(true)
	c.nudge()
	c.onEnd(c)
	return c.Conn.Close()
}
