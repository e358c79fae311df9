//go:build unix

package wire

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// rawConn is how to get at the descriptor of a connection; nil where there is none, as for a pipe.
func rawConn(c net.Conn) syscall.RawConn {
	s, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// turn reads and answers as long as that needs no waiting, for RawConn.Read, which waits when it returns false. Compared
// with reading from a net.Conn this saves a system call and a half for each request: the write, of which the runtime
// need not know beforehand, and the read that finds nothing yet. That one is left out when the read before did not fill
// the buffer: then there was no more, and what comes later wakes us. What would be missed is a client's end of sending
// that came together with a request; so after the first request of a connection, which often is the only one, it is not
// left out, and later IdleTimeout ends the connection.
func (c *Conn) turn(fd uintptr) (done bool) {
	for {
		c.makeRoom()
		n, err := syscall.Read(int(fd), c.buf[c.w:])
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			return false
		case err != nil:
			c.came = c.failed(err)
			return true
		case n == 0:
			c.came = c.failed(io.EOF)
			return true
		}
		c.w += n
		emptied := c.answered && c.w < len(c.buf)
		if c.came = c.answerAll(int(fd)); c.came != hungry {
			return true
		}
		if err := c.deadline(); err != nil {
			c.came = c.failed(err)
			return true
		}
		if emptied {
			return false
		}
	}
}

// writeSome writes what it can without waiting. What goes wrong it leaves to whoever waits.
func writeSome(fd int, p []byte) (n int) {
	for n < len(p) {
		m, err := syscall.Write(fd, p[n:])
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || m <= 0 {
			break
		}
		n += m
	}
	return n
}
