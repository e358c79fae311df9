package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stampede-shop/stampede/internal/app/chaoslab"
	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/app/opshttp"
	"github.com/stampede-shop/stampede/internal/app/running"
	"github.com/stampede-shop/stampede/internal/local"
)

// UpOptions are the flags of `stampede up`.
type UpOptions struct {
	Data, Host                       string
	OpsHost                          string // "" is 127.0.0.1
	Port, OpsPort                    int    // 0 picks a free one
	APIs, Replicas, Shards, Clusters int
	RedisNodes                       int    // 1, or 6 and more for a Redis Cluster
	Products                         int    // of the synthetic catalogue
	Catalog                          string // file to import instead
	Limits                           string // of requests at the edge: off, on or strict
	Fresh                            bool
	Chaos                            bool                // faults may be injected
	Progress                         io.Writer           // one line a step, for people
	Ready                            func(running.State) // called once everything serves
}

// Check names the flag that is wrong, its value and what is allowed.
func (o UpOptions) Check() error {
	for _, f := range []struct {
		name      string
		v, lo, hi int
	}{
		{"--port", o.Port, 0, 65535}, {"--ops-port", o.OpsPort, 0, 65535}, {"--apis", o.APIs, 1, 64},
		{"--replicas", o.Replicas, 0, 16}, {"--shards", o.Shards, 1, 256}, {"--clusters", o.Clusters, 1, 16},
		{"--products", o.Products, 0, 10_000_000},
	} {
		if f.v < f.lo || f.v > f.hi {
			return fmt.Errorf("%s %d: from %d to %d", f.name, f.v, f.lo, f.hi)
		}
	}
	if err := local.CheckRedisNodes(o.RedisNodes); err != nil {
		return err
	}
	if o.Clusters > o.Shards {
		return fmt.Errorf("--clusters %d: at most one for each of the %d shards", o.Clusters, o.Shards)
	}
	if info, err := os.Stat(o.Data); err == nil && !info.IsDir() || errors.Is(err, syscall.ENOTDIR) {
		return fmt.Errorf("--data %s: is a file, or in one: name a folder, which is made when there is none", o.Data)
	}
	return nil
}

// Folders of the edge in the data folder.
const (
	edgeCacheDir = "edge-cache"  // what the cache keeps on disk
	wafDir       = "waf"         // the operator's rules
	placesFile   = "places.json" // how the waiting rooms stand
)

// platform is a running `up`.
type platform struct {
	o        UpOptions
	log      *slog.Logger
	layout   *local.Layout
	cfg      config.Config
	self     string // this program
	edge     net.Listener
	ops      net.Listener
	sup      *local.Supervisor
	fo       *local.Failover
	chaos    *chaoslab.Mender
	state    running.State
	progress func(format string, args ...any)
}

// Up runs the whole platform until ctx ends, then stops it cleanly.
func Up(ctx context.Context, o UpOptions) (err error) {
	pipe := readyPipe()
	p := &platform{o: o, progress: progressTo(o.Progress, pipe)}
	for _, warning := range envWarnings(os.Environ()) {
		p.progress("warning: %s", warning)
	}
	if err := p.open(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	start := time.Now()
	if err := p.start(ctx); err != nil {
		if ctx.Err() != nil { // told to stop before it was ready: what stands, stands
			p.progress("stopping")
			return nil
		}
		return err
	}
	p.progress("ready after %.1f s", time.Since(start).Seconds())
	if err := running.WriteState(p.layout.Data.Dir, p.state); err != nil {
		return err
	}
	defer func() { _ = os.Remove(p.layout.Data.Path(running.StateFile)) }()
	if o.Ready != nil {
		o.Ready(p.state)
	}
	if pipe != nil {
		_, _ = fmt.Fprintln(pipe, readyLine)
		_ = pipe.Close()
	}
	return p.serve(ctx)
}

func progressTo(w io.Writer, pipe *os.File) func(string, ...any) {
	var mu sync.Mutex
	return func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		line := fmt.Sprintf(format, args...) + "\n"
		if pipe != nil {
			_, _ = io.WriteString(pipe, line) // whoever started us may be gone
		}
		_, _ = io.WriteString(w, line)
	}
}

// open takes the data folder and the listening sockets: what somebody else may have.
func (p *platform) open(ctx context.Context) (err error) {
	if p.self, err = os.Executable(); err != nil {
		return err
	}
	p.layout, err = local.Open(ctx, local.Options{Data: p.o.Data, Fresh: p.o.Fresh, Replicas: p.o.Replicas,
		Shards: p.o.Shards, Clusters: p.o.Clusters, RedisNodes: p.o.RedisNodes})
	if err != nil {
		return err
	}
	if err = p.openFiles(); err == nil {
		err = p.listen(ctx)
	}
	if err != nil {
		err = errors.Join(err, p.close())
	}
	return err
}

func (p *platform) openFiles() error {
	for _, dir := range []string{"log", "run", "mail", wafDir} {
		if err := os.MkdirAll(p.layout.Data.Path(dir), 0o755); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(filepath.Join(p.layout.LogDir, "up.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_ = debug.SetCrashOutput(f, debug.CrashOptions{}) // a detached platform has no terminal to die on
	p.log = newLogger(f, config.LogConfig{Level: "info"}, "up")
	return nil
}

func (p *platform) listen(ctx context.Context) (err error) {
	var lc net.ListenConfig
	if p.edge, err = lc.Listen(ctx, "tcp", net.JoinHostPort(p.o.Host, strconv.Itoa(p.o.Port))); err != nil {
		return fmt.Errorf("port of the edge: %w (choose another with --port)", err)
	}
	if p.ops, err = lc.Listen(ctx, "tcp", net.JoinHostPort(cmp.Or(p.o.OpsHost, "127.0.0.1"), strconv.Itoa(p.o.OpsPort))); err != nil {
		return fmt.Errorf("port of operations: %w (choose another with --ops-port)", err)
	}
	p.state = running.State{PID: os.Getpid(), URL: urlOf(p.edge), Ops: urlOf(p.ops), Data: p.layout.Data.Dir, Started: time.Now().UTC()}
	return nil
}

// urlOf is what a person on this machine types.
func urlOf(l net.Listener) string {
	host, port, _ := net.SplitHostPort(l.Addr().String()) // a TCP listener's address always splits
	if ip, err := netip.ParseAddr(host); err != nil || ip.IsUnspecified() || host == "127.0.0.1" || host == "::1" {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}

func (p *platform) start(ctx context.Context) error {
	var err error
	if p.cfg, err = p.config(); err != nil {
		return err
	}
	if err := p.cfg.Save(p.layout.Data.Path(running.ConfigFile)); err != nil {
		return err
	}
	if err := p.openChaos(ctx); err != nil {
		return err
	}
	if err := p.openLinks(ctx); err != nil {
		return err
	}
	procs, err := p.processes()
	if err != nil {
		return err
	}
	p.sup, err = local.NewSupervisor(procs, local.SupervisorOptions{PidFile: p.layout.Data.PidFile(), Logger: p.log,
		OnChange: func(s local.Status) {
			p.log.Info("process", "name", s.Name, "state", string(s.State), "pid", s.Pid, "error", s.LastError)
		}})
	if err != nil {
		return err
	}
	p.progress("starting PostgreSQL, Redis and NATS in %s", p.layout.Data.Dir)
	if err := p.sup.Start(ctx); err != nil {
		return err
	}
	p.fo = p.layout.StartFailover(p.sup, local.FailoverOptions{Logger: p.log})
	p.chaos.Mend(ctx, true)
	return nil
}

// serve answers operations until ctx ends.
func (p *platform) serve(ctx context.Context) error {
	ops := &platformOps{token: p.cfg.Admin.Token, host: p.o.OpsHost, members: p.members, status: func() any { return p.status() },
		failover: func() any { return p.fo.Status() }, own: prometheus.NewRegistry(), chaos: p.chaos, probes: probesOf(p.layout)}
	ops.own.MustRegister(p.fo)
	ops.desk = &desk{cfg: p.cfg, shop: p.state.URL}
	stop, err := p.watch(ctx, ops)
	if err != nil {
		return err
	}
	defer stop()
	defer ops.advise(ctx, p.cfg, p.log)()
	err = opshttp.ServeOn(ctx, p.log, p.ops, ops.handler(), time.Second, nil)
	if ctx.Err() != nil {
		p.progress("stopping")
	}
	return err
}

const stopLimit = 60 * time.Second

// close stops everything in reverse order. Safe in any state.
func (p *platform) close() error {
	var errs []error
	p.chaos.Close()
	if p.fo != nil {
		p.fo.Stop()
	}
	if p.sup != nil {
		ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
		defer cancel()
		errs = append(errs, p.sup.Stop(ctx))
	}
	if p.chaos != nil { // after the roles, which talk through them until the end
		errs = append(errs, p.chaos.Links.Close())
	}
	for _, l := range []net.Listener{p.edge, p.ops} {
		if l != nil {
			_ = l.Close() // serving may have closed it already
		}
	}
	return errors.Join(append(errs, p.layout.Close())...)
}
