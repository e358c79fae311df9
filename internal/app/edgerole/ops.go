package edgerole

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/stampede-shop/stampede/edge"
	"github.com/stampede-shop/stampede/edge/admission"
	"github.com/stampede-shop/stampede/edge/httpcache"
	"github.com/stampede-shop/stampede/edge/waf"
	"github.com/stampede-shop/stampede/edge/waitroom"
	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/app/governor"
	"github.com/stampede-shop/stampede/internal/app/opshttp"
	"github.com/stampede-shop/stampede/internal/app/roleops"
)

// errNoWAF says that there are no rules to reload.
var errNoWAF = errors.New("the firewall is off: there are no rules to reload")

// edgeStats are the figures of an edge; parts that are off are left out.
type edgeStats struct {
	Cache     *httpcache.Stats        `json:"edge_cache,omitempty"`
	Live      bool                    `json:"live"` // purges reach it
	Origins   []edge.OriginStatus     `json:"origins"`
	WAF       *wafStats               `json:"waf,omitempty"`
	Limits    string                  `json:"limits"`
	Telemetry *roleops.TelemetryStats `json:"telemetry,omitempty"`
	Admission *admission.Stats        `json:"admission,omitempty"`
	Rooms     []waitroom.Status       `json:"waiting_rooms,omitempty"`
	Governor  governor.Stats          `json:"governor"`
}

type wafStats struct {
	Mode  waf.Mode `json:"mode"`
	Rules int      `json:"rules"`
}

func (n *Node) stats() edgeStats {
	s := edgeStats{Live: n.bus == nil || n.bus.Live(), Origins: n.Origins(), Limits: string(n.limits.Mode()), Governor: n.governor.Stats()}
	if n.cfg.Cache.Enabled {
		c := n.CacheStats()
		s.Cache = &c
	}
	if n.admission != nil {
		a := n.admission.Stats()
		s.Admission = &a
	}
	if n.rooms != nil {
		s.Rooms = n.rooms.Status()
	}
	if n.waf != nil {
		s.WAF = &wafStats{n.waf.Mode(), n.waf.Rules()}
	}
	return s
}

// opsRoutes adds what an edge has beside metrics and health. /admin/ is for whoever runs it alone; `up` asks for /internal/.
func (n *Node) opsRoutes(ops *roleops.Ops, cfg config.Config) {
	stats := func(w http.ResponseWriter, _ *http.Request) {
		s, t := n.stats(), n.measured.Stats()
		s.Telemetry = &t
		opshttp.WriteJSON(w, http.StatusOK, s)
	}
	ops.Mux.HandleFunc("GET /internal/stats", stats)
	ops.Mux.HandleFunc("POST /internal/waf/reload", opshttp.HereOnly(n.reloadHandler))
	n.demand.route(ops.Mux)
	n.governor.Route(ops.Mux)
	ops.Mux.HandleFunc("GET /admin/stats", opshttp.AdminOnly(cfg, func(w http.ResponseWriter, _ *http.Request) {
		opshttp.WriteJSON(w, http.StatusOK, map[string]any{"edge": n.stats()})
	}))
	ops.Mux.HandleFunc("POST /admin/cache/purge", opshttp.AdminOnly(cfg, PurgeHandler(func(ctx context.Context, r PurgeRequest) error {
		return n.Purge(ctx, r.Edge())
	})))
	ops.Mux.HandleFunc("POST /admin/waf/reload", opshttp.AdminOnly(cfg, n.reloadHandler))
	ops.Mux.HandleFunc("/admin/", opshttp.AdminOnly(cfg, opshttp.UnknownOps(ops.Mux)))
}

// PurgeHandler answers when purge has dropped everywhere what the body names.
func PurgeHandler(purge func(context.Context, PurgeRequest) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		req, err := DecodePurge(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			opshttp.Problem(w, http.StatusBadRequest, "malformed", err.Error())
			return
		}
		if err := purge(r.Context(), req); err != nil {
			w.Header().Set("Retry-After", "1")
			opshttp.Problem(w, http.StatusServiceUnavailable, "temporarily-unavailable", "the purge is not confirmed everywhere, send it again: "+err.Error())
			return
		}
		opshttp.WriteJSON(w, http.StatusOK, map[string]int{"purged": len(req.Tags) + len(req.Keys)})
	}
}

// ruleFiles are the operator's files; folders stand for the *.conf in them, by name.
func ruleFiles(c config.WAFConfig) (list []string, err error) {
	for _, path := range c.Files {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			list = append(list, path)
			continue
		}
		in, err := filepath.Glob(filepath.Join(path, "*.conf"))
		if err != nil {
			return nil, err
		}
		list = append(list, in...) // Glob sorts
	}
	return list, nil
}

// reload puts the operator's rules in force as they are now.
func (n *Node) reload(ctx context.Context) error {
	if n.waf == nil {
		return errNoWAF
	}
	files, err := ruleFiles(n.cfg.WAF)
	if err != nil {
		return err
	}
	return n.waf.Reload(ctx, files...)
}

func (n *Node) reloadHandler(w http.ResponseWriter, r *http.Request) {
	if err := n.reload(r.Context()); err != nil {
		opshttp.Problem(w, http.StatusConflict, "conflict", "the rules stay as they were: "+err.Error())
		return
	}
	opshttp.WriteJSON(w, http.StatusOK, map[string]int{"rules": n.waf.Rules()})
}

// reloadOnHangup reloads the rules at each SIGHUP until stop is called.
func (n *Node) reloadOnHangup(ctx context.Context, log *slog.Logger) (stop func()) {
	hup, done := make(chan os.Signal, 1), make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	signal.Notify(hup, syscall.SIGHUP)
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-hup:
			}
			if err := n.reload(ctx); err != nil {
				log.Error("the firewall's rules stay as they were", "error", err)
				continue
			}
			log.Info("the firewall's rules were reloaded", "rules", n.waf.Rules())
		}
	}()
	return func() {
		signal.Stop(hup)
		cancel()
		<-done
	}
}
