package edge

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/edge/internal/wire"
)

// hitPages are what an origin of FuzzHits keeps for an hour, and by which request headers each varies.
var hitPages = map[string]string{
	"/p": "", "/p?a=1&b=2": "", "/coded": "Accept-Encoding", "/tongue": "Accept-Language, Accept-Encoding", "/whose": "X-Forwarded-For",
	"/where": "X-Forwarded-Host, X-Forwarded-Proto", "/who": "X-Request-Id, User-Agent", "/inner": "Stampede-Op, Surrogate-Capability", "/odd": "Host, Pragma, Cookie",
}

// hitSeeds are conversations; each is also a test of its own.
var hitSeeds = []struct {
	in   string
	fast bool // something of it may be answered without net/http
}{
	{"GET /p HTTP/1.1\r\nHost: x\r\n\r\nHEAD /p HTTP/1.1\r\nHost: X\r\nIf-None-Match: \"1\"\r\n\r\nGET /p HTTP/1.1\r\nHost: x\r\n\r\n", true},
	{"GET /p?b=2&a=1 HTTP/1.1\r\nHost: x\r\n\r\nGET /p?a=1&b=2 HTTP/1.1\r\nHost: x\r\nIf-None-Match: W/\"1\", \"2\"\r\n\r\n", true},
	{"GET /coded HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip, br;q=0\r\n\r\nGET /coded HTTP/1.1\r\nHost: x\r\n\r\nGET /coded HTTP/1.1\r\nHost: x\r\nAccept-Encoding: GZIP\r\n\r\n", true},
	{"GET /tongue HTTP/1.1\r\nHost: x\r\nAccept-Language: de, en;q=0.5\r\n\r\nGET /tongue HTTP/1.1\r\nHost: x\r\naccept-language:en;q=0.5 ,de\r\n\r\n", true},
	{"GET /whose HTTP/1.1\r\nHost: x\r\n\r\nGET /whose HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.1\r\n\r\nGET /whose HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 198.51.100.7\r\n\r\n", false},
	{"GET /where HTTP/1.1\r\nHost: x\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: x\r\n\r\nGET /where HTTP/1.1\r\nHost: x\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: y\r\n\r\n", false},
	{"GET /who HTTP/1.1\r\nHost: x\r\nX-Request-Id: mine\r\nUser-Agent: a\r\n\r\nGET /who HTTP/1.1\r\nHost: x\r\nUser-Agent: a\r\n\r\n", true},
	{"GET /inner HTTP/1.1\r\nHost: x\r\nStampede-Op: 1\r\n\r\nGET /inner HTTP/1.1\r\nHost: x\r\nSurrogate-Capability: z\r\n\r\n", false},
	{"GET /odd HTTP/1.1\r\nHost: x\r\nPragma: no-cache\r\nCookie: a=b\r\n\r\nGET /odd HTTP/1.1\r\nHost: x\r\nCache-Control: no-store\r\n\r\n", false},
}

// hitFuzz is an edge that is asked in both ways.
type hitFuzz struct {
	s    *setup
	fast *fast
}

func newHitFuzz(t testing.TB) *hitFuzz {
	t.Helper()
	a := tcpBackend(t, "a")
	a.handle(func(w http.ResponseWriter, r *http.Request) {
		vary, there := hitPages[r.URL.RequestURI()]
		if !there {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", "public, max-age=3600")
		w.Header().Set("Etag", `"1"`)
		w.Header().Set("X-Inner", r.Header.Get("Stampede-Op"))
		for name := range strings.SplitSeq(vary, ", ") {
			if vary != "" {
				w.Header().Add("Vary", name)
				_, _ = fmt.Fprintf(w, "%s is %q, ", name, r.Header[name])
			}
		}
		_, _ = io.WriteString(w, "hello")
	})
	s := start(t, cached(Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}), a)
	return &hitFuzz{s, &fast{e: s.Edge}}
}

// slow asks as net/http would.
func (f *hitFuzz) slow(t testing.TB, raw []byte, peer netip.Addr) *http.Response {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil {
		t.Fatalf("net/http refuses %q: %v", raw, err)
	}
	r.RemoteAddr = netip.AddrPortFrom(peer, 4000).String()
	w := httptest.NewRecorder()
	f.s.ServeHTTP(w, r)
	return w.Result()
}

// agree has what is said on a connection answered by both ways; each request that the fast one answers comes out as the other has it.
func (f *hitFuzz) agree(t testing.TB, in []byte, peer netip.Addr) (answered int) {
	t.Helper()
	var h wire.Head
	for len(in) > 0 && wire.Parse(in, &h) == wire.OK && int64(len(in)) >= int64(h.Size)+h.Body {
		raw := in[:h.Size]
		if in = in[int64(h.Size)+h.Body:]; !h.Plain {
			continue
		}
		out, closing, ok := f.fast.Answer(&h, peer, time.Now(), []byte("before"))
		if !ok {
			if string(out) != "before" {
				t.Fatalf("%q: left to net/http, with %q said already", raw, out)
			}
			if _, kept := hitPages[string(h.Target)]; kept {
				f.slow(t, raw, peer) // from now on it may be a hit
			}
			continue
		}
		answered++
		rd := bufio.NewReader(bytes.NewReader(out[len("before"):]))
		got, err := http.ReadResponse(rd, &http.Request{Method: string(h.Method)})
		if err != nil || closing {
			t.Fatalf("%q: %q: %v", raw, out, err)
		}
		compareHits(t, raw, got, f.slow(t, raw, peer))
		if rd.Buffered() > 0 {
			t.Fatalf("%q: more than an answer: %q", raw, out)
		}
	}
	return answered
}

func compareHits(t testing.TB, raw []byte, got, want *http.Response) {
	t.Helper()
	body, err := io.ReadAll(got.Body)
	wanted, _ := io.ReadAll(want.Body)
	if err != nil || got.StatusCode != want.StatusCode || string(body) != string(wanted) {
		t.Fatalf("%q: %d %q (%v), by net/http %d %q", raw, got.StatusCode, body, err, want.StatusCode, wanted)
	}
	if status := want.Header.Get("Cache-Status"); !strings.HasPrefix(status, "stampede; hit; ttl=") {
		t.Fatalf("%q: a hit, by net/http %s", raw, status)
	}
	for _, h := range []http.Header{got.Header, want.Header} {
		for _, name := range []string{"Age", "Cache-Status", "Server-Timing", "X-Request-Id"} { // new in each
			if len(h[name]) != 1 {
				t.Fatalf("%q: %s is %q", raw, name, h[name])
			}
			h.Del(name)
		}
	}
	if !maps.EqualFunc(got.Header, want.Header, slices.Equal) {
		t.Fatalf("%q: %v, by net/http %v", raw, got.Header, want.Header)
	}
}

// hitPeers are two clients, and a proxy that is believed.
var hitPeers = []netip.Addr{netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("203.0.113.5"), netip.MustParseAddr("192.0.2.9")}

func FuzzHits(f *testing.F) {
	for _, seed := range hitSeeds {
		for who := range hitPeers {
			f.Add([]byte(seed.in), byte(who))
		}
	}
	both := newHitFuzz(f)
	f.Fuzz(func(t *testing.T, in []byte, who byte) { both.agree(t, in, hitPeers[int(who)%len(hitPeers)]) })
}

// What one has asked for is there for the others, of each conversation at least in part; none gets an answer that was chosen for another.
func TestHitsAgree(t *testing.T) {
	t.Parallel()
	both := newHitFuzz(t)
	for _, seed := range hitSeeds {
		hits := 0
		for range 2 {
			for _, who := range hitPeers {
				hits += both.agree(t, []byte(seed.in), who)
			}
		}
		if hits > 0 != seed.fast {
			t.Errorf("%q: %d hits", seed.in, hits)
		}
	}
}
