package opshttp

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// ServeHTTP serves until ctx ends, then lets requests under way finish for at most drain. before runs first when
// stopping, while the listener still accepts.
func ServeHTTP(ctx context.Context, log *slog.Logger, addr string, h http.Handler, drain time.Duration, before func()) error {
	l, err := Listen(ctx, addr)
	if err != nil {
		return err
	}
	return ServeOn(ctx, log, l, h, drain, before)
}

// ServeOn is ServeHTTP on a listener that is open already; it closes it.
func ServeOn(ctx context.Context, log *slog.Logger, l net.Listener, h http.Handler, drain time.Duration, before func()) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	if before != nil {
		before()
	}
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	if err := srv.Shutdown(stopCtx); err != nil {
		_ = srv.Close()
	}
	<-done
	return nil
}

// WriteJSON answers with v; nobody keeps it.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may be gone
}
