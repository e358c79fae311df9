package wire

import (
	"bytes"
	"errors"
	"io"
	"strconv"
)

const maxHead = 64 << 10

var headEnd = []byte("\r\n\r\n")

// framing is how an answer's body ends.
type framing struct {
	length  int // -1 unknown
	chunked bool
	close   bool
}

// read reads one answer; interim ones (1xx) are passed over.
func (cn *Conn) read(res *Response) error {
	at := 0
	for {
		end, err := cn.head(at)
		if err != nil {
			return err
		}
		res.reset()
		f, err := parseHead(cn.buf.b[at:end], res)
		if err != nil {
			return err
		}
		at = end
		if res.Status >= 200 || res.Status == 101 {
			return cn.body(res, f, at)
		}
	}
}

// head reads until the head that begins at has come, and returns where it ends.
func (cn *Conn) head(at int) (int, error) {
	from := at
	for {
		if i := bytes.Index(cn.buf.b[from:cn.n], headEnd); i >= 0 {
			return from + i + len(headEnd), nil
		}
		if cn.n-at > maxHead {
			return 0, ErrTooLong
		}
		from = max(at, cn.n-len(headEnd)+1)
		if err := cn.more(); err != nil {
			return 0, err
		}
	}
}

func parseHead(head []byte, res *Response) (framing, error) {
	line, rest := nextLine(head)
	// "HTTP/1.1 200 OK"
	if len(line) < 12 || string(line[:7]) != "HTTP/1." || line[8] != ' ' || len(line) > 12 && line[12] != ' ' {
		return framing{}, ErrProtocol
	}
	status, err := strconv.Atoi(string(line[9:12]))
	if err != nil || status < 100 {
		return framing{}, ErrProtocol
	}
	res.Status = status
	f := framing{length: -1, close: line[7] == '0'}
	for len(rest) > 2 {
		line, rest = nextLine(rest)
		colon := bytes.IndexByte(line, ':')
		if colon <= 0 {
			return framing{}, ErrProtocol
		}
		if err := f.field(line[:colon], bytes.Trim(line[colon+1:], " \t"), res); err != nil {
			return framing{}, err
		}
	}
	return f, nil
}

// nextLine cuts off a line, without its CR LF.
func nextLine(b []byte) (line, rest []byte) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return b, nil
	}
	return bytes.TrimSuffix(b[:i], []byte("\r")), b[i+1:]
}

// field notes what is wanted of a header field. The length of its name tells most fields apart.
func (f *framing) field(name, value []byte, res *Response) error {
	switch len(name) {
	case len("Link"):
		if is(name, "link") {
			res.Link = append(res.Link, value)
		}
	case len("Connection"): // and Set-Cookie
		if is(name, "set-cookie") {
			res.SetCookie = append(res.SetCookie, value)
		} else if is(name, "connection") {
			f.close = has(value, "close") || f.close && !has(value, "keep-alive")
		}
	case len("Retry-After"):
		if is(name, "retry-after") {
			res.RetryAfter = value
		}
	case len("Content-Type"):
		if is(name, "content-type") {
			res.ContentType = value
		}
	case len("Content-Length"):
		if is(name, "content-length") {
			n, err := strconv.Atoi(string(value))
			if err != nil || n < 0 || f.length >= 0 && f.length != n {
				return ErrProtocol
			}
			f.length = n
		}
	case len("Transfer-Encoding"):
		if is(name, "transfer-encoding") {
			if !is(value, "chunked") {
				return ErrProtocol
			}
			f.chunked = true
		}
	}
	return nil
}

// is compares without regard to case; want is in lower case.
func is(got []byte, want string) bool {
	if len(got) != len(want) {
		return false
	}
	for i := range want {
		c := got[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != want[i] {
			return false
		}
	}
	return true
}

// has says whether a list of tokens has one.
func has(list []byte, token string) bool {
	for part := range bytes.SplitSeq(list, []byte(",")) {
		if is(bytes.Trim(part, " \t"), token) {
			return true
		}
	}
	return false
}

// body reads the body that begins at, and decides whether the connection is good for another request.
func (cn *Conn) body(res *Response, f framing, at int) error {
	end := at
	switch {
	case res.Status == 204 || res.Status == 304 || res.Status == 101:
	case f.chunked:
		length, after, err := cn.chunks(at)
		if err != nil {
			return err
		}
		res.Body, end = cn.buf.b[at:at+length], after
	case f.length > cn.client.o.MaxBody:
		return ErrTooLong
	case f.length >= 0:
		end = at + f.length
		for cn.n < end {
			if err := cn.more(); err != nil {
				return err
			}
		}
		res.Body = cn.buf.b[at:end]
	default:
		for f.close = true; ; {
			if err := cn.more(); err != nil && !errors.Is(err, io.EOF) {
				return err
			} else if err != nil {
				break
			}
		}
		res.Body, end = cn.buf.b[at:cn.n], cn.n
	}
	// More bytes than the answer has are nobody's: do not take them for the next one.
	cn.kept = !f.close && cn.n == end && res.Status != 101
	return nil
}
