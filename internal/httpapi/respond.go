package httpapi

import (
	"strconv"

	"github.com/stampede-shop/stampede/internal/shop"
)

// json answers with something that is for this shopper only.
func (c *call) json(status int, v any) error {
	c.w.Header()["Cache-Control"] = cachePrivate
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
