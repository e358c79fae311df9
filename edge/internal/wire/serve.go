package wire

import (
	"io"
	"time"
)

// serve answers requests until one is for net/http: then c.hand says how long it is, or the phase is raw.
func (c *Conn) serve() error {
	begun := time.Time{} // when the head that is incomplete began
	for {
		n, more, err := c.answerAll()
		if err != nil {
			return err
		}
		if !more {
			return nil
		}
		if n > 0 {
			begun = time.Time{}
		}
		if err := c.deadline(&begun, n > 0); err != nil {
			return err
		}
		if err := c.fill(); err != nil {
			return err
		}
	}
}

// answerAll answers the requests in the buffer. more says that it needs more bytes, else net/http is next.
func (c *Conn) answerAll() (n int, more bool, err error) {
	b := batch{out: c.out[:0]}
	for more = true; c.r < c.w; {
		if more = c.answerOne(&b); more && !b.partial && !b.closing {
			if len(b.out) < flushAt {
				continue
			}
			if err = c.flush(&b); err == nil {
				continue
			}
		}
		break
	}
	if len(b.out) > 0 && err == nil {
		err = c.flush(&b)
	}
	c.out = b.out[:0]
	if cap(c.out) > 2*flushAt {
		c.out = nil
	}
	if b.closing || err != nil || c.closing.Load() {
		_ = c.end()
		if err == nil {
			err = io.EOF // net/http takes it for a client that left
		}
	}
	return b.total, more, err
}

// batch is what came in with one read.
type batch struct {
	out      []byte
	start    time.Time
	n, total int
	partial  bool // the last head is not complete
	closing  bool
}

// answerOne answers the next request in the buffer; false means that it is for net/http.
func (c *Conn) answerOne(b *batch) bool {
	switch Parse(c.buf[c.r:c.w], &c.head) {
	case More:
		b.partial = true
		if c.w-c.r <= c.o.MaxHeader {
			return true
		}
		fallthrough
	case Foreign:
		c.Raw()
		return false
	}
	if c.head.Plain && c.head.Size <= c.o.MaxHeader {
		if b.start.IsZero() {
			b.start = time.Now()
		}
		var ok bool
		if b.out, b.closing, ok = c.o.Answerer.Answer(&c.head, c.peer, b.start, b.out); ok {
			c.r += c.head.Size
			b.n++
			b.total++
			return true
		}
		b.closing = false
	}
	c.hand = int64(c.head.Size) + c.head.Body
	c.phase.Store(int32(handing))
	return false
}

// flush sends answers, with a deadline that moves on at most once a second.
func (c *Conn) flush(b *batch) error {
	c.writing.Store(true)
	if now := b.start.UnixNano(); now-c.sentAt.Load() > int64(min(time.Second, c.o.WriteTimeout/4)) {
		c.sentAt.Store(now)
		_ = c.Conn.SetWriteDeadline(b.start.Add(c.o.WriteTimeout))
	}
	_, err := c.Conn.Write(b.out)
	c.writing.Store(false)
	c.o.Answerer.Flushed(b.n, time.Since(b.start))
	b.out, b.n = b.out[:0], 0
	return err
}

// deadline bounds the wait for more: a head must be complete within HeaderTimeout of its first byte. net/http has set
// the deadline for the first request already.
func (c *Conn) deadline(begun *time.Time, answered bool) error {
	if c.r < c.w {
		if begun.IsZero() {
			*begun = time.Now()
			c.idleAt = time.Time{}
			return c.Conn.SetReadDeadline(begun.Add(c.o.HeaderTimeout))
		}
		return nil
	}
	if !answered {
		return nil
	}
	if now := time.Now(); now.Sub(c.idleAt) > min(time.Second, c.o.IdleTimeout/4) {
		c.idleAt = now
		return c.Conn.SetReadDeadline(now.Add(c.o.IdleTimeout))
	}
	return nil
}
