package waf

import (
	"strings"
	"testing"
)

func TestCleanSet(t *testing.T) {
	t.Parallel()
	c := newCleanSet(100)
	hot := c.ofString("hot")
	c.add(hot)
	for i := range 10_000 {
		c.add(c.ofString(itoa(i)))
		if !c.has(hot) {
			t.Fatalf("what is asked for again and again was forgotten after %d others", i)
		}
	}
	if n := c.len(); n > 101 {
		t.Errorf("%d entries, at most 100 were asked for", n)
	}
	if c.has(c.ofString("0")) {
		t.Error("what nobody asks for is never forgotten")
	}
	if c.of([]byte("hot")) != hot || c.ofString("cold") == hot {
		t.Error("fingerprints do not tell parts apart")
	}
}

// A known clean part does not make another one clean.
func TestEnvelopesDiffer(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for name, s := range map[string]send{
		"path": {"GET", "/a", "", nil}, "another path": {"GET", "/b", "", nil}, "method": {"HEAD", "/a", "", nil}, "query": {"GET", "/a?x=1", "", nil},
		"name": {"GET", "/a?y=1", "", nil}, "odd value": {"GET", "/a?x=%zz", "", nil}, "header": {"GET", "/a", "", []string{"X-A", "b"}}, "header value": {"GET", "/a", "", []string{"X-A", "c"}},
		"member": {"POST", "/a", `{"a":1}`, nil}, "another member": {"POST", "/a", `{"b":1}`, nil}, "two members": {"POST", "/a", `{"a":1,"b":1}`, nil},
		"form": {"POST", "/a", "a=1", asForm}, "another form": {"POST", "/a", "b=1", asForm}, "cookie": {"GET", "/a", "", []string{"Cookie", "a=1"}}, "host": {"GET", "/a", "", []string{"Host", "x.example"}},
	} {
		r, body := s.request()
		q := newRequest(r, []string{"sid"})
		if err := q.setBody(r, body); err != nil {
			t.Fatal(err)
		}
		e := string(appendEnvelope(nil, q, fieldNames(q.fields)))
		if other, ok := seen[e]; ok {
			t.Errorf("%s and %s have the same envelope", name, other)
		}
		seen[e] = name
	}
	number := func(target, body string) string {
		r, b := typical("POST", target, body)
		q := newRequest(r, []string{"sid"})
		if err := q.setBody(r, b); err != nil {
			t.Fatal(err)
		}
		return string(appendEnvelope(nil, q, fieldNames(q.fields)))
	}
	if a, b := number("/products/1?n=2&q=red+lamp", `{"a":1}`), number("/products/77?n=9&q=desk", `{"a":22}`); a != b {
		t.Errorf("numbers and plain words make other envelopes:\n%q\n%q", a, b)
	}
	if !strings.Contains(number("/products/x%27y", ""), "x%27y") {
		t.Error("what is not plain is not in the envelope")
	}
}
