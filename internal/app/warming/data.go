package warming

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/stampede-shop/stampede/cache/warm"
	"github.com/stampede-shop/stampede/internal/cached"
	"github.com/stampede-shop/stampede/internal/shop"
)

// dataTier brings what addresses show into the memory of this process and into Redis. Products come together, in one statement; for
// everything else the request is made, inside this process.
type dataTier struct {
	products *cached.Products
	pages    http.Handler
}

func (d *dataTier) warm(ctx context.Context, keys []string) (out warm.Outcome, err error) {
	var ids []int64
	shownBy := map[int64][]string{}
	for _, k := range keys {
		if id, ok := productOf(k); ok {
			if shownBy[id] == nil {
				ids = append(ids, id)
			}
			shownBy[id] = append(shownBy[id], k)
			continue
		}
		loaded, there, err := d.page(ctx, k)
		switch {
		case err != nil:
			return out, err
		case !there:
			out.Gone = append(out.Gone, k)
		case loaded:
			out.Loaded = append(out.Loaded, k)
		}
	}
	if len(ids) == 0 {
		return out, nil
	}
	loaded, absent, err := d.products.WarmProducts(ctx, ids)
	for _, id := range loaded {
		out.Loaded = append(out.Loaded, shownBy[id]...)
	}
	for _, id := range absent {
		out.Gone = append(out.Gone, shownBy[id]...)
	}
	return out, err
}

// page makes one request and tells whether a database was asked, and whether there is such a page.
func (d *dataTier) page(ctx context.Context, key string) (loaded, there bool, err error) {
	ctx, timing := shop.WithTiming(ctx)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, key, nil)
	if err != nil {
		return false, false, nil //nolint:nilerr // no address at all
	}
	r.RequestURI, r.Host = key, "localhost"
	r.Header.Set(Header, "prefetch")
	w := &discarder{header: http.Header{}}
	d.pages.ServeHTTP(w, r)
	if ctx.Err() != nil {
		return false, false, context.Cause(ctx)
	}
	if w.status >= 500 {
		return false, false, fmt.Errorf("%s: %d %s", key, w.status, http.StatusText(w.status))
	}
	for _, e := range timing.Entries() {
		loaded = loaded || e.Tier == "db"
	}
	return loaded, w.status < 300, nil
}

// discarder is a ResponseWriter for a request of which only the effect is wanted.
type discarder struct {
	header http.Header
	status int
}

func (d *discarder) Header() http.Header { return d.header }

func (d *discarder) WriteHeader(status int) {
	if d.status == 0 && status >= 200 {
		d.status = status
	}
}

func (d *discarder) Write(b []byte) (int, error) {
	d.WriteHeader(http.StatusOK)
	return len(b), nil
}

var errNoPages = errors.New("the handler of pages is not there yet")

// notYet stands for the pages until there are some.
func notYet(http.ResponseWriter, *http.Request) { panic(errNoPages) }
