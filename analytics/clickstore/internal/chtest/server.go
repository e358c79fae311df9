// Package chtest is a small server of ClickHouse's native protocol for tests: it greets, reads queries and blocks, answers with blocks and
// exceptions, and breaks off where it is told to. What queries mean is an [Engine]'s business.
package chtest

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/compress"
	"github.com/ClickHouse/ch-go/proto"
)

// Query is what a client asked.
type Query struct {
	proto.Query
	Database, User, Password string
}

// Setting is the value of one of the query's settings; "" for none.
func (q Query) Setting(key string) string {
	for _, s := range q.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

// Engine knows what queries mean. A *ch.Exception is sent to the client as it is. Calls may come at the same time.
type Engine interface {
	// Columns are what an INSERT wants to have: a block without rows.
	Columns(q Query) (proto.Results, error)
	Insert(q Query, block proto.Results) error
	// Run answers with blocks; none for statements that yield nothing.
	Run(ctx context.Context, q Query) ([]proto.Input, error)
}

// Fault is how the server fails at a query.
type Fault int

// Faults.
const (
	None   Fault = iota
	Before       // the connection breaks off before the query is carried out
	After        // it breaks off after that, and before the answer
	Hang         // nothing comes back any more
)

// Server is one for a test.
type Server struct {
	Engine Engine

	mu      sync.Mutex
	ln      net.Listener
	addr    string
	conns   map[net.Conn]bool
	fail    func(Query) Fault
	queries []Query
	wg      sync.WaitGroup
}

// Start starts a server that ends with the test.
func Start(t testing.TB, e Engine) *Server {
	t.Helper()
	s := &Server{Engine: e, addr: "127.0.0.1:0", conns: map[net.Conn]bool{}}
	s.Up(t)
	t.Cleanup(s.Down)
	return s
}

// Up listens, at the same address each time.
func (s *Server) Up(t testing.TB) {
	t.Helper()
	ln, err := net.Listen("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.ln, s.addr = ln, ln.Addr().String()
	s.mu.Unlock()
	s.wg.Go(func() { s.accept(ln) })
}

// Down breaks off everything and listens no more.
func (s *Server) Down() {
	s.mu.Lock()
	_ = s.ln.Close()
	for c := range s.conns {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

// Addr is host:port.
func (s *Server) Addr() string { return s.addr }

// Fail makes queries fail as f says, until it is called again; nil: none does.
func (s *Server) Fail(f func(Query) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = f
}

// Queries are those that came, in their order.
func (s *Server) Queries() []Query {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Query(nil), s.queries...)
}

func (s *Server) accept(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns[c] = true
		s.mu.Unlock()
		s.wg.Go(func() {
			_ = (&session{s: s, conn: c, r: proto.NewReader(c)}).serve() // a client that goes away is none of the test's business
			_ = c.Close()
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
		})
	}
}

// session is one connection.
type session struct {
	s     *Server
	conn  net.Conn
	r     *proto.Reader
	buf   proto.Buffer
	hello proto.ClientHello
	ver   int
	zip   bool // blocks are compressed
}

var errFault = errors.New("broken off by the test")

func (c *session) serve() error {
	if err := c.greet(); err != nil {
		return err
	}
	for {
		code, err := c.r.UVarInt()
		if err != nil {
			return err
		}
		switch proto.ClientCode(code) {
		case proto.ClientCodePing:
			proto.ServerCodePong.Encode(&c.buf)
			err = c.flush()
		case proto.ClientCodeQuery:
			err = c.query()
		default:
			return nil // cancelled
		}
		if err != nil {
			return err
		}
	}
}

func (c *session) greet() error {
	if code, err := c.r.UVarInt(); err != nil || proto.ClientCode(code) != proto.ClientCodeHello {
		return errors.Join(err, io.ErrUnexpectedEOF)
	}
	if err := c.hello.Decode(c.r); err != nil {
		return err
	}
	c.ver = min(c.hello.ProtocolVersion, proto.Version)
	hello := proto.ServerHello{Name: "chtest", Major: 26, Minor: 7, Revision: c.ver, Timezone: "UTC", DisplayName: "chtest"}
	hello.EncodeAware(&c.buf, c.ver)
	if err := c.flush(); err != nil {
		return err
	}
	if proto.FeatureAddendum.In(c.ver) {
		_, err := c.r.Str() // quota key
		return err
	}
	return nil
}

func (c *session) flush() error {
	_, err := c.conn.Write(c.buf.Buf)
	c.buf.Reset()
	return err
}

func (c *session) query() error {
	q := Query{Database: c.hello.Database, User: c.hello.User, Password: c.hello.Password}
	if err := q.DecodeAware(c.r, c.ver); err != nil {
		return err
	}
	c.zip = q.Compression == proto.CompressionEnabled
	if _, err := c.block(nil); err != nil { // the end of tables that come with the query
		return err
	}
	c.s.mu.Lock()
	c.s.queries = append(c.s.queries, q)
	fault := None
	if c.s.fail != nil {
		fault = c.s.fail(q)
	}
	c.s.mu.Unlock()
	err := c.answer(q, fault)
	var wrong *ch.Exception
	if errors.As(err, &wrong) {
		proto.ServerCodeException.Encode(&c.buf)
		e := proto.Exception{Code: wrong.Code, Name: wrong.Name, Message: wrong.Message}
		e.EncodeAware(&c.buf, c.ver)
		return c.flush()
	}
	if err != nil {
		return err
	}
	proto.ServerCodeEndOfStream.Encode(&c.buf)
	return c.flush()
}

func (c *session) answer(q Query, fault Fault) error {
	switch fault {
	case Before:
		return errFault
	case Hang:
		_, _ = io.Copy(io.Discard, c.conn)
		return errFault
	}
	var err error
	if strings.HasPrefix(q.Body, "INSERT") && !strings.Contains(q.Body, "SELECT") {
		err = c.insert(q)
	} else {
		err = c.run(q)
	}
	if err == nil && fault == After {
		return errFault
	}
	return err
}

func (c *session) run(q Query) error {
	blocks, err := c.s.Engine.Run(context.Background(), q)
	if err != nil {
		return err
	}
	for _, b := range blocks {
		if err := c.send(b); err != nil {
			return err
		}
	}
	return nil
}

// insert reads blocks until an empty one, and carries all of them out as one.
func (c *session) insert(q Query) error {
	want, err := c.s.Engine.Columns(q)
	if err != nil {
		return err
	}
	if err := c.send(Input(want)); err != nil {
		return err
	}
	rows := 0
	for {
		b, err := c.block(want)
		if err != nil {
			return err
		}
		if b.End() {
			break
		}
		if rows += b.Rows; rows != b.Rows {
			return errors.New("more than one block")
		}
	}
	return c.s.Engine.Insert(q, want)
}

// block reads a packet with a block.
func (c *session) block(into proto.Results) (b proto.Block, err error) {
	code, err := c.r.UVarInt()
	if err != nil || proto.ClientCode(code) != proto.ClientCodeData {
		return b, errors.Join(err, io.ErrUnexpectedEOF)
	}
	var data proto.ClientData
	if err := data.DecodeAware(c.r, c.ver); err != nil {
		return b, err
	}
	if c.zip {
		c.r.EnableCompression()
		defer c.r.DisableCompression()
	}
	if into == nil {
		return b, b.DecodeBlock(c.r, c.ver, nil)
	}
	return b, b.DecodeBlock(c.r, c.ver, into)
}

// send writes a packet with a block.
func (c *session) send(in proto.Input) error {
	proto.ServerCodeData.Encode(&c.buf)
	c.buf.PutString("")
	start := len(c.buf.Buf)
	b := proto.Block{Info: proto.BlockInfo{BucketNum: -1}, Columns: len(in), Rows: in[0].Data.Rows()}
	if err := b.EncodeBlock(&c.buf, c.ver, in); err != nil {
		return err
	}
	if c.zip {
		w := compress.NewWriter(compress.LevelZero, compress.LZ4)
		if err := w.Compress(c.buf.Buf[start:]); err != nil {
			return err
		}
		c.buf.Buf = append(c.buf.Buf[:start], w.Data...)
	}
	return c.flush()
}

// Input is a result as what it can be made of.
func Input(results proto.Results) (in proto.Input) {
	for _, r := range results {
		in = append(in, proto.InputColumn{Name: r.Name, Data: r.Data.(proto.ColInput)})
	}
	return in
}
