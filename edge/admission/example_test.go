package admission_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/stampede-shop/stampede/edge/admission"
)

func ExampleLimiter_Wrap() {
	l, err := admission.New(admission.Options{
		Classify: func(r *http.Request) admission.Class {
			if r.URL.Path == "/orders/checkout" {
				return admission.Checkout
			}
			return admission.Browse
		},
	})
	if err != nil {
		panic(err)
	}
	h := l.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "served") }))
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/orders/checkout", nil))
	fmt.Println(rec.Code, rec.Body, l.Stats().InFlight)
	// Output: 200 served 0
}
