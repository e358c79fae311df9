package httpapi

import (
	"net/http"
	"net/http/httptest"
)

// nullWriter has headers and forgets the rest.
type nullWriter struct{ h http.Header }

func (w *nullWriter) Header() http.Header {
	if w.h == nil {
		w.h = http.Header{}
	}
	return w.h
}
func (w *nullWriter) Write(b []byte) (int, error) { return len(b), nil }
func (w *nullWriter) WriteHeader(int)             {}

func request(method, name, value string) *http.Request {
	r := httptest.NewRequest(method, "/", nil)
	r.Header.Set(name, value)
	return r
}
