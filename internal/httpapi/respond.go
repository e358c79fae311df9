package httpapi

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/stampede-shop/stampede/internal/shop"
)

// How long catalogue answers may be kept. Shoppers' own caches always ask back, as nobody can purge them; the edge keeps
// what it can purge by key, and serves it a little longer while it fetches anew or the API is down.
const (
	cachePublic  = "public, max-age=0, must-revalidate"
	cachePrivate = "no-store"
	surrogate    = "max-age=300, stale-while-revalidate=30, stale-if-error=600"
	keyLists     = "lists"
)

func productKey(id int64) string { return "p:" + strconv.FormatInt(id, 10) }

// json answers with something that is for this shopper only.
func (c *call) json(status int, v any) error {
	c.w.Header().Set("Cache-Control", cachePrivate)
	return c.write(status, encode(v))
}

func (c *call) write(status int, body []byte) error {
	h := c.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	c.w.WriteHeader(status)
	c.w.Write(body) //nolint:errcheck // the client may be gone
	return nil
}

// public answers with something that is the same for everybody, or 304. keys are what the edge purges it by.
func (c *call) public(body []byte, etag string, keys ...string) error {
	h := c.w.Header()
	h.Set("ETag", etag)
	if c.r.Header.Get("Authorization") != "" {
		h.Set("Cache-Control", "private, "+cachePrivate)
	} else {
		h.Set("Cache-Control", cachePublic)
		h.Set("Surrogate-Control", surrogate)
		h.Set("Surrogate-Key", strings.Join(keys, " "))
	}
	return c.conditional(body, etag)
}

// conditional answers 304 when the client has it already.
func (c *call) conditional(body []byte, etag string) error {
	if noneMatch(c.r, etag) {
		c.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return c.write(http.StatusOK, body)
}

// nextLink sets Link and X-Next-Cursor; the link repeats the request's own parameters.
func (c *call) nextLink(q *queryParams, next string) {
	if next == "" {
		return
	}
	v := q.known
	v.Set("cursor", next)
	c.w.Header().Set("Link", "<"+c.r.URL.EscapedPath()+"?"+v.Encode()+`>; rel="next"`)
	c.w.Header().Set("X-Next-Cursor", next)
}

// id reads an integer path parameter; anything else cannot exist.
func (c *call) id(name, what string) (int64, error) {
	raw := c.r.PathValue(name)
	id, err := strconv.ParseInt(raw, 10, 64)
	if err != nil || id <= 0 || strconv.FormatInt(id, 10) != raw {
		return 0, shop.NotFound(what, strconv.Quote(raw))
	}
	return id, nil
}
