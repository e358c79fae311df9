package local

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/stampede-shop/stampede/internal/local/pg"
)

// catalogDB is the name of the catalogue's database.
const catalogDB = "catalog"

// pgCluster is one primary with its streaming replicas. On disk: primaryK and replicaK-R in the root. Which of them is the
// primary is in roles; the names stay with the folders.
type pgCluster struct {
	number     int
	servers    []*clusterServer
	roles      *roleFile
	settings   pg.Settings
	databases  []string
	extensions []string     // made in every database; only a superuser can
	record     func() error // notes, once they are made, which databases are here
	root       string
	logDir     string
	failover   atomic.Pointer[clusterFailover] // nil: whoever was the primary stays it
}

// clusterServer is a server of a cluster: number 0 is in the folder primaryK, number r in replicaK-r.
type clusterServer struct {
	*pg.Server
	number  int
	name    string      // of its process
	started atomic.Bool // by this supervisor
	rebuild atomic.Bool // its data cannot follow: it is to be made anew
}

func (m *clusterServer) slot() string { return slotName(m.number) }

// newCluster lays out cluster k; like is what all its servers have in common. There is one server more than replicas, and the one
// that is the primary is among them.
func newCluster(k, replicas int, like pg.Server, root string) (*pgCluster, error) {
	c := &pgCluster{number: k, root: root}
	var err error
	if c.roles, err = openRoles(root, k); err != nil {
		return nil, err
	}
	numbers := make([]int, 0, replicas+1)
	primary := c.roles.get().Primary
	for n := 0; n < replicas || n == replicas && primary <= replicas; n++ {
		numbers = append(numbers, n)
	}
	if primary > replicas {
		numbers = append(numbers, primary)
	}
	for _, n := range numbers {
		s := like
		s.DataDir, s.Port = c.dir(n), 5432+(maxReplicas+4)*(k-1)+n
		c.servers = append(c.servers, &clusterServer{Server: &s, number: n, name: c.processName(n)})
	}
	return c, nil
}

// primary is the server that is to accept writes.
func (c *pgCluster) primary() *clusterServer { return c.server(c.roles.get().Primary) }

func (c *pgCluster) server(number int) *clusterServer {
	for _, m := range c.servers {
		if m.number == number {
			return m
		}
	}
	return c.servers[0] // newCluster made sure that the primary is there
}

// others are all servers but one.
func (c *pgCluster) others(than *clusterServer) []*clusterServer {
	var list []*clusterServer
	for _, m := range c.servers {
		if m != than {
			list = append(list, m)
		}
	}
	return list
}

// on names a database on some of the servers.
func on(servers []*clusterServer, database string) []Named {
	var list []Named
	for _, m := range servers {
		list = append(list, Named{Name: m.name, DSN: m.DSN(database)})
	}
	return list
}

// writer is the connection string of a database on whichever server is the primary; the present one is tried first.
func (c *pgCluster) writer(database string) string {
	p := c.primary()
	servers := []*pg.Server{p.Server}
	for _, m := range c.others(p) {
		servers = append(servers, m.Server)
	}
	return pg.WriterDSN(database, servers...)
}

// maxReplicas keeps within the replication slots and senders of a primary, with some to spare.
const maxReplicas = 16

func slotName(server int) string { return fmt.Sprintf("stampede_replica_%d", server) }

// processName is plain on the first cluster, numbered on the others.
func (c *pgCluster) processName(server int) string {
	suffix := ""
	if c.number > 1 {
		suffix = fmt.Sprint(c.number)
	}
	if server == 0 {
		return "primary" + suffix
	}
	return fmt.Sprintf("replica%s-%d", suffix, server)
}

func (c *pgCluster) dir(server int) string {
	if server == 0 {
		return filepath.Join(c.root, fmt.Sprintf("primary%d", c.number))
	}
	return filepath.Join(c.root, fmt.Sprintf("replica%d-%d", c.number, server))
}

// processes are in the order of the folders; the standbys need the server that is the primary now.
func (c *pgCluster) processes() []Process {
	primary := c.primary()
	var list []Process
	for _, m := range c.servers {
		p := c.process(m)
		if m != primary {
			p.Needs = []string{primary.name}
		}
		list = append(list, p)
	}
	return list
}

// process is what primaries and replicas have in common. The first start may take long: after a crash
// the log has to be replayed, and sessions of a killed server be waited for.
func (c *pgCluster) process(m *clusterServer) Process {
	return Process{
		Name:         m.name,
		Command:      func() (*exec.Cmd, error) { return m.Command(), nil },
		Before:       func(ctx context.Context) error { return c.prepare(ctx, m) },
		Ready:        m.Ping,
		After:        func(ctx context.Context) error { return c.complete(ctx, m) },
		StartTimeout: 5 * time.Minute, StartTries: 40,
		StopSignal: pg.StopSignal, StopTimeout: 30 * time.Second, DeathSignal: pg.DeathSignal,
		LogFile: filepath.Join(c.logDir, m.name+".log"),
	}
}

// prepare makes a server ready to start in the role that it has, which is decided anew when it is the primary that has ended.
func (c *pgCluster) prepare(ctx context.Context, m *clusterServer) error {
	if f := c.failover.Load(); f != nil && m.started.Load() {
		if err := f.ended(ctx, m); err != nil {
			return err
		}
	}
	if err := m.ClearStale(ctx); err != nil {
		return err
	}
	if c.primary() == m {
		return c.preparePrimary(ctx, m)
	}
	return c.prepareStandby(ctx, m)
}

// complete makes what a running server has to have in its role.
func (c *pgCluster) complete(ctx context.Context, m *clusterServer) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	m.started.Store(true)
	if c.primary() == m {
		return c.completePrimary(ctx, m)
	}
	return m.DropSlotsExcept(ctx, nil) // of a time when it was the primary: they would keep log for ever
}

// dropOld removes the data of servers that are no longer asked for.
func (c *pgCluster) dropOld() error {
	kept := map[int]bool{}
	for _, m := range c.servers {
		kept[m.number] = true
	}
	for n := range maxReplicas + 1 {
		if kept[n] {
			continue
		}
		if err := os.RemoveAll(c.dir(n)); err != nil {
			return err
		}
	}
	return nil
}
