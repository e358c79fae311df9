package edgerole

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stampede-shop/stampede/edge"
	"github.com/stampede-shop/stampede/edge/admission"
	"github.com/stampede-shop/stampede/edge/httpcache"
	"github.com/stampede-shop/stampede/edge/limit"
	"github.com/stampede-shop/stampede/edge/waf"
	"github.com/stampede-shop/stampede/edge/waitroom"
	"github.com/stampede-shop/stampede/internal/account"
	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/app/governor"
	"github.com/stampede-shop/stampede/internal/app/opshttp"
	"github.com/stampede-shop/stampede/internal/app/roleops"
)

// slowestUpload is how fast a request's body has to come, in bytes a second.
const slowestUpload = 16 << 10

// Node is the edge with what stands on the way of a request: limits and bounds, waiting rooms, the cache, admission, the
// firewall, the balancer.
type Node struct {
	*edge.Edge
	cfg      config.EdgeConfig
	waf      *waf.WAF // nil: off
	limits   *limit.Limiter
	measured *roleops.Measuring
	// admission and rooms are nil when they are off, sessions where the edge knows none.
	admission *admission.Limiter
	sessions  *account.Sessions
	rooms     *waitroom.Rooms
	governor  *governor.Governor
	bus       *edgeBus // nil: alone
	demand    *edgeDemand
	events    *edgeEvents // nil: none are collected
	closers   []func()
}

// Start begins an edge as a role: what it returns serves until its context ends.
func Start(_ context.Context, cfg config.Config, name string, log *slog.Logger, ops *roleops.Ops) (func(context.Context) error, error) {
	if len(cfg.Edge.Origins) == 0 {
		return nil, fmt.Errorf("edge.origins: %w: name at least one server with --origin, such as http://127.0.0.1:8080", config.ErrNotConfigured)
	}
	certificates, err := edgeTLS(cfg.Edge.TLS)
	if err != nil {
		return nil, fmt.Errorf("edge.tls: %w", err)
	}
	n, err := NewNode(cfg, name, log, ops.Reg)
	if err != nil {
		return nil, err
	}
	ops.Check("origins", func(context.Context) error { return n.Ready() })
	n.opsRoutes(ops, cfg)
	ops.Measured = n.measured
	return func(ctx context.Context) error {
		defer n.Close()
		defer n.reloadOnHangup(ctx, log)()
		defer n.runRooms(ctx)()
		defer n.governor.Start()()
		l, err := opshttp.Listen(ctx, cfg.Edge.Listen)
		if err != nil {
			return err
		}
		if certificates != nil {
			return n.ServeTLS(ctx, l, certificates)
		}
		return n.Serve(ctx, l)
	}, nil
}

// edgeTLS makes what TLS needs; nil where it is off.
func edgeTLS(t config.EdgeTLSConfig) (*tls.Config, error) {
	switch {
	case t.Cert != "":
		return edge.CertificateFiles(t.Cert, t.Key)
	case len(t.Hosts) > 0:
		return edge.ACME(t.Dir, t.Email, t.Hosts...)
	}
	return nil, nil
}

// NewNode makes what cfg asks for.
func NewNode(cfg config.Config, name string, log *slog.Logger, reg prometheus.Registerer) (n *Node, err error) {
	n = &Node{cfg: cfg.Edge, measured: roleops.NewMeasuring()}
	defer func() {
		if err != nil {
			n.Close()
		}
	}()
	o := edge.Options{Origins: cfg.Edge.Origins, MaxBodyBytes: int64(cfg.Edge.MaxBody), Log: log, Registerer: reg}
	if cfg.Telemetry.Enabled {
		o.Observe = n.measured.EdgeAnswered(cfg.Edge.Profile)
	}
	if o.TrustedProxies, err = cfg.Edge.Trusted(); err != nil {
		return n, err
	}
	if n.sessions, err = edgeSessions(cfg); err != nil {
		return n, fmt.Errorf("session.keys: %w", err)
	}
	if cfg.Edge.Profile == config.ProfileShop {
		o.RetryUnsafe, o.Bypass, o.Validators = retryUnsafe, func(r *http.Request) bool { return !forEverybody(r) }, anyCoding
		o.Refuse = laterPage(http.StatusServiceUnavailable, "The shop is away for a moment")
	}
	for _, step := range []func() error{
		func() error { return n.addLimits(&o) }, func() error { return n.addScalpers(&o) }, func() error { return n.addWaitroom(&o, cfg) },
		func() error { return n.addAdmission(&o) }, func() error { return n.addWAF(&o) },
		func() error { return n.addCache(&o, cfg, name) }, func() error { n.addDemand(&o); return nil },
		func() error { return n.addEvents(&o, cfg, name) },
	} {
		if err := step(); err != nil {
			return n, err
		}
	}
	if n.Edge, err = edge.New(o); err != nil {
		return n, err
	}
	n.closers = append(n.closers, n.Edge.Close)
	n.governor = n.newGovernor(o.Log)
	n.bus.attach(n.Edge)
	return n, nil
}

// Close releases everything in reverse order of opening. Safe to call twice.
func (n *Node) Close() {
	for i := len(n.closers) - 1; i >= 0; i-- {
		n.closers[i]()
	}
	n.closers = nil
}

// addLimits puts limits and bounds before everything else. A hit that is answered straight from the connection only asks
// whether it is one too many.
func (n *Node) addLimits(o *edge.Options) (err error) {
	opts := limit.Options{Mode: limit.Mode(n.cfg.Limits), TrustedProxies: o.TrustedProxies, Registerer: o.Registerer, Log: o.Log}
	if n.cfg.Profile == config.ProfileShop {
		opts.Refuse = laterPage(http.StatusTooManyRequests, "Too much at once")
	}
	n.limits, err = limit.New(opts)
	if err != nil {
		return err
	}
	bounds := limit.Bounds{MaxBodyBytes: o.MaxBodyBytes, MinBytesPerSecond: slowestUpload}
	o.Admission = []func(http.Handler) http.Handler{n.limits.Wrap, bounds.Wrap}
	o.Admit = func(v *edge.Visit) bool { return n.limits.Admit(limit.ClassReads, v.Client, "") }
	return nil
}

// addWAF puts the firewall between cache and balancer: hits need none.
func (n *Node) addWAF(o *edge.Options) error {
	if waf.Mode(n.cfg.WAF.Mode) == waf.ModeOff {
		return nil
	}
	files, err := ruleFiles(n.cfg.WAF)
	if err != nil {
		return fmt.Errorf("edge.waf.files: %w", err)
	}
	opts := waf.Options{Mode: waf.Mode(n.cfg.WAF.Mode), Profile: waf.Profile(n.cfg.Profile), Paranoia: n.cfg.WAF.Paranoia,
		Files: files, MaxBodyBytes: o.MaxBodyBytes, Registerer: o.Registerer, Log: o.Log}
	if n.cfg.Profile == config.ProfileShop {
		opts.Refuse = tellBlocked
	}
	if n.waf, err = waf.New(opts); err != nil {
		return err
	}
	n.closers = append(n.closers, func() { _ = n.waf.Close() })
	o.Middleware = append(o.Middleware, n.waf.Wrap)
	return nil
}

// addCache puts the cache before the firewall. With a queue it is purged together with the other tiers; what was kept on disk
// while nobody could purge it is confirmed before its first use.
func (n *Node) addCache(o *edge.Options, cfg config.Config, name string) error {
	c := n.cfg.Cache
	if !c.Enabled {
		return nil
	}
	o.Cache = &httpcache.Options{Memory: int64(c.MemoryMiB) << 20, Dir: c.Dir, Disk: int64(c.DiskMiB) << 20}
	if n.cfg.Profile == config.ProfileShop {
		o.Cache.Shared, o.Cache.Query = forEverybody, httpcache.SortQuery
	}
	if cfg.NATS.URL == "" {
		if n.cfg.Profile == config.ProfileShop { // which relies on purges that would never come
			o.Log.Warn("nats.url is not configured: nobody can tell this edge what to drop, so it asks an API process before each use of what it keeps")
			o.Cache.Live = func() bool { return false }
		}
		return nil
	}
	var err error
	if n.bus, err = joinEdgeBus(cfg, name, o.Log, o.Registerer); err != nil {
		return fmt.Errorf("nats.url: %w", err)
	}
	n.closers = append(n.closers, n.bus.close)
	o.Bus, o.Cache.Recheck = n.bus, true
	return nil
}
