package wire

import (
	"io"
	"time"
)

// verdict says what comes next on a connection.
type verdict int

const (
	hungry   verdict = iota // more bytes are needed
	again                   // there may be more to answer in the buffer
	handover                // the next request is for net/http: c.hand says how long it is, or the phase is raw
	clogged                 // the client takes no more at present: c.out waits, and then comes c.after
	finished                // the connection ends, because of c.fault
)

// serve answers requests until one is for net/http.
func (c *Conn) serve() error {
	c.begun, c.replied, c.fault = time.Time{}, time.Time{}, nil
	v := c.answerAll(mayWait)
	for {
		switch v {
		case handover:
			return nil
		case finished:
			return c.finish()
		case clogged:
			if v = c.sendWaiting(); v == again {
				v = c.answerAll(mayWait)
			}
		default:
			v = c.more()
		}
	}
}

// finish ends the connection. net/http takes io.EOF for a client that left.
func (c *Conn) finish() error {
	if c.fault == nil {
		_ = c.end()
		return io.EOF
	}
	return c.fault
}

func (c *Conn) failed(err error) verdict {
	c.fault = err
	return finished
}

// more waits for bytes, and answers what then is there.
func (c *Conn) more() verdict {
	if err := c.deadline(); err != nil {
		return c.failed(err)
	}
	if c.raw != nil {
		if err := c.raw.Read(c.turn); err != nil {
			return c.failed(err)
		}
		return c.came
	}
	if err := c.fill(); err != nil {
		return c.failed(err)
	}
	return c.answerAll(mayWait)
}

// mayWait is the descriptor where sending may wait.
const mayWait = -1

// answerAll answers the requests in the buffer, and sends the answers to fd without waiting, or mayWait.
func (c *Conn) answerAll(fd int) verdict {
	for {
		v := c.answerSome()
		if len(c.out) > 0 {
			c.after = v
			v = c.send(fd)
		} else {
			c.giveBack()
		}
		if v != again {
			return v
		}
	}
}

// answerSome answers requests as long as there are whole ones and the answers are not too much to send at once.
func (c *Conn) answerSome() verdict {
	for c.r < c.w {
		switch Parse(c.buf[c.r:c.w], &c.head) {
		case More:
			if c.w-c.r <= c.o.MaxHeader {
				return hungry
			}
			fallthrough
		case Foreign:
			c.Raw()
			return handover
		}
		if !c.head.Plain || c.head.Size > c.o.MaxHeader {
			return c.handOver()
		}
		if c.answers == 0 {
			c.started = time.Now()
		}
		c.borrow()
		out, closing, ok := c.o.Answerer.Answer(&c.head, c.peer, c.started, c.out)
		if c.out = out; !ok {
			return c.handOver()
		}
		c.r += c.head.Size
		c.answers++
		switch {
		case closing:
			return finished
		case len(c.out) >= flushAt:
			return again
		}
	}
	return hungry
}

// handOver makes the request at hand net/http's.
func (c *Conn) handOver() verdict {
	c.hand = int64(c.head.Size) + c.head.Body
	c.phase.Store(int32(handing))
	return handover
}

// send sends the answers; clogged when that would need waiting, and it must not.
func (c *Conn) send(fd int) verdict {
	if fd == mayWait {
		return c.sendWaiting()
	}
	if n := writeSome(fd, c.out); n < len(c.out) {
		c.out = c.out[:copy(c.out, c.out[n:])]
		return clogged
	}
	return c.sent()
}

// sendWaiting sends what is left of the answers, with a deadline that moves on at most once a second.
func (c *Conn) sendWaiting() verdict {
	c.writing.Store(true)
	if now := time.Now(); now.UnixNano()-c.sentAt.Load() > int64(min(time.Second, c.o.WriteTimeout/4)) {
		c.sentAt.Store(now.UnixNano())
		_ = c.Conn.SetWriteDeadline(now.Add(c.o.WriteTimeout))
	}
	_, err := c.Conn.Write(c.out)
	c.writing.Store(false)
	if err != nil {
		_ = c.end()
		return c.failed(err)
	}
	return c.sent()
}

// sent counts the answers that were sent.
func (c *Conn) sent() verdict {
	took := time.Since(c.started)
	c.o.Answerer.Flushed(c.answers, took)
	c.replied = c.started.Add(took)
	c.answered, c.answers = true, 0
	c.giveBack()
	if c.closing.Load() {
		return finished
	}
	return c.after
}

// deadline bounds the wait for more: a head must be complete within HeaderTimeout of its first byte. net/http has set
// the deadline for the first request already.
func (c *Conn) deadline() error {
	answered := !c.replied.IsZero()
	now := c.replied
	if c.replied = (time.Time{}); answered {
		c.begun = time.Time{}
	} else {
		now = time.Now()
	}
	switch {
	case c.r < c.w:
		if c.begun.IsZero() {
			c.begun, c.idleAt = now, time.Time{}
			return c.Conn.SetReadDeadline(now.Add(c.o.HeaderTimeout))
		}
	case answered && now.Sub(c.idleAt) > min(time.Second, c.o.IdleTimeout/4):
		c.idleAt = now
		return c.Conn.SetReadDeadline(now.Add(c.o.IdleTimeout))
	}
	return nil
}
