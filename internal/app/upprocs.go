package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/app/edgerole"
	"github.com/stampede-shop/stampede/internal/app/opshttp"
	"github.com/stampede-shop/stampede/internal/app/running"
	"github.com/stampede-shop/stampede/internal/local"
)

// config is what the roles are told: everything on this machine.
func (p *platform) config() (config.Config, error) {
	cfg := config.Default()
	l := p.layout
	cfg.Catalog.Primary = l.CatalogPrimary
	cfg.Catalog.Replicas = readersOf(l.CatalogServers)
	for _, s := range l.Shards {
		cfg.Shards = append(cfg.Shards, config.ShardConfig{ID: s.ID, Weight: 1, DSN: s.DSN, Replicas: readersOf(s.Servers)})
	}
	cfg.Catalog.PoolSize = p.poolSize()
	cfg.Redis.Addr = l.RedisSocket
	if len(l.RedisNodes) > 0 {
		cfg.Redis.Addr = ""
		for _, n := range l.RedisNodes {
			cfg.Redis.Nodes = append(cfg.Redis.Nodes, n.Addr)
		}
	}
	cfg.NATS.URL = l.NATS.URL
	cfg.Payment.Provider = "test"
	cfg.Mail.Dir = l.Data.Path("mail")
	cfg.Edge.Profile, cfg.Edge.Limits = config.ProfileShop, cmp.Or(p.o.Limits, cfg.Edge.Limits)
	cfg.Edge.Cache.Dir, cfg.Edge.WAF.Files = l.Data.Path(edgeCacheDir), []string{l.Data.Path(wafDir)}
	cfg.Analytics.Enabled, cfg.Analytics.Dir, cfg.Analytics.Address = true, l.Data.Path(analyticsDir), "unix:"+p.socket(running.AnalyticsName+".ops")
	cfg.Analytics.Store, cfg.Analytics.DSN = cmp.Or(os.Getenv("STAMPEDE_ANALYTICS_STORE"), cfg.Analytics.Store), os.Getenv("STAMPEDE_ANALYTICS_DSN")
	cfg.Edge.Waitroom.File = l.Data.Path(placesFile)
	cfg.OTel.Endpoint = os.Getenv("STAMPEDE_OTEL_ENDPOINT")
	cfg.Alerts = alertsOfUp(cfg.Alerts)
	cfg.Telemetry.Dir = l.Data.Path("telemetry")
	cfg.Advice.Explain = config.ExplainFromEnv()
	act, wrong := config.ActFromEnv()
	cfg.Advice.Act = act
	token, err := running.Secret(l.Data.Path(running.TokenFile))
	if given := os.Getenv("STAMPEDE_ADMIN_TOKEN"); given != "" {
		token, err = given, running.WriteFileAtomic(l.Data.Path(running.TokenFile), []byte(given+"\n"), 0o600)
	}
	if err != nil {
		return cfg, err
	}
	key, err := running.Secret(l.Data.Path(running.SessionFile))
	cfg.Admin.Token, cfg.Session.Keys = token, []string{key}
	for i := range p.o.APIs {
		cfg.Edge.Origins = append(cfg.Edge.Origins, "unix:"+p.socket(running.APIName(i)))
	}
	cfg.Warm.ModelDir = l.Data.Path("predict")
	cfg.Warm.Edges = []config.WarmEdgeConfig{{URL: p.state.URL, Connect: p.edge.Addr().String(), Ops: "unix:" + p.socket("edge.ops")}}
	return cfg, errors.Join(err, wrong, cfg.Validate())
}

// readersOf are the servers that can be a replica: all, where there are two at least.
func readersOf(servers []local.Named) (list []config.ServerConfig) {
	if len(servers) < 2 {
		return nil
	}
	for _, s := range servers {
		list = append(list, config.ServerConfig{Name: s.Name, DSN: s.DSN})
	}
	return list
}

// poolSize keeps what all API processes and the worker open on the busiest primary below what it allows: for each a pool for the
// catalogue's writes, one for its reads and one for each shard, and a few connections that watch and listen.
func (p *platform) poolSize() int {
	const room, others, most, least = local.MaxConnections - 40, 8, 12, 2 // 40 for commands, replication and ourselves
	shards := map[int]int{}
	pools := 0
	for _, s := range p.layout.Shards {
		shards[s.Cluster]++
		pools = max(pools, shards[s.Cluster])
	}
	return max(least, min(most, (room/(p.o.APIs+1)-others)/(pools+2)))
}

// socket is where a role listens; ops sockets end in .ops. The folder is the one whose path is known to be short enough.
func (p *platform) socket(name string) string {
	return filepath.Join(filepath.Dir(p.layout.RedisSocket), name)
}

func (p *platform) processes() ([]local.Process, error) {
	procs := append([]local.Process(nil), p.layout.Processes...)
	data := slices.Concat([]string{prepareStep, "nats"}, p.layout.RedisNames, p.layout.PrimaryNames)
	procs = append(procs, p.natsProcess(), local.Process{Name: prepareStep, Needs: p.layout.PrimaryNames, Before: p.prepare, StartTimeout: prepareLimit})
	var apis []string
	for i := range p.o.APIs {
		apis = append(apis, running.APIName(i))
		procs = append(procs, p.roleProcess(running.APIName(i), "api", data, "--listen", "unix:"+p.socket(running.APIName(i))))
	}
	procs = append(procs, p.roleProcess("worker", "worker", data), p.roleProcess(running.AnalyticsName, "analytics", data))
	edge, err := p.edgeProcess(apis)
	return append(procs, edge), err
}

const (
	analyticsDir = "analytics" // in the data folder
	prepareStep  = "prepare"
	prepareLimit = time.Hour // a catalogue of millions takes its time
)

// roleProcess is this program in one role, told by the configuration file that up wrote.
func (p *platform) roleProcess(name, role string, needs []string, args ...string) local.Process {
	args = append([]string{role, "--config", p.configOf(role), "--name", name, "--ops", "unix:" + p.socket(name+".ops")}, args...)
	return local.Process{
		Name: name, Needs: needs, LogFile: filepath.Join(p.layout.LogDir, name+".log"),
		Command: func() (*exec.Cmd, error) {
			cmd := exec.Command(p.self, args...) //nolint:gosec // ourselves
			cmd.Env = roleEnv()
			return cmd, nil
		},
		Ready: func(ctx context.Context) error {
			_, err := opshttp.Get(ctx, "unix:"+p.socket(name+".ops"), "/readyz")
			return err
		},
	}
}

// passedOn are the keys that variables may set for the roles of `up`: what they do on the way, not where things are.
var passedOn = []string{
	"log.", "otel.", "edge.cache.", "edge.waf.", "edge.admission.", "edge.waitroom.", "edge.carts_per_client", "checkout.purchase_limit", "warm.", "telemetry.",
	"analytics.compact_days", "analytics.keep_days", "analytics.memory_mib", "analytics.queue_mib",
}

// roleEnv is our environment less what would override the configuration that up wrote; what the edge does on the way may be
// overridden.
func roleEnv() []string {
	keys := config.EnvKeys()
	var env []string
	for _, kv := range os.Environ() {
		name, value, _ := strings.Cut(kv, "=")
		if key, _ := keys(name, value); !strings.HasPrefix(name, config.EnvPrefix) || key == "" || edgerole.HasPrefix(key, passedOn...) {
			env = append(env, kv)
		}
	}
	return env
}

// edgeProcess gets the listening socket that we hold: connections wait in its backlog while the edge restarts.
func (p *platform) edgeProcess(apis []string) (local.Process, error) {
	file, err := local.ListenerFile(p.edge)
	if err != nil {
		return local.Process{}, err
	}
	proc := p.roleProcess(running.EdgeName, "edge", apis, "--listen", "fd:3")
	command := proc.Command
	proc.Command = func() (*exec.Cmd, error) {
		cmd, err := command()
		if err == nil {
			cmd.ExtraFiles = []*os.File{file}
		}
		return cmd, err
	}
	return proc, nil
}

// natsProcess runs the queue server embedded in this program as a process of its own, so that it can die and come back alone.
func (p *platform) natsProcess() local.Process {
	n := p.layout.NATS
	return local.Process{
		Name: "nats", LogFile: filepath.Join(p.layout.LogDir, "nats.log"), Ready: n.Ready,
		Command: func() (*exec.Cmd, error) {
			cmd := exec.Command(p.self, "nats", "--dir", n.Dir, "--port", fmt.Sprint(n.Port)) //nolint:gosec // ourselves
			cmd.Env = append(os.Environ(), "STAMPEDE_NATS_TOKEN="+n.Token)
			return cmd, nil
		},
	}
}

// members are the roles with an operations endpoint.
func (p *platform) members() []opshttp.Member {
	var out []opshttp.Member
	for i := range p.o.APIs {
		out = append(out, opshttp.Member{Name: running.APIName(i), Ops: "unix:" + p.socket(running.APIName(i)+".ops")})
	}
	return append(out, opshttp.Member{Name: "worker", Ops: "unix:" + p.socket("worker.ops")}, opshttp.Member{Name: running.AnalyticsName, Ops: "unix:" + p.socket(running.AnalyticsName+".ops")}, opshttp.Member{Name: running.EdgeName, Ops: "unix:" + p.socket(running.EdgeName+".ops")})
}

func (p *platform) status() running.Status {
	st := running.Status{State: p.state, Healthy: true, Clusters: p.fo.Status()}
	for _, s := range p.sup.Status() {
		if s.Name == prepareStep || s.Name == local.RedisJoin {
			continue
		}
		st.Healthy = st.Healthy && s.State == local.StateRunning
		st.Processes = append(st.Processes, running.ProcessStatus{Name: s.Name, State: string(s.State), PID: s.Pid, Restarts: s.Restarts,
			Since: s.Since, Address: p.address(s.Name), Error: s.LastError})
	}
	return st
}

func (p *platform) address(name string) string {
	switch {
	case name == running.EdgeName:
		return p.state.URL
	case name == "nats":
		return fmt.Sprintf("nats://127.0.0.1:%d", p.layout.NATS.Port)
	case name == "redis":
		return p.layout.RedisSocket
	case strings.HasPrefix(name, "redis-"):
		i := slices.IndexFunc(p.layout.RedisNodes, func(n local.Redis) bool { return n.Name == name })
		return p.layout.RedisNodes[i].Addr
	case strings.HasPrefix(name, "api-"):
		return "unix:" + p.socket(name)
	}
	return ""
}
