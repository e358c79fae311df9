package httpcache

import (
	"bufio"
	"bytes"
	"net/http"
	"testing"
	"time"
)

func visit(target, ae, inm string) *Visit {
	return &Visit{Key: AppendKey(nil, "http", "Example.com", target), AcceptEncoding: ae, IfNoneMatch: inm}
}

// What is served from the wire is what the handler serves.
func TestFastServesTheSame(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Private: func(name string) bool { return name == "X-Inner" }})
	b.answer("body", "Cache-Control", "max-age=60", "Etag", `"x"`, "Vary", "Accept-Encoding", "X-Inner", "1", "X-A", "1", "X-A", "2")
	b.get("/", "Accept-Encoding", "br, gzip")
	b.clock.add(7 * time.Second)
	now := b.clock.now().UnixNano()
	for _, inm := range []string{"", `"x"`, `"y"`} {
		var header []string
		if inm != "" {
			header = []string{"If-None-Match", inm}
		}
		slow := b.get("/", append(header, "Accept-Encoding", "gzip,br")...)
		out, body, status, ok := b.c.AppendFresh([]byte("before|"), visit("/", "gzip , br", inm), now)
		if !ok || status != slow.Code {
			t.Fatalf("%v %d", ok, status)
		}
		res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(append(append(out[7:], "\r\n"...), body...))), nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		for name, want := range slow.Header() {
			if got := res.Header[name]; len(got) != len(want) || got[0] != want[0] {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if len(res.Header) != len(slow.Header()) || string(body) != slow.Body.String() {
			t.Errorf("%v %q, want %v %q", res.Header, body, slow.Header(), slow.Body)
		}
	}
	for name, v := range map[string]*Visit{"variant": visit("/", "gzip", ""), "path": visit("/other", "gzip, br", ""), "large": {Key: visit("/", "", "").Key, AcceptEncoding: "gzip, br", MaxBody: 3}} {
		if _, _, _, ok := b.c.AppendFresh(nil, v, now); ok {
			t.Errorf("%s: served", name)
		}
	}
	if _, _, _, ok := b.c.AppendFresh(nil, visit("/", "gzip, br", ""), now+int64(time.Minute)); ok {
		t.Error("stale: served")
	}
	b.c.PurgeAll(false)
	if _, _, _, ok := b.c.AppendFresh(nil, visit("/", "gzip, br", ""), now); ok {
		t.Error("purged: served")
	}
}

func TestFastDoesNotAllocate(t *testing.T) {
	b := setup(t, Options{})
	b.answer("body", "Cache-Control", "max-age=60", "Vary", "Accept-Encoding", "Surrogate-Key", "a b c")
	b.get("/")
	v, out, now := visit("/", "", ""), make([]byte, 0, 4096), b.clock.now().UnixNano()
	if n := testing.AllocsPerRun(100, func() {
		if _, _, _, ok := b.c.AppendFresh(out, v, now); !ok {
			t.Fatal("not served")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
