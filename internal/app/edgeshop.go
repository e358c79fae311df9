package app

import (
	"net/http"
	"strings"
)

// What the edge knows of the shop behind it.

// retryUnsafe tells which writes may be sent again after a connection broke half-way: those our API recognises by the
// Stampede-Op that the edge stamped on them, or makes idempotent by cart version (checkout).
func retryUnsafe(r *http.Request) bool {
	return hasPrefix(r.URL.Path, "/cart", "/orders/", "/users", "/bag/", "/account")
}

// forEverybody tells requests whose answers depend on nobody's cookies: the catalogue, as JSON and as pages, and what describes
// the API.
func forEverybody(r *http.Request) bool {
	switch r.URL.Path {
	case "/", "/products", "/search", "/openapi.json":
		return true
	}
	return hasPrefix(r.URL.Path, "/products/", "/c/", "/p/", "/img/", "/assets/", "/problems/")
}

func hasPrefix(path string, prefixes ...string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(path, p) {
			return true
		}
	}
	return false
}
