package web

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/html"

	"github.com/stampede-shop/stampede/internal/account"
	"github.com/stampede-shop/stampede/internal/shop"
)

// newSite serves the storefront over a fake shop.
func newSite(t testing.TB, f *fakeShop) *httptest.Server {
	t.Helper()
	h, err := New(fakeDeps(t, f))
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv
}

func fakeDeps(t testing.TB, f *fakeShop) Deps {
	t.Helper()
	var n atomic.Int64
	newID := func() string { return fmt.Sprintf("id-%d", n.Add(1)) }
	users := fakeUsers{f}
	sessions, err := account.NewSessions(account.SessionOptions{Keys: [][]byte{[]byte(strings.Repeat("k", 32))}, Users: users, NewID: newID})
	if err != nil {
		t.Fatal(err)
	}
	d := Deps{Products: f, Facets: f, StockReader: f, Carts: f, Orders: f, Users: users, Sessions: sessions, NewID: newID,
		Accounts: account.NewAccounts(account.Options{Users: users, Carts: f, Sessions: sessions})}
	if err := d.check(); err == nil {
		t.Fatal("Deps without Checkouts were accepted")
	}
	d.Checkouts = &shop.Checkouts{Store: f, Orders: f, Stock: f, Carts: f, Products: f, Pay: fakePay{}, NewID: newID, Now: d.Now, Log: d.Log}
	return d
}

// shopper is a browser without JavaScript: it keeps cookies and sends forms as one would.
type shopper struct {
	t   testing.TB
	srv *httptest.Server
	c   *http.Client
}

func newShopper(t testing.TB, srv *httptest.Server) *shopper {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &shopper{t: t, srv: srv, c: &http.Client{Jar: jar}}
}

// answer is a response with its body read, its page parsed and where redirects led.
type answer struct {
	*http.Response
	body string
	doc  *html.Node
}

func (s *shopper) do(r *http.Request) answer {
	s.t.Helper()
	res, err := s.c.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	a := answer{Response: res, body: string(body)}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
		a.doc = parsed(s.t, r.URL.Path, a.body)
	}
	return a
}

func (s *shopper) get(path string) answer {
	s.t.Helper()
	r, err := http.NewRequest(http.MethodGet, s.srv.URL+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.do(r)
}

func (s *shopper) post(path string, form url.Values, header ...string) answer {
	s.t.Helper()
	r, err := http.NewRequest(http.MethodPost, s.srv.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Accept", "text/html")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return s.do(r)
}

func (a answer) wants(t testing.TB, status int, texts ...string) {
	t.Helper()
	if a.StatusCode != status {
		t.Errorf("%s %s: status %d, want %d", a.Request.Method, a.Request.URL, a.StatusCode, status)
	}
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			t.Errorf("%s %s: no %q in the page:\n%s", a.Request.Method, a.Request.URL, text, a.body)
		}
	}
}

func (a answer) lacks(t testing.TB, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(a.body, text) {
			t.Errorf("%s: %q is in the page", a.Request.URL, text)
		}
	}
}

var voids = map[string]bool{"meta": true, "link": true, "img": true, "input": true, "br": true}

// parsed fails the test when tags are not balanced, an id is used twice, or something inline would break the policy.
func parsed(t testing.TB, path, body string) *html.Node {
	t.Helper()
	var open []string
	ids := map[string]bool{}
	z := html.NewTokenizer(strings.NewReader(body))
	for z.Next() != html.ErrorToken {
		tok := z.Token()
		switch {
		case tok.Type == html.StartTagToken && !voids[tok.Data]:
			open = append(open, tok.Data)
		case tok.Type == html.EndTagToken && (len(open) == 0 || open[len(open)-1] != tok.Data):
			t.Fatalf("%s: </%s> closes %v in\n%s", path, tok.Data, open, body)
		case tok.Type == html.EndTagToken:
			open = open[:len(open)-1]
		}
		for _, a := range tok.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || (a.Key == "id" && ids[a.Val]) {
				t.Errorf("%s: <%s %s=%q>", path, tok.Data, a.Key, a.Val)
			}
			ids[a.Val] = ids[a.Val] || a.Key == "id"
		}
	}
	if len(open) > 0 {
		t.Errorf("%s: never closed: %v", path, open)
	}
	doc, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// each calls fn for every element called tag.
func each(n *html.Node, tag string, fn func(attr map[string]string)) {
	for d := range n.Descendants() {
		if d.Type != html.ElementNode || d.Data != tag {
			continue
		}
		m := map[string]string{}
		for _, a := range d.Attr {
			m[a.Key] = a.Val
		}
		fn(m)
	}
}
