package edge

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/edge/internal/wire"
)

// TestHitsDoNotAllocate, however they are let in, observed and revalidated: with a hundred thousand a second the collector would hardly
// rest, on the one processor that answers them.
func TestHitsDoNotAllocate(t *testing.T) {
	a := tcpBackend(t, "a")
	a.handle(product)
	o := cached(Options{})
	admitted, observed := 0, 0
	o.Admit = func(v *Visit) bool {
		if v.Target == "/p" && v.Cookie() == "sid=1" && v.Client == netip.MustParseAddr("192.0.2.1") {
			admitted++
		}
		return true
	}
	o.Observe = func(Answered) { observed++ }
	o.Validators = func(tags string) string { return tags }
	s := start(t, o, a)
	s.do(t, "GET", "/p", "")
	request := "GET /p HTTP/1.1\r\nHost: " + s.addr + "\r\nCookie: sid=1\r\nAccept-Encoding: gzip\r\n"
	f, h, out, now := &fast{e: s.Edge}, &wire.Head{}, make([]byte, 0, 4096), time.Now()
	for _, condition := range []string{"", "If-None-Match: \"1\"\r\n", "If-None-Match: \"2\"\r\n"} {
		admitted, observed = 0, 0
		raw := []byte(request + condition + "\r\n")
		n := testing.AllocsPerRun(100, func() {
			if wire.Parse(raw, h) != wire.OK {
				t.Fatal("not understood")
			}
			if _, _, ok := f.Answer(h, netip.MustParseAddr("192.0.2.1"), now, out[:0]); !ok {
				t.Fatal("not answered")
			}
		})
		if n > 0 || admitted != 101 || observed != 101 {
			t.Errorf("%q: %v allocations, %d admitted, %d observed", condition, n, admitted, observed)
		}
	}
}
