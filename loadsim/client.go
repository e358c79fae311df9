package loadsim

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/loadsim/internal/wire"
)

// maxAnswer is the most that is read of an answer; a longer one is a wrong body.
const maxAnswer = 8 << 20

// call is one request of a shopper.
type call struct {
	method string
	path   string // with query
	body   string // JSON
	key    string // Idempotency-Key
	accept string // default JSON
}

// response is a complete answer. Its slices are valid until the client's next call, or until it lets go.
type response struct {
	status     int
	body       []byte
	links      [][]byte // values of Link
	retryAfter string
	took       time.Duration
	replayed   bool
}

// client is a shopper's browser: one request at a time, and cookies. Connections are shared with the others, unless it has
// one of its own.
type client struct {
	net       *wire.Client
	transport http.RoundTripper // instead of net
	base      *url.URL
	timeout   time.Duration
	own       bool   // keep one connection
	agent     string // User-Agent
	forgets   bool   // keep no cookies
	cookies   jar

	conn *wire.Conn // in use, or our own
	wire wire.Response
	head []byte
	buf  bytes.Buffer
}

// do sends c and reads the answer. All requests may be repeated, by method or by key, so one whose connection broke is
// sent once more, over a new one; that counts as the same request.
func (cl *client) do(ctx context.Context, c *call) (response, error) {
	begun := time.Now()
	deadline := begun.Add(cl.timeout)
	res, err := cl.once(ctx, c, deadline, false)
	if err != nil && isBroken(err) && ctx.Err() == nil {
		res, err = cl.once(ctx, c, deadline, true)
		res.replayed = true
	}
	res.took = time.Since(begun)
	return res, err
}

func (cl *client) once(ctx context.Context, c *call, deadline time.Time, again bool) (response, error) {
	if cl.transport != nil {
		return cl.roundTrip(ctx, c, deadline)
	}
	if err := cl.connect(ctx, deadline, again); err != nil {
		return response{}, err
	}
	req := wire.Request{Method: c.method, Path: cl.base.EscapedPath() + c.path, Header: cl.header(c), Body: c.body}
	if err := cl.conn.Do(&req, &cl.wire, deadline); err != nil {
		cl.conn.Close()
		cl.conn = nil
		return response{}, err
	}
	if !cl.forgets {
		for _, line := range cl.wire.SetCookie {
			cl.cookies.take(string(line))
		}
	}
	return response{status: cl.wire.Status, body: cl.wire.Body, links: cl.wire.Link, retryAfter: string(cl.wire.RetryAfter)}, nil
}

func (cl *client) connect(ctx context.Context, deadline time.Time, again bool) (err error) {
	switch {
	case cl.conn != nil:
	case again || cl.own:
		cl.conn, err = cl.net.Dial(ctx, deadline)
	default:
		cl.conn, err = cl.net.Get(ctx, deadline)
	}
	return err
}

// letGo gives up what the last answer was read into. Call it when the answer has been looked at.
func (cl *client) letGo() {
	switch {
	case cl.conn == nil:
	case !cl.own:
		cl.net.Put(cl.conn)
		cl.conn = nil
	case !cl.conn.Rest():
		cl.conn.Close()
		cl.conn = nil
	}
}

// leave forgets the session: cookies, and a connection of one's own.
func (cl *client) leave() {
	cl.cookies.clear()
	if cl.conn != nil {
		cl.conn.Close()
		cl.conn = nil
	}
}

// header writes the header lines that differ between shoppers and requests.
func (cl *client) header(c *call) []byte {
	b := append(cl.head[:0], "User-Agent: "...)
	b = append(b, cl.agent...)
	b = append(b, "\r\nAccept: "...)
	b = append(b, acceptOf(c)...)
	b = append(b, "\r\n"...)
	if len(cl.cookies.names) > 0 {
		b = append(b, "Cookie: "...)
		b = cl.cookies.append(b)
		b = append(b, "\r\n"...)
	}
	if c.key != "" {
		b = append(b, "Idempotency-Key: "...)
		b = append(b, c.key...)
		b = append(b, "\r\n"...)
	}
	cl.head = b
	return b
}

func acceptOf(c *call) string {
	if c.accept != "" {
		return c.accept
	}
	return "application/json"
}

// roundTrip is once by way of somebody else's Transport.
func (cl *client) roundTrip(ctx context.Context, c *call, deadline time.Time) (response, error) {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	var body io.Reader
	if c.body != "" {
		body = strings.NewReader(c.body)
	}
	req, err := http.NewRequestWithContext(ctx, c.method, strings.TrimRight(cl.base.String(), "/")+c.path, body)
	if err != nil {
		return response{}, err
	}
	cl.setHeader(req.Header, c)
	res, err := cl.transport.RoundTrip(req)
	if err != nil {
		return response{}, err
	}
	defer func() { _ = res.Body.Close() }()
	if !cl.forgets {
		for _, line := range res.Header["Set-Cookie"] {
			cl.cookies.take(line)
		}
	}
	cl.buf.Reset()
	if n, err := cl.buf.ReadFrom(io.LimitReader(res.Body, maxAnswer+1)); err != nil {
		return response{}, err
	} else if n > maxAnswer {
		return response{}, wire.ErrTooLong
	}
	out := response{status: res.StatusCode, body: cl.buf.Bytes(), retryAfter: res.Header.Get("Retry-After")}
	for _, line := range res.Header["Link"] {
		out.links = append(out.links, []byte(line))
	}
	return out, nil
}

func (cl *client) setHeader(h http.Header, c *call) {
	h.Set("User-Agent", cl.agent)
	h.Set("Accept", acceptOf(c))
	if len(cl.cookies.names) > 0 {
		h.Set("Cookie", string(cl.cookies.append(nil)))
	}
	if c.key != "" {
		h.Set("Idempotency-Key", c.key)
	}
	if c.body != "" {
		h.Set("Content-Type", "application/json")
	}
}

func isEOF(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }
