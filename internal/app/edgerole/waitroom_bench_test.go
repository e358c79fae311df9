package edgerole

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/local/localtest"
)

// BenchmarkCrowd is what the edge spends on somebody who waits, with what the client of this benchmark spends: a look at the place, a cart
// that gets none, a page that is refused since the edge lacks processor time, and, to compare, one that is passed on.
func BenchmarkCrowd(b *testing.B) {
	n := shopEdge(b, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, func(c *config.Config) {
		c.Edge.Waitroom.Doors = []config.DoorsConfig{{Name: "lamps", Products: []int64{7}, Opens: time.Now().Add(time.Hour), Before: 2 * time.Hour}}
		c.Edge.Limits = "off"
	})
	b.Cleanup(n.runRooms(context.Background()))
	localtest.Eventually(b, "the room is open", func() bool { return n.rooms.Open() })
	starved := shopEdge(b, http.NotFound, func(c *config.Config) { c.Edge.Admission.Slack = time.Nanosecond })
	localtest.Eventually(b, "all newcomers are refused", func() bool {
		(visitor{}).call(starved, "GET", "/cart", "")
		return starved.stats().Admission.Need >= 2
	})
	v := visitor{}
	v.call(n, "GET", "/queue?room=lamps", "")
	cookies := "Cookie: sid=" + v["sid"] + "; place-lamps=" + v["place-lamps"] + "\r\n"
	for _, c := range []struct {
		name string
		edge *Node
		line string
		body string
		want int
	}{
		{"look", n, "GET /queue", "", http.StatusOK}, {"cart", n, "POST /cart/add", `{"product_id":7,"quantity":1}`, http.StatusServiceUnavailable},
		{"refused", starved, "GET /cart", "", http.StatusServiceUnavailable}, {"passed", n, "GET /cart", "", http.StatusNoContent},
	} {
		b.Run(c.name, func(b *testing.B) {
			text := c.line + " HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\nUser-Agent: bench\r\n" + cookies
			if c.edge == starved {
				text = strings.Replace(text, cookies, "", 1)
			}
			if c.body != "" {
				text += "Content-Type: application/json\r\nContent-Length: 29\r\n"
			}
			askOver(b, c.edge, text+"\r\n"+c.body, c.want)
		})
	}
}

// askOver sends the same request again and again over one connection.
func askOver(b *testing.B, n *Node, text string, want int) {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	served := make(chan error, 1)
	srv := &http.Server{Handler: n}
	go func() { served <- srv.Serve(l) }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	in := bufio.NewReader(conn)
	ask := func() int {
		if _, err := io.WriteString(conn, text); err != nil {
			b.Fatal(err)
		}
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		return res.StatusCode
	}
	b.ReportAllocs()
	for b.Loop() {
		if got := ask(); got != want {
			b.Fatal(got)
		}
	}
	_ = conn.Close()
	_ = srv.Close()
	<-served
}
