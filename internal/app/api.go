package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"github.com/stampede-shop/stampede/internal/account"
	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/app/edgerole"
	"github.com/stampede-shop/stampede/internal/app/opshttp"
	"github.com/stampede-shop/stampede/internal/app/roleops"
	"github.com/stampede-shop/stampede/internal/httpapi"
	"github.com/stampede-shop/stampede/internal/web"
	"github.com/stampede-shop/stampede/replica"
	"github.com/stampede-shop/stampede/replica/causal"
)

const (
	drainNotice = 700 * time.Millisecond // how long /readyz fails before the listener closes: balancers poll faster
	drainLimit  = 10 * time.Second
)

func startAPI(ctx context.Context, cfg config.Config, name string, log *slog.Logger, ops *roleops.Ops) (func(context.Context) error, error) {
	debug.SetGCPercent(apiGC) // the live heap is small beside the cache's bound; fewer collections pay
	s, err := openStack(ctx, cfg, name, log, ops.Reg)
	if err != nil {
		return nil, err
	}
	if err := s.openWarming(name); err != nil {
		s.close()
		return nil, err
	}
	s.openEvents()
	h, err := s.handler(ops)
	if err != nil {
		s.close()
		return nil, err
	}
	s.govern()
	s.opsRoutes(ops)
	s.chaos.route(ops)
	s.measure(ops.Measured)
	return func(ctx context.Context) error {
		defer s.close()
		s.warm.Begin()
		return opshttp.ServeHTTP(ctx, log, cfg.API.Listen, h, drainLimit, func() {
			ops.Draining.Store(true)
			time.Sleep(drainNotice) // not a wait for a condition: the balancer's polls are not ours to see
		})
	}, nil
}

// handler mounts the JSON API, the storefront and the health checks on one mux behind the common middleware.
func (s *stack) handler(ops *roleops.Ops) (http.Handler, error) {
	sessionOptions := account.SessionOptions{Keys: s.cfg.SessionKeys(), Users: s.users, TTL: s.cfg.Session.TTL, NewID: roleops.NewID, Now: s.chaos.now}
	if s.cfg.Session.Secure {
		sessionOptions.Secure = func(*http.Request) bool { return true }
	}
	sessions, err := account.NewSessions(sessionOptions)
	if err != nil {
		return nil, fmt.Errorf("session.keys: %w", err)
	}
	accounts := account.NewAccounts(account.Options{Users: s.users, Carts: s.stores, Sessions: sessions, Log: s.log})
	around, err := s.batchLimits()
	if err != nil {
		return nil, err
	}
	var events httpapi.EventTaker
	if s.events != nil {
		events = s.events
	}
	mux := http.NewServeMux()
	err = httpapi.Register(mux, httpapi.Deps{Events: events, Products: s.products, Catalog: s.writer, Campaigns: s.campaigns, StockReader: s.stock, Stock: s.setStock,
		Carts: s.stores, Orders: s.stores, Users: s.users, Checkouts: s.checkouts, Sessions: sessions, Accounts: accounts,
		AdminToken: s.cfg.Admin.Token, Log: s.log, Registerer: s.reg, Now: s.chaos.now, NewID: roleops.NewID, Around: around})
	if err != nil {
		return nil, err
	}
	err = web.Register(mux, web.Deps{Products: s.products, Facets: s.products, Campaigns: s.campaigns, StockReader: s.stock, Carts: s.stores, Orders: s.stores,
		Users: s.users, Checkouts: s.checkouts, Sessions: sessions, Accounts: accounts, Log: s.log, Now: s.chaos.now, NewID: roleops.NewID})
	if err != nil {
		return nil, err
	}
	seen, err := s.causal(httpapi.Routed(mux))
	if err != nil {
		return nil, err
	}
	h := httpapi.Middleware(seen, httpapi.MiddlewareDeps{Log: s.log, Registerer: s.reg, NewID: roleops.NewID, Now: time.Now,
		Observe: s.answered(ops.Measured)})
	h = s.chaos.wrap(h)
	if s.cfg.OTel.Endpoint != "" {
		h = otelhttp.NewHandler(h, "api")
	}
	h = ops.Measured.Begun(s.observeCheckouts(s.warm.Observe(h, mux)))
	// Not a mux, which would redirect untidy paths before the middleware sees them.
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" {
			if err := s.warm.Wait(); err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
				return
			}
			ops.Serving(w, r)
			return
		}
		h.ServeHTTP(w, r)
	}), nil
}

// causal makes reads of a session see what it wrote before, whatever process and replica answer them.
func (s *stack) causal(next http.Handler) (http.Handler, error) {
	signer, err := replica.NewSigner(0, s.cfg.SessionKeys()...)
	if err != nil {
		return nil, fmt.Errorf("session.keys: %w", err)
	}
	o := causal.Options{Signer: signer}
	if s.cfg.Session.Secure {
		o.Secure = func(*http.Request) bool { return true }
	}
	return causal.Middleware(o, next), nil
}

// opsRoutes adds what the platform's operations endpoint asks an API process for. Ready means that the shards answer
// or did a moment ago, and a catalogue node does.
func (s *stack) opsRoutes(ops *roleops.Ops) {
	ops.Check("shards", s.shards.Ping)
	ops.Check("catalogue", s.catalog.Ping)
	ops.Check("caches", func(context.Context) error { return s.warm.Wait() })
	s.warm.Routes(ops)
	s.governor.Route(ops.Mux)
	ops.Mux.HandleFunc("GET /internal/stats", func(w http.ResponseWriter, _ *http.Request) {
		opshttp.WriteJSON(w, http.StatusOK, map[string]any{"cache": s.store.Stats(), "replicas": s.db.status(), "shards": s.shardStatus(), "warm": s.warm.Status(),
			"queries": s.db.busiest(20), "telemetry": ops.Measured.Stats(), "governor": s.governor.Stats()})
	})
	ops.Mux.HandleFunc("POST /internal/purge", opshttp.HereOnly(edgerole.PurgeHandler(s.purgeEverywhere)))
	ops.Mux.HandleFunc("POST /admin/cache/purge", opshttp.AdminOnly(s.cfg, edgerole.PurgeHandler(s.purgeEverywhere)))
}

type shardStatus struct {
	ID    string `json:"id"`
	Conns int32  `json:"connections"`
	InUse int32  `json:"in_use"`
}

func (s *stack) shardStatus() []shardStatus {
	var out []shardStatus
	for _, n := range s.cluster.Nodes() {
		st := n.Pool.Stat()
		out = append(out, shardStatus{n.ID, st.TotalConns(), st.AcquiredConns()})
	}
	return out
}
