package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func soon() time.Time { return time.Now().Add(20 * time.Second) }

func client(t testing.TB, base string, change func(*Options)) *Client {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Base: u, Head: "Accept: application/json\r\n"}
	if change != nil {
		change(&o)
	}
	c := New(o)
	t.Cleanup(c.Close)
	return c
}

// feed is a connection whose answer is already there, in pieces as the reader likes.
type feed struct {
	net.Conn
	r io.Reader
}

func (f *feed) Read(p []byte) (int, error)  { return f.r.Read(p) }
func (f *feed) Write(p []byte) (int, error) { return len(p), nil }
func (f *feed) SetDeadline(time.Time) error { return nil }
func (f *feed) Close() error                { return nil }
func fed(c *Client, r io.Reader) *Conn      { return &Conn{client: c, net: &feed{r: r}} }
func get(cn *Conn, res *Response) error {
	return cn.Do(&Request{Method: "GET", Path: "/"}, res, soon())
}
func answer(body string, lines ...string) string {
	return "HTTP/1.1 200 OK\r\n" + strings.Join(append(lines, "", body), "\r\n")
}

// Against net/http's server, everything a request and an answer are made of arrives.
func TestTalksToNetHTTP(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "1"})
		http.SetCookie(w, &http.Cookie{Name: "b", Value: "2"})
		w.Header().Set("Link", `</next>; rel="next"`)
		w.Header().Set("Retry-After", "7")
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Query().Get("early") != "" {
			w.WriteHeader(http.StatusEarlyHints)
		}
		w.WriteHeader(http.StatusTeapot)
		if r.URL.Query().Get("chunked") != "" {
			http.NewResponseController(w).Flush()
		}
		_, _ = fmt.Fprintf(w, "%s %s %s %s %s", r.Method, r.URL, r.Header.Get("Accept"), r.Header.Get("X"), body)
	}))
	defer s.Close()
	c := client(t, s.URL, nil)
	var res Response
	for i, path := range []string{"/", "/x?chunked=1", "/y?early=1"} {
		cn, err := c.Get(t.Context(), soon())
		if err != nil {
			t.Fatal(err)
		}
		err = cn.Do(&Request{Method: "POST", Path: path, Header: []byte("X: y\r\n"), Body: `{"n":1}`}, &res, soon())
		if want := "POST " + path + ` application/json y {"n":1}`; err != nil || res.Status != 418 || string(res.Body) != want {
			t.Errorf("%s: %v, %d %q", path, err, res.Status, res.Body)
		}
		if string(res.ContentType) != "application/json" || string(res.RetryAfter) != "7" || len(res.Link) != 1 ||
			len(res.SetCookie) != 2 || string(res.SetCookie[1]) != "b=2" {
			t.Errorf("%s: %+v", path, res)
		}
		c.Put(cn)
		if c.Open() != 1 {
			t.Errorf("request %d: %d connections", i, c.Open())
		}
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }))
	defer s.Close()
	c := client(t, s.URL, func(o *Options) { o.TLS = s.Client().Transport.(*http.Transport).TLSClientConfig })
	cn, err := c.Dial(t.Context(), soon())
	if err != nil {
		t.Fatal(err)
	}
	defer cn.Close()
	var res Response
	if err := get(cn, &res); err != nil || string(res.Body) != "HTTP/1.1" {
		t.Errorf("%v %q", err, res.Body)
	}
	if _, err := client(t, s.URL, nil).Dial(t.Context(), soon()); err == nil {
		t.Error("a certificate nobody vouches for was taken")
	}
}

// However an answer is cut into pieces on its way, it is read as net/http reads it.
func TestFramingAgreesWithNetHTTP(t *testing.T) {
	t.Parallel()
	c := client(t, "http://x", nil)
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.SliceOfN(rapid.Byte(), 0, 20_000).Draw(t, "body")
		var raw bytes.Buffer
		if rapid.Bool().Draw(t, "interim") {
			raw.WriteString("HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n")
		}
		raw.WriteString("HTTP/1.1 200 OK\r\nX: y\r\n")
		if rapid.Bool().Draw(t, "chunked") {
			raw.WriteString("transfer-encoding: Chunked\r\n\r\n")
			for rest := body; len(rest) > 0; {
				n := rapid.IntRange(1, len(rest)).Draw(t, "chunk")
				fmt.Fprintf(&raw, "%x;ext=1\r\n%s\r\n", n, rest[:n])
				rest = rest[n:]
			}
			raw.WriteString("0\r\nTrailer: z\r\n\r\n")
		} else {
			fmt.Fprintf(&raw, "Content-Length:%d\r\n\r\n%s", len(body), body)
		}
		var r io.Reader = bytes.NewReader(raw.Bytes())
		if rapid.Bool().Draw(t, "pieces") {
			r = iotest.HalfReader(r)
		}
		cn := fed(c, r)
		var res Response
		if err := get(cn, &res); err != nil || !bytes.Equal(res.Body, body) || !cn.kept || len(res.Link) != 0 {
			t.Fatalf("%v, kept %v, %d bytes of %d", err, cn.kept, len(res.Body), len(body))
		}
	})
}

func TestWhatIsNoAnswer(t *testing.T) {
	t.Parallel()
	c := client(t, "http://x", func(o *Options) { o.MaxBody = 100 })
	for raw, want := range map[string]error{
		"":                                  io.EOF,
		"HTTP/1.1 200 OK\r\n":               io.ErrUnexpectedEOF,
		"HTTP/2 200\r\n\r\n":                ErrProtocol,
		"SSH-2.0-OpenSSH\r\n\r\n":           ErrProtocol,
		"HTTP/1.1 2x0 OK\r\n\r\n":           ErrProtocol,
		answer("abc", "no colon"):           ErrProtocol,
		answer("abc", "Content-Length: -1"): ErrProtocol,
		answer("abc", "Content-Length: 3", "Content-Length: 4"):           ErrProtocol,
		answer("abc", "Content-Length: 4"):                                io.ErrUnexpectedEOF,
		answer("abc", "Content-Length: 101"):                              ErrTooLong,
		answer(strings.Repeat("x", 1<<20)):                                ErrTooLong,
		"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20):             ErrTooLong,
		answer("zz\r\n", "Transfer-Encoding: chunked"):                    ErrProtocol,
		answer("3\r\nabcd\r\n", "Transfer-Encoding: chunked"):             ErrProtocol,
		answer("ffffff\r\n", "Transfer-Encoding: chunked"):                ErrTooLong,
		answer("ffffffffffffffffff\r\n", "Transfer-Encoding: chunked"):    ErrProtocol,
		answer("3\r\nabc\r\n", "Transfer-Encoding: chunked"):              io.ErrUnexpectedEOF,
		answer("3\r\nabc\r\n0\r\n\r\n", "Transfer-Encoding: gzip"):        ErrProtocol,
		answer(strings.Repeat("1", 10_000), "Transfer-Encoding: chunked"): ErrProtocol,
	} {
		cn := fed(c, strings.NewReader(raw))
		if err := get(cn, new(Response)); !errors.Is(err, want) || cn.kept {
			t.Errorf("%.60q: %v, want %v; kept %v", raw, err, want, cn.kept)
		}
	}
}

func TestWhenAConnectionIsKept(t *testing.T) {
	t.Parallel()
	c := client(t, "http://x", nil)
	for raw, kept := range map[string]bool{
		answer("abc", "Content-Length: 3"):                                       true,
		answer("abc", "Content-Length: 3", "Connection: close"):                  false,
		answer("abc", "Content-Length: 3", "Connection: x, Close"):               false,
		answer("abcd", "Content-Length: 3"):                                      false,
		answer("abc"):                                                            false,
		"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n":                           false,
		"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n": true,
		"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n":                true,
		"HTTP/1.1 204 No Content\r\n\r\n":                                        true,
	} {
		cn := fed(c, strings.NewReader(raw))
		if err := get(cn, new(Response)); err != nil || cn.kept != kept {
			t.Errorf("%q: %v, kept %v", raw, err, cn.kept)
		}
	}
}

func TestRequestsThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	c := client(t, "http://x", nil)
	for _, path := range []string{"", "x", "/a b", "/a\r\nX: y", "/\x7f"} {
		if err := fed(c, strings.NewReader("")).Do(&Request{Method: "GET", Path: path}, new(Response), soon()); !errors.Is(err, ErrRequest) {
			t.Errorf("%q: %v", path, err)
		}
	}
}

// A time limit holds, and closing ends what is on its way.
func TestDeadlineAndClose(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{}, 2)
	done := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-done
	}))
	defer s.Close()
	defer close(done)
	c := client(t, s.URL, nil)
	cn, err := c.Get(t.Context(), soon())
	if err != nil {
		t.Fatal(err)
	}
	var ne net.Error
	if err := cn.Do(&Request{Method: "GET", Path: "/"}, new(Response), time.Now().Add(30*time.Millisecond)); !errors.As(err, &ne) || !ne.Timeout() {
		t.Errorf("%v", err)
	}
	c.Put(cn)
	if c.Open() != 0 {
		t.Error("a connection with half an answer was kept")
	}
	if cn, err = c.Get(t.Context(), soon()); err != nil {
		t.Fatal(err)
	}
	<-arrived
	go func() {
		<-arrived
		c.Close()
		c.Close()
	}()
	if err := get(cn, new(Response)); err == nil {
		t.Error("no error")
	}
	if _, err := c.Dial(t.Context(), soon()); !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
}

func TestIdleConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer s.Close()
	c := client(t, s.URL, func(o *Options) { o.Idle = 2; o.Stale = time.Hour })
	var all []*Conn
	for range 5 {
		cn, err := c.Get(t.Context(), soon())
		if err != nil {
			t.Fatal(err)
		}
		if err := get(cn, new(Response)); err != nil {
			t.Fatal(err)
		}
		all = append(all, cn)
	}
	for _, cn := range all {
		c.Put(cn)
	}
	if c.Open() != 2 {
		t.Errorf("%d connections", c.Open())
	}
	c.o.Stale = time.Nanosecond
	cn, err := c.Get(t.Context(), soon())
	if err != nil || cn == all[0] || cn == all[1] || c.Open() != 2 {
		t.Errorf("a stale connection was taken: %v, %d open", err, c.Open())
	}
	cn.Close()
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{answer("abc", "Content-Length: 3"), answer("3\r\nabc\r\n0\r\n\r\n", "Transfer-Encoding: chunked"), "HTTP/1.1 100 x\r\n\r\nHTTP/1.0 204 \r\n\r\n"} {
		f.Add([]byte(s))
	}
	u, _ := url.Parse("http://x")
	f.Fuzz(func(t *testing.T, raw []byte) {
		cn := fed(New(Options{Base: u, MaxBody: 1 << 16}), bytes.NewReader(raw))
		var res Response
		if err := get(cn, &res); err != nil {
			return
		}
		std, err := http.ReadResponse(newReader(raw), nil)
		if err != nil {
			return // net/http is stricter about names and values that we do not read
		}
		for std.StatusCode < 200 && std.StatusCode != 101 {
			return // it hands interim answers out, too
		}
		want, err := io.ReadAll(std.Body)
		if err == nil && (std.StatusCode != res.Status || !bytes.Equal(want, res.Body)) {
			t.Fatalf("%d %q, net/http %d %q", res.Status, res.Body, std.StatusCode, want)
		}
	})
}
