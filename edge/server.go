package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/stampede-shop/stampede/edge/internal/wire"
)

func (e *Edge) newServer() *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Protocols:         protocols,
		Handler:           e,
		ReadHeaderTimeout: e.opts.HeaderTimeout,
		IdleTimeout:       e.opts.IdleTimeout,
		MaxHeaderBytes:    e.opts.MaxHeaderBytes,
		// Until the answer begins; from then on every write extends it.
		WriteTimeout: e.opts.Timeout + 2*e.opts.StallTimeout,
		BaseContext:  func(net.Listener) context.Context { return e.ctx },
		ConnState:    e.countConns,
		ErrorLog:     slog.NewLogLogger(e.opts.Log.Handler(), slog.LevelDebug),
	}
}

func (e *Edge) countConns(c net.Conn, s http.ConnState) {
	if w, ok := c.(*wire.Conn); ok {
		switch s {
		case http.StateIdle:
			w.Boundary()
		case http.StateHijacked:
			w.Raw()
		}
	}
	switch s {
	case http.StateNew:
		e.conns.Add(1)
	case http.StateClosed, http.StateHijacked:
		e.conns.Add(-1)
	}
}

// Serve answers requests on l until ctx ends or [Edge.Drain] is called; then it drains, within DrainTimeout, and
// returns nil when nobody was cut off. It closes l. Several listeners may be served at once. Clients may speak HTTP/1.1
// or, if they know that they can, HTTP/2 without TLS; for TLS see [Edge.ServeTLS].
func (e *Edge) Serve(ctx context.Context, l net.Listener) error {
	if e.cache != nil && !e.opts.SlowOnly {
		l = e.fastListener(l)
	}
	return e.serve(ctx, l)
}

func (e *Edge) serve(ctx context.Context, l net.Listener) error {
	e.mu.Lock()
	if e.draining.Load() || e.ctx.Err() != nil {
		e.mu.Unlock()
		_ = l.Close()
		return ErrClosed
	}
	e.listeners = append(e.listeners, l)
	e.mu.Unlock()

	stop := context.AfterFunc(ctx, func() {
		limited, cancel := context.WithTimeout(context.Background(), e.opts.DrainTimeout)
		defer cancel()
		_ = e.Drain(limited)
	})
	defer stop()
	err := e.server.Serve(l)
	if e.draining.Load() {
		<-e.drained
		return e.drainErr
	}
	if e.ctx.Err() != nil || errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("edge: accept connections: %w", err)
}

// Drain stops accepting, answers what is in flight and what still comes in on open connections within DrainGrace, and
// closes each connection after its answer. When ctx ends first, the rest is cut off and the error says so. A second
// call waits for the first.
func (e *Edge) Drain(ctx context.Context) error {
	e.mu.Lock()
	first := e.draining.CompareAndSwap(false, true)
	e.mu.Unlock()
	if !first {
		select {
		case <-e.drained:
			return e.drainErr
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	defer close(e.drained)
	listeners := e.closeListeners()
	e.grace(ctx)
	for _, l := range listeners {
		if w, ok := l.(*wire.Listener); ok {
			w.CloseIdle()
		}
	}
	if err := e.server.Shutdown(ctx); err != nil {
		_ = e.server.Close()
		e.drainErr = fmt.Errorf("edge: requests were cut off: %w", err)
	}
	return e.drainErr
}

// grace waits until every client has learnt, by the answer to a request, that its connection closes: cutting an idle
// one at once would hit a request that is already on its way.
func (e *Edge) grace(ctx context.Context) {
	if e.opts.DrainGrace < 0 {
		return
	}
	end := time.NewTimer(e.opts.DrainGrace)
	defer end.Stop()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for e.conns.Load() > 0 {
		select {
		case <-look.C:
		case <-end.C:
			return
		case <-ctx.Done():
			return
		case <-e.ctx.Done():
			return
		}
	}
}

func (e *Edge) closeListeners() (closed []net.Listener) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, l := range e.listeners {
		_ = l.Close()
	}
	closed, e.listeners = e.listeners, nil
	return closed
}
