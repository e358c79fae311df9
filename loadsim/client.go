package loadsim

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxAnswer is the most that is read of an answer; a longer one is a wrong body.
const maxAnswer = 8 << 20

// call is one request of a shopper.
type call struct {
	method string
	path   string // with query
	body   string // JSON
	key    string // Idempotency-Key
}

// response is a complete answer. body is valid until the client's next call.
type response struct {
	status   int
	header   http.Header
	body     []byte
	took     time.Duration
	replayed bool
}

// client is a shopper's browser: one request at a time, cookies, connections shared with the others.
type client struct {
	base      *url.URL
	transport http.RoundTripper
	timeout   time.Duration
	cookies   jar
	buf       bytes.Buffer
}

func newTransport(users int) *http.Transport {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	return &http.Transport{
		DialContext:         dialer.DialContext,
		DisableCompression:  true, // what is measured is the shop, not our unzipping
		MaxIdleConns:        0,
		MaxIdleConnsPerHost: users + 8,
		IdleConnTimeout:     90 * time.Second,
		ReadBufferSize:      16 << 10,
		TLSHandshakeTimeout: 5 * time.Second,
	}
}

// do sends c and reads the answer. All requests may be repeated, by method or by key, so one whose connection broke is
// sent once more; that counts as the same request.
func (cl *client) do(ctx context.Context, c call) (response, error) {
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, cl.timeout)
	defer cancel()
	res, err := cl.once(ctx, c)
	if err != nil && isBroken(err) && ctx.Err() == nil {
		res, err = cl.once(ctx, c)
		res.replayed = true
	}
	res.took = time.Since(begun)
	return res, err
}

func (cl *client) once(ctx context.Context, c call) (response, error) {
	req, err := cl.request(ctx, c)
	if err != nil {
		return response{}, err
	}
	res, err := cl.transport.RoundTrip(req)
	if err != nil {
		return response{}, err
	}
	defer func() { _ = res.Body.Close() }()
	cl.cookies.take(res.Header)
	cl.buf.Reset()
	if _, err := cl.buf.ReadFrom(io.LimitReader(res.Body, maxAnswer)); err != nil {
		return response{}, err
	}
	return response{status: res.StatusCode, header: res.Header, body: cl.buf.Bytes()}, nil
}

func (cl *client) request(ctx context.Context, c call) (*http.Request, error) {
	path, query, _ := strings.Cut(c.path, "?")
	u := *cl.base
	unescaped, err := url.PathUnescape(path)
	if err != nil {
		return nil, err
	}
	u.Path, u.RawPath, u.RawQuery = cl.base.Path+unescaped, "", query
	req := &http.Request{Method: c.method, URL: &u, Host: u.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: make(http.Header, 4)}
	req.Header["Accept"] = []string{"application/json"}
	req.Header["User-Agent"] = []string{"stampede-load"}
	if cookie := cl.cookies.header(); cookie != "" {
		req.Header["Cookie"] = []string{cookie}
	}
	if c.key != "" {
		req.Header["Idempotency-Key"] = []string{c.key}
	}
	if c.body != "" {
		req.Header["Content-Type"] = []string{"application/json"}
		req.ContentLength = int64(len(c.body))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(c.body)), nil }
		req.Body, _ = req.GetBody()
	}
	return req.WithContext(ctx), nil
}

func isEOF(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// newKey makes an idempotency key. It must be new in every run, whatever the seed.
func newKey() string {
	var b [16]byte
	for i := 0; i < len(b); i += 8 {
		v := rand.Uint64()
		for j := range 8 {
			b[i+j] = byte(v >> (8 * j))
		}
	}
	return hex.EncodeToString(b[:])
}
