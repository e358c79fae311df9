package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"

	"github.com/stampede-shop/stampede/edge"
)

func startEdge(_ context.Context, cfg Config, _ string, log *slog.Logger, ops *roleOps) (func(context.Context) error, error) {
	if len(cfg.Edge.Origins) == 0 {
		return nil, fmt.Errorf("edge.origins: %w: name at least one server with --origin, such as http://127.0.0.1:8080", ErrNotConfigured)
	}
	var trusted []netip.Prefix
	for _, p := range cfg.Edge.TrustedProxies {
		prefix, err := netip.ParsePrefix(p)
		if err != nil {
			return nil, err
		}
		trusted = append(trusted, prefix)
	}
	e, err := edge.New(edge.Options{Origins: cfg.Edge.Origins, TrustedProxies: trusted,
		RetryUnsafe: retryUnsafe, Log: log, Registerer: ops.reg})
	if err != nil {
		return nil, err
	}
	ops.check("origins", func(context.Context) error { return e.Ready() })
	return func(ctx context.Context) error {
		defer e.Close()
		l, err := listen(ctx, cfg.Edge.Listen)
		if err != nil {
			return err
		}
		return e.Serve(ctx, l)
	}, nil
}

// retryUnsafe tells which writes may be sent again after a connection broke half-way: those our API recognises by the
// Stampede-Op that the edge stamped on them, or makes idempotent by cart version (checkout).
func retryUnsafe(r *http.Request) bool {
	for _, prefix := range []string{"/cart", "/orders/", "/users", "/bag/", "/account"} {
		if strings.HasPrefix(r.URL.Path, prefix) {
			return true
		}
	}
	return false
}
