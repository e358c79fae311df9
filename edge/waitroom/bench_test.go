package waitroom

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// What looking at a place costs, of which there is much while a crowd waits.
func BenchmarkLook(b *testing.B) {
	now := time.Now()
	q, err := New(Options{Keys: [][]byte{keyA}, Rooms: []Room{{Name: "lamps", From: now, Opens: now.Add(time.Hour), Until: now.Add(2 * time.Hour)}},
		Session: func(http.ResponseWriter, *http.Request) (string, error) { return "ann", nil }})
	if err != nil {
		b.Fatal(err)
	}
	q.step(context.Background())
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/queue", nil)
	q.ServeHTTP(w, r)
	r.AddCookie(w.Result().Cookies()[0])
	b.ReportAllocs()
	for b.Loop() {
		q.ServeHTTP(httptest.NewRecorder(), r)
	}
}
