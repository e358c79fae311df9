// Command cdn is a CDN node in front of any HTTP origin: cache, firewall, limits, balancing.
//
//	go run ./edge/examples/cdn -origin http://127.0.0.1:8080 -listen 127.0.0.1:8000 -ops 127.0.0.1:8001
//	curl -i 127.0.0.1:8000/                                     # Cache-Status says what was done
//	curl -X POST 127.0.0.1:8001/purge -d '{"tags":["p:1"]}'     # by Surrogate-Key of the origin's answers
//	curl -X POST 127.0.0.1:8001/purge -d '{"urls":["/"]}'       # or by address, or {"all":true}
//	curl 127.0.0.1:8001/stats
//	curl 127.0.0.1:8001/metrics
//
// With -cert and -key it speaks TLS, with -acme NAME it obtains certificates by itself; both with HTTP/2.
package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/stampede-shop/stampede/edge"
	"github.com/stampede-shop/stampede/edge/httpcache"
	"github.com/stampede-shop/stampede/edge/limit"
	"github.com/stampede-shop/stampede/edge/waf"
)

type settings struct {
	origin, listen, ops, dir, health string
	limits, waf                      string
	rate                             int
	cert, key, acme, acmeDir         string
}

func main() {
	var s settings
	flag.StringVar(&s.origin, "origin", "http://127.0.0.1:8080", "origins, separated by commas")
	flag.StringVar(&s.listen, "listen", "127.0.0.1:8000", "where clients connect")
	flag.StringVar(&s.ops, "ops", "127.0.0.1:8001", "where purges and figures are; reachable by you alone")
	flag.StringVar(&s.dir, "dir", "", "keep answers in this folder too")
	flag.StringVar(&s.health, "health", "/", "what is asked to see whether an origin lives")
	flag.StringVar(&s.limits, "limits", "on", "whether requests are limited: off, on (not those from this machine), strict (a 25th of the rates)")
	flag.IntVar(&s.rate, "rate", 1000, "requests a second that a client address may send")
	flag.StringVar(&s.waf, "waf", "block", "what the firewall does: off, detect, block")
	flag.StringVar(&s.cert, "cert", "", "certificate with its chain, PEM")
	flag.StringVar(&s.key, "key", "", "its key, PEM")
	flag.StringVar(&s.acme, "acme", "", "host names to obtain certificates for, separated by commas; be reachable on port 443")
	flag.StringVar(&s.acmeDir, "acme-dir", "certificates", "where these are kept")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, s); err != nil {
		slog.Error("stopped", "err", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) error {
	reg := prometheus.NewRegistry()
	firewall, err := waf.New(waf.Options{Mode: waf.Mode(s.waf), Profile: waf.ProfilePlain, Registerer: reg, Log: slog.Default()})
	if err != nil {
		return err
	}
	defer func() { _ = firewall.Close() }()
	limiter, err := limit.New(limit.Options{Mode: limit.Mode(s.limits), Registerer: reg, Log: slog.Default(),
		Classes: []limit.Class{{Name: "all", Address: limit.Rate{Requests: s.rate, Burst: 2 * s.rate}}}})
	if err != nil {
		return err
	}
	e, err := edge.New(edge.Options{Origins: strings.Split(s.origin, ","), HealthPath: s.health, Registerer: reg, Log: slog.Default(),
		Cache:      &httpcache.Options{Dir: s.dir, Query: httpcache.SortQuery},
		Admission:  []func(http.Handler) http.Handler{limiter.Wrap},
		Admit:      func(v *edge.Visit) bool { return limiter.Admit("all", v.Client, "") },
		Middleware: []func(http.Handler) http.Handler{firewall.Wrap}})
	if err != nil {
		return err
	}
	defer e.Close()
	defer operations(s.ops, e, reg)()
	l, err := net.Listen("tcp", s.listen)
	if err != nil {
		return err
	}
	var certificates *tls.Config
	switch {
	case s.acme != "":
		certificates, err = edge.ACME(s.acmeDir, "", strings.Split(s.acme, ",")...)
	case s.cert != "":
		certificates, err = edge.CertificateFiles(s.cert, s.key)
	default:
		return e.Serve(ctx, l)
	}
	if err != nil {
		return errors.Join(err, l.Close())
	}
	return e.ServeTLS(ctx, l, certificates)
}

// operations serves purges and figures until stop is called.
func operations(addr string, e *edge.Edge, reg *prometheus.Registry) (stop func()) {
	mux := http.NewServeMux()
	mux.Handle("/purge", e.PurgeHandler())
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(e.CacheStats())
	})
	srv := &http.Server{Addr: addr, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := srv.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
			slog.Error("operations", "err", err)
		}
	}()
	return func() { _ = srv.Close() }
}
