package httpapi

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stampede-shop/stampede/internal/shop"
)

func TestMethodsAndPaths(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for call, allow := range map[string]string{
		"DELETE /products": "GET, HEAD, OPTIONS, POST", "POST /products/1": "DELETE, GET, HEAD, OPTIONS, PATCH, PUT", "GET /products/batch": "OPTIONS, POST",
		"PUT /cart": "DELETE, GET, HEAD, OPTIONS", "GET /orders/checkout": "OPTIONS, POST", "TRACE /queue": "GET, HEAD, OPTIONS",
		"GET /users": "OPTIONS, POST", "BREW /cart/add": "OPTIONS, POST",
	} {
		method, path, _ := strings.Cut(call, " ")
		a := b.want(b.do(method, path, ""), 405, codeMethod)
		if a.Header.Get("Allow") != allow {
			t.Errorf("%s: Allow %q, want %q", call, a.Header.Get("Allow"), allow)
		}
		if o := b.want(b.do("OPTIONS", path, ""), 204, ""); o.Header.Get("Allow") != allow {
			t.Errorf("OPTIONS %s: %v", path, o.Header)
		}
	}
	for _, path := range []string{"/nothing", "/products/1/reviews", "/products/", "/cart/items", "/cart/items/", "/orders/x/y/z", "/users/you/", "/"} {
		a := b.want(b.do("GET", path, ""), 404, shop.CodeNotFound)
		if a.Header.Get("Content-Type") != "application/problem+json" || a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", path, a.Header)
		}
	}
}

func TestBodies(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const add = `{"product_id":1}`
	for _, ct := range []string{"application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8", ""} {
		b.want(b.do("POST", "/cart/add", add, "Content-Type: "+ct), 200, "")
	}
	for _, ct := range []string{"text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1", "nonsense;;", "application/merge-patch+json"} {
		b.want(b.do("POST", "/cart/add", add, "Content-Type: "+ct), 415, codeUnsupported)
	}
	b.want(b.do("POST", "/cart/add", add, "Content-Encoding: gzip"), 415, codeUnsupported)
	for _, body := range []string{"", " ", "{", `{"product_id":1}{}`, `{"product_id":1} x`, "{'a':1}", "\xff", `{"product_id":01}`, strings.Repeat("[", 20000)} {
		b.want(b.do("POST", "/cart/add", body, "Content-Type: application/json"), 400, shop.CodeMalformed)
	}
	big := `{"product_id":1,"x":"` + strings.Repeat("x", maxBody) + `"}`
	b.want(b.do("POST", "/cart/add", big), 413, codeTooLarge)
	b.want(b.do("POST", "/orders/checkout", big), 413, codeTooLarge)
	fits := `{"product_id":1}` + strings.Repeat(" ", maxBody-len(add))
	b.want(b.do("POST", "/cart/add", fits), 200, "")
}

func TestFailuresBehindTheAPI(t *testing.T) {
	t.Parallel()
	b := setup(t)
	fail := func(err error) {
		b.shop.mu.Lock()
		defer b.shop.mu.Unlock()
		b.shop.fail = err
	}
	fail(errors.New("a secret of the database"))
	for _, call := range []string{"GET /products", "GET /products/1", "GET /products?ids=1", "GET /products/1/stock", "GET /cart", "GET /orders"} {
		method, path, _ := strings.Cut(call, " ")
		a := b.want(b.do(method, path, ""), 500, shop.CodeInternal)
		if strings.Contains(string(a.body), "secret") || a.Header.Get("ETag") != "" || a.Header.Get("Surrogate-Key") != "" {
			t.Errorf("%s: %s %v", call, a.body, a.Header)
		}
		if call == "GET /products" && !strings.Contains(b.log.String(), "a secret of the database") {
			t.Errorf("the cause is not logged: %s", b.log.String())
		}
	}
	for _, err := range []error{&net.OpError{Op: "dial", Err: errors.New("refused")}, &shop.Error{Code: shop.CodeUnavailable, Detail: "wait"}} {
		fail(err)
		if a := b.want(b.do("GET", "/products/1", ""), 503, shop.CodeUnavailable); a.Header.Get("Retry-After") != "1" {
			t.Errorf("%v", a.Header)
		}
	}
}

func TestSlowBody(t *testing.T) {
	t.Parallel()
	d, err := newDocument((&api{}).routes())
	if err != nil {
		t.Fatal(err)
	}
	d.bodyDeadline = 20 * time.Millisecond
	got := make(chan error, 1)
	s := httptest.NewServer(Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := d.readBody(w, r, &bodySpec{})
		got <- err
	}), MiddlewareDeps{}))
	defer s.Close()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck
	if _, err := conn.Write([]byte("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")); err != nil {
		t.Fatal(err)
	}
	if err := <-got; shop.CodeOf(err) != shop.CodeMalformed || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// An untidy path is redirected to the tidy one, without a page of HTML.
func TestUntidyPaths(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for path, want := range map[string]string{"//products?limit=1": "/products?limit=1", "/cart/../products/1": "/products/1"} {
		a, err := b.client.Get(b.url + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = a.Body.Close()
		if a.StatusCode != 307 || a.Header.Get("Location") != want || a.Header.Get("Content-Type") != "" || a.ContentLength > 0 || a.Header.Get("X-Request-Id") == "" {
			t.Errorf("%s: %d, %d bytes, %v", path, a.StatusCode, a.ContentLength, a.Header)
		}
	}
}
