package limit

import (
	"net/http"

	"github.com/stampede-shop/stampede/edge/internal/respond"
)

// problem is an answer to a request that goes no further.
type problem = respond.Problem

// refuse sends p with the id of r.
func refuse(w http.ResponseWriter, r *http.Request, p problem) {
	p.Write(w, r.Method, r.Header.Get("X-Request-Id"))
}
