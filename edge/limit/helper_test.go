package limit

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newLimiter(t testing.TB, o Options) *Limiter {
	t.Helper()
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// from is a request of a client; header is name, value, name, value.
func from(addr, method string, header ...string) *http.Request {
	r := httptest.NewRequest(method, "/products", nil)
	r.RemoteAddr = addr
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

func prefixes(s ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range s {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// admitted counts how many of n requests pass.
func admitted(l *Limiter, r *http.Request, n int) int {
	ok := 0
	for range n {
		if l.Decide(r).Admitted {
			ok++
		}
	}
	return ok
}
