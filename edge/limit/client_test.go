package limit

import (
	"net/http"
	"testing"
)

func TestClientAddr(t *testing.T) {
	t.Parallel()
	trusted := prefixes("10.0.0.0/8", "2001:db8:1::/48")
	for _, c := range []struct {
		name, peer, want string
		header           []string
	}{
		{"peer", "192.0.2.1:5", "192.0.2.1", nil},
		{"peer that is not trusted", "192.0.2.1:5", "192.0.2.1", []string{"X-Forwarded-For", "203.0.113.9"}},
		{"no port", "192.0.2.1", "192.0.2.1", nil},
		{"mapped", "[::ffff:192.0.2.1]:5", "192.0.2.1", nil},
		{"socket", "@", "invalid IP", nil},
		{"one hop", "10.0.0.1:5", "203.0.113.9", []string{"X-Forwarded-For", "203.0.113.9"}},
		{"forged on the left", "10.0.0.1:5", "203.0.113.9", []string{"X-Forwarded-For", "127.0.0.1, 203.0.113.9"}},
		{"two trusted hops", "10.0.0.1:5", "203.0.113.9", []string{"X-Forwarded-For", "1.1.1.1, 203.0.113.9 , 10.9.9.9"}},
		{"two header lines", "10.0.0.1:5", "203.0.113.9", []string{"X-Forwarded-For", "203.0.113.9", "X-Forwarded-For", "10.9.9.9"}},
		{"all trusted", "10.0.0.1:5", "10.3.3.3", []string{"X-Forwarded-For", "10.3.3.3,10.2.2.2"}},
		{"rubbish", "10.0.0.1:5", "10.2.2.2", []string{"X-Forwarded-For", "203.0.113.9, rubbish, 10.2.2.2"}},
		{"empty", "10.0.0.1:5", "10.0.0.1", []string{"X-Forwarded-For", ""}},
		{"port", "10.0.0.1:5", "203.0.113.9", []string{"X-Forwarded-For", "203.0.113.9:1234"}},
		{"zone", "10.0.0.1:5", "10.0.0.1", []string{"X-Forwarded-For", "fe80::1%eth0"}},
		{"IPv6", "[2001:db8:1::5]:5", "2001:db8:2::7", []string{"X-Forwarded-For", "2001:db8:2::7"}},
		{"bracketed", "10.0.0.1:5", "2001:db8:2::7", []string{"X-Forwarded-For", "[2001:db8:2::7]:443"}},
		{"Forwarded", "10.0.0.1:5", "2001:db8:2::7", []string{"Forwarded", `for=1.1.1.1, For="[2001:db8:2::7]:4711";proto=https, by=x;for=10.1.1.1`}},
		{"Forwarded, obfuscated", "10.0.0.1:5", "10.1.1.1", []string{"Forwarded", `for=1.1.1.1, for=_hidden, for=10.1.1.1`}},
		{"both", "10.0.0.1:5", "203.0.113.9", []string{"Forwarded", "for=1.1.1.1", "X-Forwarded-For", "203.0.113.9"}},
	} {
		if got := ClientAddr(from(c.peer, http.MethodGet, c.header...), trusted).String(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func FuzzClientAddr(f *testing.F) {
	f.Add("10.0.0.1:5", "1.1.1.1, 10.2.2.2", `for="[::1]:9"`)
	f.Add("[::1]:5", ",,", "for=;for=")
	trusted := prefixes("10.0.0.0/8", "::1/128")
	f.Fuzz(func(t *testing.T, peer, xff, forwarded string) {
		r := from(peer, http.MethodGet, "X-Forwarded-For", xff, "Forwarded", forwarded)
		a := ClientAddr(r, trusted)
		if p := ClientAddr(from(peer, http.MethodGet), nil); p.IsValid() && !contains(trusted, p) && a != p {
			t.Errorf("%s is not trusted, and yet the client is %s", p, a)
		}
		if a.Zone() != "" && a != ClientAddr(from(peer, http.MethodGet), nil) {
			t.Errorf("%s has a zone that nobody can check", a)
		}
	})
}

// Whoever has an IPv6 network has all its addresses.
func TestNetworks(t *testing.T) {
	t.Parallel()
	l := newLimiter(t, Options{Classes: []Class{{Name: "all", Address: Rate{Requests: 1, Per: 1 << 60, Burst: 4}}}})
	n := admitted(l, from("[2001:db8::1]:1", http.MethodGet), 3) + admitted(l, from("[2001:db8::ffff:2]:1", http.MethodGet), 3)
	if n != 4 {
		t.Errorf("one /64 got %d through, want 4", n)
	}
	if n := admitted(l, from("[2001:db8:0:1::1]:1", http.MethodGet), 9); n != 4 {
		t.Errorf("another /64 got %d through, want 4", n)
	}
	if n := admitted(l, from("192.0.2.1:1", http.MethodGet), 9) + admitted(l, from("192.0.2.2:1", http.MethodGet), 9); n != 8 {
		t.Errorf("two IPv4 addresses got %d through, want 8", n)
	}
}

func TestCookie(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"sid=a": "a", "x=1; sid=b; y=2": "b", "xsid=1": "", "sid": "", "": "", "SID=x": "", "sid=": "", "a=b;sid=c": "c",
	} {
		if got := sidCookie(from("192.0.2.1:1", http.MethodGet, "Cookie", header)); got != want {
			t.Errorf("%q: %q, want %q", header, got, want)
		}
	}
}
