package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/stampede-shop/stampede/internal/local/pg"
	"github.com/stampede-shop/stampede/internal/local/proc"
)

// Options say what is to run on this machine.
type Options struct {
	Data     string // the data folder; needed
	Fresh    bool   // drop what is in it first
	Replicas int    // streaming replicas of each primary, 0 to 16
	Shards   int    // shard databases; 0 is 4
	Clusters int    // primaries, over which the shards are spread; 0 is 1, at most 16
	// RedisNodes is 1, or the size of a Redis Cluster: 6 or more. 0 is 1.
	RedisNodes int
	Memory     int64 // bytes that settings are sized for; 0 is what the machine has
	// NoSync lets commits wait for no replica. Then a primary that dies is started again, and never replaced: its last commits
	// are nowhere else.
	NoSync bool
}

// MaxConnections is how many connections each server accepts.
const MaxConnections = pg.MaxConnections

// Named is a database on one server.
type Named struct {
	Name string // the server's process: replica-1
	DSN  string
}

// Shard is one shard's database on its primary and on the replicas of that.
type Shard struct {
	ID       string // shard1
	Cluster  int    // from 1
	Primary  string // the process of its primary, when the layout was made
	DSN      string // of whichever server is the primary
	Replicas []Named
	Servers  []Named // the primary and the replicas: all that can be either
}

// NATS says where the NATS server is to be. It is run by whoever has natsserver linked in.
type NATS struct {
	Dir   string // for Options.Dir
	Port  int    // the same after every restart
	Token string
	URL   string // for clients; holds the token
}

// Layout is what runs on this machine and where it is reached. The processes are to be run by a
// Supervisor; PostgreSQL's data is made, and grown, by them when they start. DSNs are URLs, to which
// &name=value can be added; their role owns the databases and is no superuser.
type Layout struct {
	Data            *Data
	Processes       []Process
	CatalogPrimary  string   // leads to whichever server is the primary
	CatalogReplicas []Named  // standbys, when the layout was made
	CatalogServers  []Named  // all servers: the primary changes by failover, the names stay with the folders
	Shards          []Shard  // in the order of their numbers
	RedisAddr       string   // host:port on the loopback
	RedisSocket     string   // the same server's Unix socket, faster
	RedisNodes      []Redis  // of a cluster, in the order of their numbers; nil without one. The first is RedisAddr's
	RedisNames      []string // the processes, and the step that joins them, that have to be ready before it is of use
	NATS            NATS
	LogDir          string
	PrimaryNames    []string // the processes that write, when the layout was made

	clusters  []*pgCluster
	sync      bool
	sockets   string
	recording sync.Mutex
}

// Open takes hold of the data folder, cleans up after a run that was killed, and lays out the servers.
// It starts nothing. Close the layout when the supervisor has stopped.
func Open(ctx context.Context, o Options) (*Layout, error) {
	o, err := o.checked()
	if err != nil {
		return nil, err
	}
	data, err := OpenData(ctx, o.Data, o.Fresh)
	if err != nil {
		return nil, err
	}
	l := &Layout{Data: data, LogDir: data.Path("log")}
	if err := l.lay(o); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (o Options) checked() (Options, error) {
	if o.Shards == 0 {
		o.Shards = 4
	}
	if o.Clusters == 0 {
		o.Clusters = 1
	}
	if o.RedisNodes == 0 {
		o.RedisNodes = 1
	}
	if o.Memory == 0 {
		o.Memory = machineMemory()
	}
	if o.Memory == 0 {
		o.Memory = 4 << 30
	}
	switch {
	case o.Data == "":
		return o, errors.New("the data folder is not given")
	case o.Replicas < 0 || o.Replicas > maxReplicas:
		return o, fmt.Errorf("--replicas is %d; 0 to %d are allowed", o.Replicas, maxReplicas)
	case o.Clusters < 1 || o.Clusters > 16:
		return o, fmt.Errorf("--clusters is %d; 1 to 16 are allowed", o.Clusters)
	case o.Shards < 1 || o.Shards > 256:
		return o, fmt.Errorf("--shards is %d; 1 to 256 are allowed", o.Shards)
	}
	return o, CheckRedisNodes(o.RedisNodes)
}

// lay decides on everything, in the order in which one thing depends on another.
func (l *Layout) lay(o Options) error {
	user, err := l.Data.serverUser()
	if err != nil {
		return err
	}
	for _, dir := range []string{l.Data.Path("run"), l.LogDir} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	root, err := l.Data.pgRoot(user)
	if err != nil {
		return err
	}
	if l.sockets, err = l.Data.sockets(user); err != nil {
		return err
	}
	if err := l.layPostgres(o, user, root); err != nil {
		return err
	}
	if err := l.layRedis(o, user); err != nil {
		return err
	}
	return l.layNATS()
}

func (l *Layout) layRedis(o Options, user *proc.User) error {
	binary, err := findRedis()
	if err != nil {
		return err
	}
	memory := max(64<<20, min(o.Memory/16, 1<<30))
	if o.RedisNodes > 1 {
		return l.layRedisCluster(o.RedisNodes, redis{binary: binary, user: user, memory: memory})
	}
	port, err := l.Data.Port("redis")
	if err != nil {
		return err
	}
	r := redis{binary: binary, user: user, port: port, socket: filepath.Join(l.sockets, "redis.sock"), memory: memory}
	l.RedisAddr, l.RedisSocket, l.RedisNames = r.addr(), r.socket, []string{"redis"}
	l.Processes = append(l.Processes, r.process("redis", filepath.Join(l.LogDir, "redis.log")))
	return nil
}

func (l *Layout) layNATS() (err error) {
	l.NATS.Dir = l.Data.Path("nats")
	if l.NATS.Port, err = l.Data.Port("nats"); err != nil {
		return err
	}
	if l.NATS.Token, err = l.Data.Secret("nats-token"); err != nil {
		return err
	}
	l.NATS.URL = fmt.Sprintf("nats://%s@127.0.0.1:%d", l.NATS.Token, l.NATS.Port)
	return nil
}

// Ready looks whether clients can connect and JetStream runs; for the Ready of its process.
func (n NATS) Ready(ctx context.Context) error { return natsReady(ctx, n.Port) }

// Close removes the sockets' folder and lets go of the data folder. Only after the supervisor has
// stopped. Safe to call twice.
func (l *Layout) Close() error {
	var err error
	if l.sockets != "" {
		err = os.RemoveAll(l.sockets)
	}
	return errors.Join(err, l.Data.Close())
}

// layPostgres lays out the primaries and replicas and says where each database is.
func (l *Layout) layPostgres(o Options, user *proc.User, root string) error {
	recorded, err := readTopology(root)
	if err != nil {
		return err
	}
	plan, err := recorded.grow(o.Shards, o.Clusters)
	if err != nil {
		return err
	}
	bin, err := pg.Find(majorOf(root))
	if err != nil {
		return err
	}
	settings := pg.Durable(pg.Size{Memory: o.Memory, Instances: o.Clusters * (1 + o.Replicas)})
	statistics, extensions := bin.StatementStatistics(), bin.Extensions()
	l.sync = !o.NoSync
	for k := 1; k <= o.Clusters; k++ {
		c, err := newCluster(k, o.Replicas, pg.Server{Bin: bin, User: user, SocketDir: l.sockets}, root)
		if err != nil {
			return err
		}
		c.settings, c.extensions = settings.With(statistics), extensions
		c.databases, c.logDir = plan.on(k), l.LogDir
		c.record = func() error { return l.record(root, plan, k) }
		if err := c.dropOld(); err != nil {
			return err
		}
		l.clusters = append(l.clusters, c)
		l.Processes = append(l.Processes, c.processes()...)
		l.PrimaryNames = append(l.PrimaryNames, c.primary().name)
	}
	l.addresses(plan)
	return nil
}

// majorOf is the version of PostgreSQL that made the data; 0 when there is none.
func majorOf(root string) int {
	for _, pattern := range []string{"primary1", "replica1-*"} {
		dirs, _ := filepath.Glob(filepath.Join(root, pattern))
		for _, dir := range dirs {
			if major, ok := pg.Exists(dir); ok {
				return major
			}
		}
	}
	return 0
}

func (l *Layout) addresses(plan topology) {
	first := l.clusters[0]
	l.CatalogPrimary, l.CatalogReplicas = first.writer(catalogDB), on(first.others(first.primary()), catalogDB)
	l.CatalogServers = on(first.servers, catalogDB)
	for n := 1; n <= len(plan.Shards); n++ {
		id := shardID(n)
		k := plan.Shards[id]
		c := l.clusters[k-1]
		p := c.primary()
		l.Shards = append(l.Shards, Shard{ID: id, Cluster: k, Primary: p.name, DSN: c.writer(id), Replicas: on(c.others(p), id), Servers: on(c.servers, id)})
	}
}
