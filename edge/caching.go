package edge

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/stampede-shop/stampede/edge/httpcache"
)

// addCache puts the cache in front of what e.handler is so far.
func (e *Edge) addCache() error {
	if e.opts.Cache == nil {
		return nil
	}
	o := *e.opts.Cache
	o.Name, o.FetchContext, o.Fail, o.Private = e.opts.Name, e.fetchContext, e.failCached, private
	if o.Log == nil {
		o.Log = e.opts.Log
	}
	if b, ok := e.opts.Bus.(interface{ Live() bool }); ok && o.Live == nil {
		o.Live = b.Live
	}
	c, err := httpcache.New(o)
	if err != nil {
		return err
	}
	e.cache, e.handler = c, e.bypass(c.Handler(e.handler), e.handler)
	return e.m.watchCache(c)
}

// bypass leads requests of which Options.Bypass knows that nothing is kept for them around the cache. Writes pass it all the
// same, as they may change what it keeps.
func (e *Edge) bypass(cached, direct http.Handler) http.Handler {
	if e.opts.Bypass == nil {
		return cached
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if (r.Method == http.MethodGet || r.Method == http.MethodHead) && e.opts.Bypass(r) {
			w.Header().Set("Cache-Status", e.opts.Name+"; fwd=bypass")
			direct.ServeHTTP(w, r)
			return
		}
		cached.ServeHTTP(w, r)
	})
}

// fetchContext makes the context of a fetch on behalf of any number of clients: an exchange of its own, with the id of
// the client that caused it, bounded like any other.
func (e *Edge) fetchContext(r *http.Request) (context.Context, context.CancelFunc) {
	x := &exchange{start: time.Now(), waitLeft: e.opts.WaitForOrigin}
	if first := exchangeOf(r.Context()); first != nil {
		x.id = first.id
	}
	ctx, cancel := context.WithCancelCause(context.WithValue(context.WithoutCancel(r.Context()), exchangeKey{}, x))
	x.timer = time.AfterFunc(e.opts.Timeout, func() { cancel(errTimeout) })
	stop := context.AfterFunc(e.ctx, func() { cancel(ErrClosed) })
	return ctx, func() {
		stop()
		x.timer.Stop()
		cancel(nil)
	}
}

// failCached answers a request for which the cache has nothing.
func (e *Edge) failCached(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, httpcache.ErrNotStored) { // what the client asked for: nothing failed
		problemNotStored.Write(w, r.Method, exchangeOf(r.Context()).id)
		return
	}
	e.fail(w, r, err)
}

// CacheStats returns the cache's figures; without a cache all are 0.
func (e *Edge) CacheStats() httpcache.Stats {
	if e.cache == nil {
		return httpcache.Stats{}
	}
	return e.cache.Stats()
}
