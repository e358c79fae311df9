package httpapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/stampede-shop/stampede/internal/shop"
)

// batchRun does the calls of one batch.
type batchRun struct {
	api     *api
	outer   *http.Request
	key     string // the batch's Idempotency-Key
	jar     *batchJar
	refused map[int]*problem // calls that the edge refuses
	calls   []*plannedCall
	answers []batchAnswer
	size    atomic.Int64 // bytes of bodies so far
}

// plannedCall is a call that is ready to be done. One that is free depends on no other and no other depends on it.
type plannedCall struct {
	index int
	r     *http.Request
	free  bool
	no    *problem // what the edge wants it to be answered with, instead of being done
	shops bool     // needs a session, and may begin one
}

// prepare makes the request of a call: its own headers, and of the batch's those that say who asks and from where.
func (b *batchRun) prepare(i int, one batchCall, u *url.URL) *plannedCall {
	r := &http.Request{Method: one.Method, URL: u, RequestURI: one.Path, Proto: b.outer.Proto, ProtoMajor: b.outer.ProtoMajor, ProtoMinor: b.outer.ProtoMinor,
		Host: b.outer.Host, RemoteAddr: b.outer.RemoteAddr, TLS: b.outer.TLS, Header: http.Header{}, Body: http.NoBody}
	for name, values := range b.outer.Header {
		if !ownHeaders[name] {
			r.Header[name] = values
		}
	}
	if len(one.Body) > 0 {
		r.Header["Content-Type"] = typeJSON
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(one.Body)), int64(len(one.Body))
	}
	suffix := "-" + strconv.Itoa(i)
	if id := RequestID(b.outer.Context()); saneID(id + suffix) {
		r.Header.Set("X-Request-Id", id+suffix)
	}
	if op := b.outer.Header.Get("Stampede-Op"); op != "" {
		r.Header.Set("Stampede-Op", op+suffix)
	}
	if b.key != "" {
		r.Header.Set("Idempotency-Key", shortKey(b.key, suffix))
	}
	for name, value := range one.Headers {
		r.Header.Set(name, value)
	}
	p := &plannedCall{index: i, r: r, no: b.refused[i], free: r.Method == http.MethodGet || r.Method == http.MethodHead}
	if rt := b.api.routeOf(r); rt != nil {
		p.shops = rt.access == shopper
	}
	return p
}

// shortKey names one call under the key of a batch, within what a key may have.
func shortKey(key, suffix string) string {
	if len(key)+len(suffix) > maxKeyLen {
		sum := sha256.Sum256([]byte(key))
		key = hex.EncodeToString(sum[:])
	}
	return key + suffix
}

// ownHeaders belong to the batch itself, not to its calls.
var ownHeaders = map[string]bool{"Accept": true, "Accept-Encoding": true, "Connection": true, "Content-Encoding": true, "Content-Length": true, "Content-Type": true,
	"Cookie": true, "Expect": true, "Idempotency-Key": true, "If-Match": true, "If-None-Match": true, "If-Modified-Since": true,
	"If-Unmodified-Since": true, "If-Range": true, "Range": true, "Stampede-Op": true, headerRefused: true, "Te": true, "Trailer": true, "Transfer-Encoding": true,
	"Upgrade": true, "X-Request-Id": true}

// do runs the calls: reads that follow each other at once, everything else in its turn. The first call that needs a session
// is alone, so that all of them have the same one.
func (b *batchRun) do(ctx context.Context) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, maxBatchParallel)
	settled := false // the session
	for _, p := range b.calls {
		alone := !p.free || p.shops && !settled
		if alone {
			wg.Wait()
			b.one(ctx, p)
			settled = p.free
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			b.one(ctx, p)
		})
	}
	wg.Wait()
}

// one does a call and keeps its answer.
func (b *batchRun) one(ctx context.Context, p *plannedCall) {
	w := &batchWriter{header: http.Header{}, left: maxBatchAnswer - b.size.Load()}
	r := p.r.WithContext(ctx)
	b.jar.send(r)
	if ctx.Err() != nil {
		WriteProblem(w, r, shop.Errorf(shop.CodeUnavailable, "the batch's time was used up before this call: it was not done, send it again"))
	} else {
		b.serve(w, r, b.api.handlerOf(p))
	}
	if w.over {
		*w = batchWriter{header: http.Header{}, left: maxBody}
		WriteProblem(w, r, shop.Errorf(codeTooLarge, "the call was done, but the answers of the batch together have more than %d bytes: ask for less at a time", maxBatchAnswer))
	}
	b.size.Add(int64(w.body.Len()))
	b.jar.receive(w.header)
	b.answers[p.index] = w.answer(p.r.Method)
}

// serve is the chain that a request of its own passes. A panic with half an answer ends this call, not the batch.
func (b *batchRun) serve(w *batchWriter, r *http.Request, h http.Handler) {
	defer func() {
		if p := recover(); p != nil {
			*w = batchWriter{header: http.Header{}, left: maxBody}
			WriteProblem(w, r, fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	h.ServeHTTP(w, r)
}
