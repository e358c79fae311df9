package waf_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/stampede-shop/stampede/edge/waf"
)

func Example() {
	w, err := waf.New(waf.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer w.Close() //nolint:errcheck
	shop := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { fmt.Fprintln(rw, "welcome,", r.FormValue("name")) })
	h := w.Wrap(shop)
	for _, form := range []string{"name=O%27Brien", "name=%27+OR+1%3D1+--"} {
		r := httptest.NewRequest(http.MethodPost, "/hello", strings.NewReader(form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("X-Request-Id", "4711")
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		if rec.Code == http.StatusOK {
			fmt.Print(rec.Body)
			continue
		}
		var problem struct{ Title, Instance string }
		_ = json.Unmarshal(rec.Body.Bytes(), &problem)
		fmt.Println(rec.Code, problem.Title, problem.Instance)
	}
	// Output:
	// welcome, O'Brien
	// 403 The request was blocked urn:request:4711
}
