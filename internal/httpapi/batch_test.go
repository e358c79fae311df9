package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stampede-shop/stampede/internal/shop"
)

// batchOf is the body of a batch of calls such as `POST /cart/add {"product_id":1}`.
func batchOf(calls ...string) string {
	var all []string
	for _, c := range calls {
		method, rest, _ := strings.Cut(c, " ")
		path, body, found := strings.Cut(rest, " ")
		one := fmt.Sprintf(`{"method":%q,"path":%q`, method, path)
		if found {
			one += `,"body":` + body
		}
		all = append(all, one+"}")
	}
	return `{"requests":[` + strings.Join(all, ",") + `]}`
}

type answeredCall struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"`
}

func (b *bundle) batch(body string, headers ...string) ([]answeredCall, answered) {
	b.t.Helper()
	a := b.want(b.do("POST", "/batch", body, headers...), 200, "")
	return into[[]answeredCall](b.t, a), a
}

func TestBatch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got, a := b.batch(batchOf("GET /products/2?fields=id,price", "GET /products/99", `POST /cart/add {"product_id":1,"quantity":2}`, "GET /cart",
		`POST /cart/add {"product_id":"x"}`, "GET /nothing", "DELETE /cart", "GET /cart", "PUT /products/1/stock {\"available\":3}", "HEAD /products/1", "GET /users/me"))
	want := []int{200, 404, 200, 200, 422, 404, 200, 200, 401, 200, 401}
	for i, one := range got {
		if one.Status != want[i] {
			t.Errorf("call %d: %d, want %d: %s", i, one.Status, want[i], one.Body)
		}
	}
	if string(got[0].Body) != `{"id":2,"price":200}` || got[0].Headers["Etag"] == "" || got[0].Headers["Content-Type"] != "application/json" {
		t.Errorf("%s %v", got[0].Body, got[0].Headers)
	}
	if string(got[9].Body) != "null" && got[9].Body != nil {
		t.Errorf("HEAD has a body: %s", got[9].Body)
	}
	var before, after shop.Cart
	if json.Unmarshal(got[3].Body, &before) != nil || json.Unmarshal(got[7].Body, &after) != nil || before.ItemCount != 2 || after.ItemCount != 0 {
		t.Errorf("carts %s, then %s", got[3].Body, got[7].Body)
	}
	if before.ID == "" || before.ID != after.ID || len(a.Header.Values("Set-Cookie")) != 1 {
		t.Errorf("sessions %q and %q; cookies %v", before.ID, after.ID, a.Header.Values("Set-Cookie"))
	}
	for _, one := range got {
		if one.Headers["Set-Cookie"] != "" || one.Headers["Surrogate-Key"] != "" || one.Headers["X-Request-Id"] == "" {
			t.Errorf("headers %v", one.Headers)
		}
	}
	if a.Header.Get("Cache-Control") != "private, no-store" {
		t.Errorf("%v", a.Header)
	}
	// The cookie is good afterwards, and a batch that comes with it sets none.
	if cart := into[shop.Cart](t, b.do("GET", "/cart", "")); cart.ID != before.ID {
		t.Errorf("another session afterwards")
	}
	if _, a := b.batch(batchOf("GET /cart")); a.Header.Get("Set-Cookie") != "" {
		t.Errorf("%v", a.Header)
	}
}

func TestBatchReadsShareTheSessionTheyBegin(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var calls []string
	for range 20 {
		calls = append(calls, "GET /cart", "GET /products/1")
	}
	got, a := b.batch(batchOf(calls...))
	ids := map[string]bool{}
	for i := 0; i < len(got); i += 2 {
		var cart shop.Cart
		if err := json.Unmarshal(got[i].Body, &cart); err != nil {
			t.Fatal(err)
		}
		ids[cart.ID] = true
	}
	if len(ids) != 1 || len(a.Header.Values("Set-Cookie")) != 1 {
		t.Errorf("%d sessions, %d cookies", len(ids), len(a.Header.Values("Set-Cookie")))
	}
}

func TestBatchSignsInAndOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got, a := b.batch(batchOf(`POST /users {"email":"a@b.example","password":"long enough"}`, "GET /users/me", "POST /users/logout", "GET /users/me"))
	if got[0].Status != 201 || got[1].Status != 200 || got[2].Status/100 != 2 || got[3].Status != 401 {
		t.Errorf("%+v", got)
	}
	if strings.Contains(string(a.body), "sid=") {
		t.Error("the session's cookie shows in the body")
	}
}

func TestBatchRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for body, field := range map[string]string{
		`{}`: "requests", `{"requests":[]}`: "requests", batchOf(slices.Repeat([]string{"GET /cart"}, 51)...): "requests",
		batchOf("GET /cart", `POST /batch {"requests":[]}`): "requests[1].path", batchOf("POST /batch/"): "requests[0].path",
		batchOf("POST /x/../batch"): "requests[0].path", batchOf("POST /%62atch"): "requests[0].path", batchOf("GET http://elsewhere/"): "requests[0].path",
		batchOf("GET //elsewhere/"): "requests[0].path", batchOf("BREW /cart"): "requests[0].method", `{"requests":[{"path":"/cart"}]}`: "requests[0].method",
		`{"requests":[{"method":"GET","path":"/cart","headers":{"Cookie":"sid=x"}}]}`:       "requests[0].headers.Cookie",
		`{"requests":[{"method":"GET","path":"/cart","headers":{"If-Match":"a\r\nb: c"}}]}`: "requests[0].headers.If-Match",
		`{"requests":[{"method":"GET","path":"/ca rt"}]}`:                                   "requests[0].path",
	} {
		p := b.want(b.do("POST", "/batch", body), 422, shop.CodeInvalid).problem(t)
		if len(p.Errors) != 1 || p.Errors[0].Field != field {
			t.Errorf("%.90s: %+v, want %s", body, p.Errors, field)
		}
	}
	if len(b.shop.carts) != 0 {
		t.Error("a refused batch was begun")
	}
	got, _ := b.batch(batchOf(slices.Repeat([]string{"GET /products/1"}, 50)...))
	if len(got) != 50 || got[49].Status != 200 {
		t.Errorf("%d answers", len(got))
	}
}

// A batch that is sent again under its key, or by the edge, does nothing twice.
func TestBatchIsDoneOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.do("GET", "/cart", "")
	add := batchOf(`POST /cart/add {"product_id":1}`, `POST /cart/add {"product_id":1}`, `POST /cart/add {"product_id":2}`)
	own := `{"requests":[{"method":"POST","path":"/cart/add","body":{"product_id":3},"headers":{"Idempotency-Key":"mine"}}]}`
	for _, again := range []struct{ body, header string }{{add, "Idempotency-Key: k"}, {add, "Stampede-Op: op"}, {own, "X-Nothing: x"}} {
		first, _ := b.batch(again.body, again.header)
		second, _ := b.batch(again.body, again.header)
		var one, two shop.Cart
		if last := len(first) - 1; json.Unmarshal(first[last].Body, &one) != nil || json.Unmarshal(second[last].Body, &two) != nil || one.Version != two.Version {
			t.Errorf("%s: %s, then %s", again.header, first[last].Body, second[last].Body)
		}
	}
	if cart := into[shop.Cart](t, b.do("GET", "/cart", "")); cart.ItemCount != 7 {
		t.Errorf("%d units", cart.ItemCount)
	}
	long := strings.Repeat("k", maxKeyLen)
	if got, _ := b.batch(add, "Idempotency-Key: "+long); got[2].Status != 200 {
		t.Errorf("the longest key: %s", got[2].Body)
	}
	b.want(b.do("POST", "/batch", add, "Idempotency-Key: "+long+"k"), 422, shop.CodeInvalid)
}

// Calls that the edge's firewall refuses are answered in its words and not done; the others are. Limits count all.
func TestBatchWithRefusedCalls(t *testing.T) {
	t.Parallel()
	counted := 0
	d := deps(t, newFake())
	d.Around = func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			counted++
			next.ServeHTTP(w, r)
		})
	}
	h, err := New(d)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/batch", strings.NewReader(batchOf("GET /", `POST /cart/add {"product_id":1}`, "GET /", "GET /cart")))
	r.Header.Add(headerRefused, `{"calls":[0],"problem":{"type":"/problems/request-blocked","title":"no","status":403,"detail":"an attack","instance":"urn:request:x","request_id":"x"}}`)
	r.Header.Add(headerRefused, `{"calls":[2,77],"problem":{"type":"/problems/temporarily-unavailable","title":"later","status":503,"detail":"busy"}}`)
	r.Header.Add(headerRefused, `{"calls":[3],"problem":{"status":200}}`) // is none
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	var got []answeredCall
	if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil || rec.Code != 200 || len(got) != 4 {
		t.Fatalf("%v, %d: %s", err, rec.Code, rec.Body)
	}
	var p problem
	if err := json.Unmarshal(got[0].Body, &p); err != nil || got[0].Status != 403 || p.Type != problemType(codeBlocked) || p.Detail != "an attack" || p.RequestID != "x" ||
		got[0].Headers["Content-Type"] != "application/problem+json" || got[0].Headers["X-Request-Id"] != "x" {
		t.Errorf("%v %+v", err, got[0])
	}
	var cart shop.Cart
	if err := json.Unmarshal(got[3].Body, &cart); err != nil || got[1].Status != 200 || cart.ItemCount != 1 || got[2].Status != 503 || got[2].Headers["Retry-After"] == "" {
		t.Errorf("%v %+v", err, got)
	}
	if counted != 4 {
		t.Errorf("%d calls were counted", counted)
	}
}

func TestBatchPassesHeadersAndAuthorization(t *testing.T) {
	t.Parallel()
	b := setup(t)
	tag := b.do("GET", "/products/1", "").Header.Get("ETag")
	body := fmt.Sprintf(`{"requests":[{"method":"GET","path":"/products/1","headers":{"If-None-Match":%q}},`+
		`{"method":"PATCH","path":"/products/1","body":{"price":7},"headers":{"If-Match":%q,"Content-Type":"application/merge-patch+json"}},`+
		`{"method":"GET","path":"/products/1?fields=price"},{"method":"PATCH","path":"/products/1","body":{"price":8},"headers":{"Authorization":"Bearer wrong"}}]}`, tag, tag)
	got, _ := b.batch(body, "Authorization: Bearer "+adminToken, "If-None-Match: "+tag)
	if got[0].Status != 304 || got[1].Status != 200 || string(got[2].Body) != `{"price":7}` || got[3].Status != 401 {
		t.Errorf("%+v", got)
	}
	cross, _ := b.batch(batchOf("DELETE /cart"), "Sec-Fetch-Site: cross-site")
	if cross[0].Status != 403 {
		t.Errorf("a page of another site may: %s", cross[0].Body)
	}
}

// Reads may be done at once, changes never are, and no read overtakes a change.
func TestBatchOrder(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var order []string
	var reading, most atomic.Int32
	together := make(chan struct{})
	d := deps(t, newFake())
	d.Around = func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "GET" {
				if n := reading.Add(1); n == maxBatchParallel {
					close(together)
				} else {
					most.Store(max(most.Load(), n))
				}
				<-together
				defer reading.Add(-1)
			} else if n := reading.Load(); n != 0 {
				t.Errorf("%s while %d reads are under way", r.URL, n)
			}
			mu.Lock()
			order = append(order, r.Method)
			mu.Unlock()
			next.ServeHTTP(w, r)
		})
	}
	h, err := New(d)
	if err != nil {
		t.Fatal(err)
	}
	calls := slices.Repeat([]string{"GET /products/1"}, maxBatchParallel)
	calls = append(calls, `POST /cart/add {"product_id":1}`, `POST /cart/add {"product_id":2}`, "GET /cart")
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest("POST", "/batch", strings.NewReader(batchOf(calls...))))
	want := append(slices.Repeat([]string{"GET"}, maxBatchParallel), "POST", "POST", "GET")
	if rec.Code != 200 || !slices.Equal(order, want) || most.Load() >= maxBatchParallel {
		t.Errorf("%d, order %v", rec.Code, order)
	}
}

func TestBatchSurvivesPanicsAndLargeAnswers(t *testing.T) {
	t.Parallel()
	d := deps(t, newFake())
	d.Around = func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/panic":
				panic("a bug")
			case "/large":
				w.Write(make([]byte, maxBatchAnswer/2+1)) //nolint:errcheck
			case "/text":
				w.Header().Set("Content-Type", "text/plain")
				w.Write([]byte(`say "hi"`)) //nolint:errcheck
			default:
				next.ServeHTTP(w, r)
			}
		})
	}
	h, err := New(d)
	if err != nil {
		t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest("POST", "/batch", strings.NewReader(batchOf("POST /panic", "POST /large", "POST /large", "POST /text", "GET /products/1"))))
	var got []answeredCall
	if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	var status []int
	for _, one := range got {
		status = append(status, one.Status)
	}
	if !slices.Equal(status, []int{500, 200, 413, 200, 200}) || string(got[3].Body) != `"say \"hi\""` {
		t.Errorf("%v, text %s", status, got[3].Body)
	}
}

func FuzzBatch(f *testing.F) {
	for _, s := range []string{batchOf("GET /cart"), batchOf("POST /batch"), `{"requests":[{"method":"GET","path":"/%zz","body":[1],"headers":{"Accept":"x"}}]}`, `{"requests":[{}]}`} {
		f.Add(s)
	}
	do := handler(f)
	f.Fuzz(func(t *testing.T, body string) { sane(t, do("POST", "/batch", body), "POST /batch") })
}
