package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/stampede-shop/stampede/internal/app"
	"github.com/stampede-shop/stampede/internal/app/running"
	"github.com/stampede-shop/stampede/internal/local"
)

type upCmd struct {
	Data       string `type:"path" default:".stampede" help:"Data folder; .stampede when not given." placeholder:"DIR"`
	Host       string `default:"127.0.0.1" help:"Address the edge listens on; 0.0.0.0 opens the shop to the network."`
	Port       int    `default:"8000" help:"Port of the edge; 0 picks a free one."`
	OpsHost    string `default:"127.0.0.1" help:"Address operations listen on; anything but loopback shows metrics and health to the network."`
	OpsPort    int    `default:"8001" help:"Port of operations; 0 picks a free one."`
	APIs       int    `name:"apis" default:"2" help:"API processes."`
	Replicas   int    `default:"2" help:"Streaming replicas of each PostgreSQL primary. Commits wait for one of them, and one takes over when the primary dies; 0 for neither."`
	Shards     int    `default:"4" help:"Shard databases."`
	Clusters   int    `default:"1" help:"PostgreSQL primaries over which the shards are spread."`
	RedisNodes int    `default:"1" help:"Redis servers: 1, or 6 and more for a Redis Cluster, half of them masters."`
	Limits     string `enum:"off,on,strict" default:"on" help:"Request limits at the edge by client and session: on leaves clients on this machine to their sessions' limits, strict holds everybody to a twenty-fifth."`
	Chaos      bool   `help:"Allow faults to be injected (stampede chaos, the dashboard): a proxy on every link, so for test systems only."`
	Products   int    `default:"10000" help:"Products of the synthetic catalogue, made when the catalogue is empty."`
	Catalog    string `type:"input" help:"Catalogue to import (JSON, NDJSON, CSV) instead of the synthetic one." placeholder:"FILE"`
	Fresh      bool   `help:"Drop the data first; only a folder that Stampede made."`
	Detach     bool   `help:"Return when the platform is ready; stop it with 'stampede down'."`
}

func (upCmd) Help() string {
	return "Example:\n  stampede up --catalog products.ndjson\nCtrl-C stops everything cleanly and loses nothing.\n" +
		"Variables such as STAMPEDE_EDGE_WAF_MODE=detect or STAMPEDE_EDGE_CACHE_ENABLED=false change what the edge does on the way."
}

func (u upCmd) options() app.UpOptions {
	return app.UpOptions{Data: u.Data, Host: u.Host, Port: u.Port, OpsHost: u.OpsHost, OpsPort: u.OpsPort, APIs: u.APIs, Replicas: u.Replicas,
		Shards: u.Shards, Clusters: u.Clusters, RedisNodes: u.RedisNodes, Products: u.Products, Catalog: u.Catalog, Limits: u.Limits, Fresh: u.Fresh, Chaos: u.Chaos, Progress: os.Stderr}
}

func (u upCmd) check() error {
	if err := u.options().Check(); err != nil {
		return usageError{err}
	}
	return nil
}

func (u upCmd) Run(ctx context.Context, s streams) error {
	if err := u.check(); err != nil {
		return err
	}
	if u.Detach {
		st, err := app.Detach(ctx, u.Data, os.Args[1:], s.Err)
		if err != nil {
			return err
		}
		printURLs(s, st)
		return nil
	}
	o := u.options()
	o.Ready = func(st running.State) { printURLs(s, st) }
	return app.Up(ctx, o)
}

func printURLs(s streams, st running.State) {
	_, _ = fmt.Fprintf(s.Out, "shop        %s\noperations  %s  (token: %s)\nstop with   stampede down --data %s\n",
		st.URL, st.Ops, filepath.Join(st.Data, "admin-token"), local.ShellWord(st.Data))
}

type downCmd struct {
	Data string `type:"path" default:".stampede" help:"Data folder; .stampede when not given." placeholder:"DIR"`
}

func (downCmd) Help() string { return "Example:\n  stampede down" }

func (d downCmd) Run(ctx context.Context, s streams) error {
	was, err := app.Down(ctx, d.Data)
	if err != nil {
		return err
	}
	msg := "stopped; the data stays in " + d.Data
	if !was {
		msg = "nothing is running in " + d.Data
	}
	_, err = fmt.Fprintln(s.Err, msg)
	return err
}
