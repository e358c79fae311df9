// Command cdn is a small CDN node in front of any HTTP origin:
//
//	go run ./edge/examples/cdn -origin http://127.0.0.1:8080 -listen 127.0.0.1:8000 -ops 127.0.0.1:8001
//	curl -X POST 127.0.0.1:8001/purge -d '{"tags":["p:1"]}'
//	curl 127.0.0.1:8001/stats
package main

import (
	"context"
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

	"github.com/stampede-shop/stampede/edge"
	"github.com/stampede-shop/stampede/edge/httpcache"
)

func main() {
	origin := flag.String("origin", "http://127.0.0.1:8080", "origins, separated by commas")
	listen := flag.String("listen", "127.0.0.1:8000", "where clients connect")
	ops := flag.String("ops", "127.0.0.1:8001", "where purges and statistics are; reachable by you alone")
	dir := flag.String("dir", "", "keep answers in this folder too")
	health := flag.String("health", "/", "what is asked to see whether an origin lives")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, strings.Split(*origin, ","), *listen, *ops, *dir, *health); err != nil {
		slog.Error("stopped", "err", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, origins []string, listen, ops, dir, health string) error {
	e, err := edge.New(edge.Options{Origins: origins, HealthPath: health, Log: slog.Default(),
		Cache: &httpcache.Options{Dir: dir, Query: httpcache.SortQuery}})
	if err != nil {
		return err
	}
	defer e.Close()
	mux := http.NewServeMux()
	mux.Handle("/purge", e.PurgeHandler())
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(e.CacheStats())
	})
	admin := &http.Server{Addr: ops, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	defer func() { _ = admin.Close() }()
	go func() {
		if err := admin.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
			slog.Error("operations", "err", err)
		}
	}()
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	return e.Serve(ctx, l)
}
