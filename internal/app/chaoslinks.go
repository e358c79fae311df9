package app

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stampede-shop/stampede/chaos/link"
	"github.com/stampede-shop/stampede/internal/app/chaoslab"
	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/internal/app/opshttp"
	"github.com/stampede-shop/stampede/internal/app/running"
	"github.com/stampede-shop/stampede/internal/local/pg"
)

// chaosClients are the roles that get links of their own, what they talk to besides NATS, and the folder of their sockets: a
// letter, since paths of sockets must be short.
var chaosClients = []chaosClient{
	{role: "api", folder: "a", redis: true, databases: true}, {role: "worker", folder: "w", redis: true, databases: true},
	{role: "analytics", folder: "n", databases: true}, {role: "edge", folder: "e", origins: true},
}

type chaosClient struct {
	role, folder              string
	redis, databases, origins bool
}

func roleConfigFile(role string) string { return "run/config-" + role + ".yaml" }

// configOf is the configuration file of a role.
func (p *platform) configOf(role string) string {
	if p.o.Chaos && slices.ContainsFunc(chaosClients, func(c chaosClient) bool { return c.role == role }) {
		return p.layout.Data.Path(roleConfigFile(role))
	}
	return p.layout.Data.Path(running.ConfigFile)
}

// openLinks puts a proxy on every link from a role to a server, and writes configurations that lead through them. Commands go on
// reading the plain one: an audit must not be hit by what it audits.
func (p *platform) openLinks(ctx context.Context) error {
	if !p.o.Chaos {
		return nil
	}
	root := filepath.Dir(p.layout.RedisSocket)
	if len(root)+2 > pg.MaxSocketDir {
		return fmt.Errorf("--chaos: the folder of sockets %s has too long a path for proxies in it: choose a shorter --data", root)
	}
	for _, c := range chaosClients {
		l := linker{chaosClient: c, p: p, dir: filepath.Join(root, c.folder)}
		if err := os.MkdirAll(l.dir, 0o700); err != nil {
			return err
		}
		cfg, err := l.config(ctx)
		if err != nil {
			return fmt.Errorf("--chaos: links of %s: %w", c.role, err)
		}
		if err := cfg.Save(p.layout.Data.Path(roleConfigFile(c.role))); err != nil {
			return err
		}
	}
	return nil
}

// linker makes the links of one role.
type linker struct {
	chaosClient
	p   *platform
	dir string // of its sockets
}

// config is the configuration of the role, through proxies.
func (l linker) config(ctx context.Context) (config.Config, error) {
	cfg := l.p.cfg
	cfg.Chaos.Enabled = true
	var err error
	if cfg.NATS.URL, err = l.nats(ctx, cfg.NATS.URL); err != nil {
		return cfg, err
	}
	if l.origins {
		return l.throughOrigins(ctx, cfg)
	}
	if l.redis && cfg.Redis.Addr != "" { // the members of a cluster name each other to clients, and no proxy
		if cfg.Redis.Addr, err = l.unix(ctx, "redis", cfg.Redis.Addr, nil); err != nil {
			return cfg, err
		}
	}
	if !l.databases {
		return cfg, nil
	}
	if err := l.servers(ctx); err != nil {
		return cfg, err
	}
	return l.throughServers(cfg)
}

// unix makes a link to the server at a Unix socket.
func (l linker) unix(ctx context.Context, server, path string, label func([]byte) (string, bool)) (string, error) {
	near := filepath.Join(l.dir, filepath.Base(path))
	ln, err := opshttp.Listen(ctx, "unix:"+near)
	if err != nil {
		return "", err
	}
	l.serve(server, ln, "unix", path, label)
	return near, nil
}

func (l linker) serve(server string, ln net.Listener, network, far string, label func([]byte) (string, bool)) {
	p := link.New(link.Options{Label: label, Log: l.p.log, Dial: func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, far)
	}})
	p.Serve(ln)
	l.p.chaos.Links.Add(l.role+":"+server, p)
}

func (l linker) nats(ctx context.Context, far string) (string, error) {
	u, err := url.Parse(far)
	if err != nil {
		return "", err
	}
	ln, err := opshttp.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	l.serve("nats", ln, "tcp", u.Host, nil)
	u.Host = ln.Addr().String()
	return u.String(), nil
}

func (l linker) throughOrigins(ctx context.Context, cfg config.Config) (config.Config, error) {
	cfg.Edge.Origins = append([]string(nil), cfg.Edge.Origins...)
	for i, o := range cfg.Edge.Origins {
		near, err := l.unix(ctx, running.APIName(i), strings.TrimPrefix(o, "unix:"), nil)
		if err != nil {
			return cfg, err
		}
		cfg.Edge.Origins[i] = "unix:" + near
	}
	return cfg, nil
}

// servers makes a link to each PostgreSQL server; connections are labelled with their database.
func (l linker) servers(ctx context.Context) error {
	for _, s := range chaoslab.PostgresServers(l.p.layout) {
		socket, err := socketOf(s.DSN)
		if err == nil {
			_, err = l.unix(ctx, s.Name, socket, startupDatabase)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// throughServers leads every DSN through the proxies: the folder of the sockets is all that differs.
func (l linker) throughServers(cfg config.Config) (_ config.Config, err error) {
	move := func(dsn string) string {
		moved, e := moveDSN(dsn, l.dir)
		if e != nil {
			err = e
		}
		return moved
	}
	moveAll := func(list []config.ServerConfig) (out []config.ServerConfig) {
		for _, s := range list {
			out = append(out, config.ServerConfig{Name: s.Name, DSN: move(s.DSN)})
		}
		return out
	}
	cfg.Catalog.Primary, cfg.Catalog.Replicas = move(cfg.Catalog.Primary), moveAll(cfg.Catalog.Replicas)
	var shards []config.ShardConfig
	for _, s := range cfg.Shards {
		s.DSN, s.Replicas = move(s.DSN), moveAll(s.Replicas)
		shards = append(shards, s)
	}
	cfg.Shards = shards
	return cfg, err
}

// moveDSN names another folder for each host of a DSN.
func moveDSN(dsn, dir string) (string, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return "", err
	}
	q := u.Query()
	hosts := strings.Split(q.Get("host"), ",")
	for i := range hosts {
		hosts[i] = dir
	}
	q.Set("host", strings.Join(hosts, ","))
	u.RawQuery = strings.ReplaceAll(q.Encode(), "+", "%20")
	return u.String(), nil
}

// socketOf is the socket of the one server that a DSN names.
func socketOf(dsn string) (string, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return "", err
	}
	return filepath.Join(u.Query().Get("host"), ".s.PGSQL."+u.Query().Get("port")), nil
}

// What the first message of a PostgreSQL client says: its length, what it is, and settings.
const (
	startupHead     = 8
	startupProtocol = 3 << 16
	startupLongest  = 10_000
)

// startupDatabase reads from a client's first message which database it wants; "" of what is no such message.
func startupDatabase(first []byte) (string, bool) {
	if len(first) < startupHead {
		return "", false
	}
	length := int(binary.BigEndian.Uint32(first))
	if binary.BigEndian.Uint32(first[4:]) != startupProtocol || length < startupHead || length > startupLongest {
		return "", true
	}
	if len(first) < length {
		return "", false
	}
	words := bytes.Split(first[startupHead:length], []byte{0})
	for i := 0; i+1 < len(words); i += 2 {
		if string(words[i]) == "database" {
			return string(words[i+1]), true
		}
	}
	return "", true
}
