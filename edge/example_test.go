package edge_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/stampede-shop/stampede/edge"
)

func Example() {
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "hello")
	}))
	defer origin.Close()

	e, err := edge.New(edge.Options{Origins: []string{origin.URL}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer e.Close()

	answer := httptest.NewRecorder()
	e.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/", nil))
	fmt.Println(answer.Code, answer.Body, answer.Header().Get("Cache-Status"))
	// Output: 200 hello stampede; fwd=bypass
}
