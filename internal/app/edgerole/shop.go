package edgerole

import (
	"net/http"
	"strings"
)

// What the edge knows of the shop behind it.

// retryUnsafe tells which writes may be sent again after a connection broke half-way: those our API recognises by the
// Stampede-Op that the edge stamped on them, or makes idempotent by cart version (checkout).
func retryUnsafe(r *http.Request) bool {
	return HasPrefix(r.URL.Path, "/cart", "/orders/", "/users", "/bag/", "/account")
}

// forEverybody tells requests whose answers depend on nobody's cookies: the catalogue, as JSON and as pages, and what describes
// the API.
func forEverybody(r *http.Request) bool {
	switch r.URL.Path {
	case "/", "/products", "/search", "/campaigns", "/openapi.json":
		return true
	}
	return HasPrefix(r.URL.Path, "/products/", "/c/", "/p/", "/sale/", "/img/", "/assets/", "/problems/")
}

// anyCoding adds to each entity tag those of the same answer under the other content codings, which our API tells apart by an
// ending (internal/httpapi/etag.go). Long lists are left alone.
func anyCoding(ifNoneMatch string) string {
	if strings.Count(ifNoneMatch, `"`) > 2*maxTags {
		return ifNoneMatch
	}
	tags := strings.Split(ifNoneMatch, ",")
	for i, tag := range tags {
		open, ok := strings.CutSuffix(strings.TrimSpace(tag), `"`)
		if !ok {
			continue
		}
		for _, coding := range codings {
			open = strings.TrimSuffix(open, coding)
		}
		tags[i] = open + `"`
		for _, coding := range codings {
			tags[i] += ", " + open + coding + `"`
		}
	}
	return strings.Join(tags, ", ")
}

// maxTags bounds the entity tags that are looked at in an If-None-Match.
const maxTags = 5

// codings are the endings of entity tags.
var codings = []string{"-zstd", "-br", "-gzip"}

// HasPrefix tells whether a path begins with one of the prefixes.
func HasPrefix(path string, prefixes ...string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(path, p) {
			return true
		}
	}
	return false
}
