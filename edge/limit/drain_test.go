package limit

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestLargeBodyIsAnswered has a client that writes its whole body before it reads, as many do: it must get the answer.
func TestLargeBodyIsAnswered(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(Bounds{}.Wrap(http.NotFoundHandler()))
	defer s.Close()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	const size = 6 << 20 // more than the sockets hold
	if _, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6291456\r\n\r\n"+strings.Repeat("x", size)); err != nil {
		t.Fatalf("the connection broke while the body was sent: %v", err)
	}
	b, err := io.ReadAll(c)
	if err != nil || !strings.HasPrefix(string(b), "HTTP/1.1 413 ") {
		t.Fatalf("answered %.100q, %v; want 413", b, err)
	}
}
