package httpapi

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stampede-shop/stampede/internal/account"
	"github.com/stampede-shop/stampede/internal/shop"
)

const adminToken = "the-administrators-token"

// bundle is an API over a fake shop, and a client with a cookie jar.
type bundle struct {
	t       *testing.T
	shop    *fakeShop
	url     string
	client  *http.Client
	log     *safeBuffer
	metrics *prometheus.Registry
	doc     *document
}

// safeBuffer is a log that may be written and read at once.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// stopped is a clock for limits: they refill while a slow machine is at work.
func stopped() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

func deps(t testing.TB, f *fakeShop) Deps {
	t.Helper()
	sessions, err := account.NewSessions(account.SessionOptions{Keys: [][]byte{[]byte("0123456789abcdef0123456789abcdef")}, Users: f})
	if err != nil {
		t.Fatal(err)
	}
	newID := func() string { return uuid.Must(uuid.NewV7()).String() }
	log := slog.New(slog.DiscardHandler)
	return Deps{
		Products: f, Catalog: f, Campaigns: f, StockReader: f, Stock: f, Carts: f, Orders: f, Users: f, Sessions: sessions, AdminToken: adminToken,
		Checkouts: &shop.Checkouts{Store: f, Orders: f, Stock: f, Carts: f, Products: f, Pay: fakePay{}, NewID: newID, Now: time.Now, Log: log},
		Accounts:  account.NewAccounts(account.Options{Users: f, Carts: f, Sessions: sessions, Now: stopped}), Now: time.Now,
	}
}

func setup(t *testing.T, change ...func(*Deps)) *bundle {
	t.Helper()
	b := &bundle{t: t, shop: newFake(), log: &safeBuffer{}, metrics: prometheus.NewRegistry()}
	d := deps(t, b.shop)
	d.Log = slog.New(LogHandler(slog.NewJSONHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	d.Registerer = b.metrics
	d.Now = nil
	for _, f := range change {
		f(&d)
	}
	h, err := New(d)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	b.url = s.URL
	b.client = b.browser()
	if b.doc, err = newDocument((&api{}).routes()); err != nil {
		t.Fatal(err)
	}
	return b
}

// browser is a client with a jar of its own.
func (b *bundle) browser() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return &http.Client{Jar: jar, Transport: &http.Transport{DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// answered is a response, read.
type answered struct {
	*http.Response
	body []byte
}

func (a answered) problem(t *testing.T) problem {
	t.Helper()
	var p problem
	if err := json.Unmarshal(a.body, &p); err != nil {
		t.Fatalf("not a problem: %v: %s", err, a.body)
	}
	return p
}

func into[T any](t *testing.T, a answered) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	return v
}

// do sends a request; headers are "Name: value". Every answer is held against the document.
func (b *bundle) do(method, path, body string, headers ...string) answered {
	b.t.Helper()
	return b.as(b.client, method, path, body, headers...)
}

func (b *bundle) as(client *http.Client, method, path, body string, headers ...string) answered {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
		if value == "" {
			req.Header.Del(name)
		}
	}
	resp, err := client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	a := answered{resp, raw}
	b.conforms(method, path, a)
	return a
}

// admin sends a request with the administrator's token.
func (b *bundle) admin(method, path, body string, headers ...string) answered {
	b.t.Helper()
	return b.do(method, path, body, append(headers, "Authorization: Bearer "+adminToken)...)
}

// want checks the status, and the problem's code when it is an error.
func (b *bundle) want(a answered, status int, code shop.Code) answered {
	b.t.Helper()
	if a.StatusCode != status {
		b.t.Fatalf("%s %s: %d, want %d: %s", a.Request.Method, a.Request.URL.Path, a.StatusCode, status, a.body)
	}
	if code != "" {
		p := a.problem(b.t)
		if p.Type != "/problems/"+string(code) || p.Status != status || p.Detail == "" || p.Title == "" {
			b.t.Fatalf("%s %s: wrong problem %+v, want %s", a.Request.Method, a.Request.URL.Path, p, code)
		}
	}
	return a
}

// routeOf finds the route that a path belongs to.
func (b *bundle) routeOf(method, path string) *route {
	u, _ := url.Parse(path)
	mux := http.NewServeMux()
	byPattern := map[string]*route{}
	for _, r := range b.doc.routes {
		if r.method == method {
			mux.HandleFunc(r.path, func(http.ResponseWriter, *http.Request) {})
			byPattern[r.path] = r
		}
	}
	_, pattern := mux.Handler(&http.Request{Method: method, URL: u, Host: "x"})
	return byPattern[pattern]
}

// conforms holds an answer against the document: its status, its type, its body, its headers.
func (b *bundle) conforms(method, path string, a answered) {
	b.t.Helper()
	if a.Header.Get("X-Request-Id") == "" || a.Header.Get("Server-Timing") == "" {
		b.t.Errorf("%s %s: no X-Request-Id or no Server-Timing: %v", method, path, a.Header)
	}
	r := b.routeOf(method, path)
	if r == nil || a.Header.Get("Content-Encoding") != "" || a.StatusCode == http.StatusMethodNotAllowed {
		return
	}
	op := operation(b.doc, r)
	resp := op.Responses[strconv.Itoa(a.StatusCode)]
	if resp == nil {
		b.t.Errorf("%s %s: status %d is not in the document: %s", method, path, a.StatusCode, a.body)
		return
	}
	if a.StatusCode >= 400 && !strings.Contains(resp.Description, strings.TrimPrefix(a.problem(b.t).Type, "/problems/")) {
		b.t.Errorf("%s %s: %s is not in the document for %d: %s", method, path, a.problem(b.t).Type, a.StatusCode, resp.Description)
	}
	for _, name := range []string{"ETag", "Link", "X-Next-Cursor", "X-Missing-Ids", "Location", "Set-Cookie", "Retry-After", "WWW-Authenticate"} {
		if a.Header.Get(name) != "" && resp.Headers[name] == nil && !(name == "Set-Cookie" && a.StatusCode >= 400) {
			b.t.Errorf("%s %s %d: header %s is not in the document", method, path, a.StatusCode, name)
		}
	}
	if len(resp.Content) == 0 {
		if len(a.body) != 0 {
			b.t.Errorf("%s %s: a body where the document has none: %s", method, path, a.body)
		}
		return
	}
	media := resp.Content[a.Header.Get("Content-Type")]
	if media == nil {
		b.t.Errorf("%s %s: type %q is not in the document", method, path, a.Header.Get("Content-Type"))
		return
	}
	value, err := parseJSON(a.body)
	v := validator{registry: b.doc.registry}
	if err == nil {
		v.check(media.Schema, "", value)
	}
	if err != nil || len(v.errs) > 0 {
		b.t.Errorf("%s %s: the answer does not fit the document: %v %v: %s", method, path, err, v.errs, a.body)
	}
}
