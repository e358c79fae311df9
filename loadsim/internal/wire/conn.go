package wire

import (
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"
)

// Request is what to send. The client's fixed header lines, Host and Content-Length are added.
type Request struct {
	Method string
	Path   string // escaped, with query
	Header []byte // further header lines, each ending in CR LF
	Body   string // JSON, when not empty
}

// Response is a complete answer. Its slices are valid until the connection is used again or given back.
type Response struct {
	Status      int
	Body        []byte
	ContentType []byte
	Link        [][]byte
	SetCookie   [][]byte
	RetryAfter  []byte
}

func (r *Response) reset() {
	*r = Response{Link: r.Link[:0], SetCookie: r.SetCookie[:0]}
}

// Conn is one connection; one request at a time.
type Conn struct {
	client *Client
	net    net.Conn
	used   time.Time
	buf    *buffer
	n      int  // bytes of buf that are filled
	kept   bool // the last answer was complete and the server keeps the connection
	closed bool
}

// buffer is lent to connections that are in use: idle ones need none.
type buffer struct{ b []byte }

const (
	bufferSize = 8 << 10
	bufferKept = 256 << 10 // a larger one is left to the garbage collector
)

var buffers = sync.Pool{New: func() any { return &buffer{make([]byte, bufferSize)} }}

func (cn *Conn) take() {
	if cn.buf == nil {
		cn.buf = buffers.Get().(*buffer)
	}
	cn.n = 0
}

func (cn *Conn) letGo() {
	if cn.buf != nil && len(cn.buf.b) <= bufferKept {
		buffers.Put(cn.buf)
	}
	cn.buf = nil
}

// Do sends a request and reads the whole answer into res, both before the deadline. After an error the connection is of no
// further use.
func (cn *Conn) Do(req *Request, res *Response, deadline time.Time) error {
	cn.kept = false
	cn.take()
	if err := cn.net.SetDeadline(deadline); err != nil {
		return err
	}
	if err := cn.write(req); err != nil {
		return err
	}
	cn.n = 0
	err := cn.read(res)
	if err == io.EOF && cn.n > 0 {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// Rest gives up the last answer while the connection stays with its user; false when it is good for nothing more.
func (cn *Conn) Rest() bool {
	cn.letGo()
	return cn.kept
}

// Close closes the connection; twice is fine.
func (cn *Conn) Close() {
	if cn.closed {
		return
	}
	cn.closed = true
	cn.letGo()
	_ = cn.net.Close()
	cn.client.forget(cn)
}

// write sends the request in one piece, from the buffer that the answer will be read into.
func (cn *Conn) write(req *Request) error {
	if !plain(req.Path) || req.Path == "" || req.Path[0] != '/' {
		return fmt.Errorf("%w: path %q", ErrRequest, req.Path)
	}
	b := cn.buf.b[:0]
	b = append(b, req.Method...)
	b = append(b, ' ')
	b = append(b, req.Path...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, cn.client.host...)
	b = append(b, "\r\n"...)
	b = append(b, cn.client.o.Head...)
	b = append(b, req.Header...)
	if req.Body != "" {
		b = append(b, "Content-Type: application/json\r\n"...)
	}
	if req.Body != "" || req.Method != "GET" {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, int64(len(req.Body)), 10)
		b = append(b, "\r\n"...)
	}
	b = append(b, "\r\n"...)
	b = append(b, req.Body...)
	if cap(b) > len(cn.buf.b) {
		cn.buf.b = b[:cap(b)]
	}
	_, err := cn.net.Write(b)
	return err
}

// plain says whether a path can stand in a request line.
func plain(path string) bool {
	for i := range len(path) {
		if path[i] <= ' ' || path[i] == 0x7f {
			return false
		}
	}
	return true
}

// more reads what has come, at least one byte, and never lets the answer grow beyond what is allowed.
func (cn *Conn) more() error {
	if cn.n == len(cn.buf.b) {
		if cn.n >= cn.client.o.MaxBody+maxHead {
			return ErrTooLong
		}
		grown := make([]byte, 2*len(cn.buf.b))
		copy(grown, cn.buf.b)
		cn.buf.b = grown
	}
	n, err := cn.net.Read(cn.buf.b[cn.n:])
	cn.n += n
	if n > 0 {
		return nil // what is wrong will be wrong at the next read, too
	}
	return err
}
