package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

const (
	leastCluster = 6 // three masters, without whom nobody can be elected, and a replica for each
	mostCluster  = 32
	slotCount    = 16384
)

// RedisJoin is the step that makes a cluster of nodes.
const RedisJoin = "redis-cluster"

// Redis is one node of a cluster.
type Redis struct {
	Name string // its process: redis-1
	Addr string // host:port on the loopback
}

// CheckRedisNodes says how many nodes there may be.
func CheckRedisNodes(n int) error {
	if n != 1 && (n < leastCluster || n > mostCluster) {
		return fmt.Errorf("--redis-nodes is %d; 1 is allowed, or %d to %d for a Redis Cluster: three masters at least, and a replica for each",
			n, leastCluster, mostCluster)
	}
	return nil
}

// layRedisCluster lays out nodes, half of them masters. They hold no data over a restart of the platform, so the cluster is made anew
// each time: what an earlier run left, of whatever size it was, does not matter.
func (l *Layout) layRedisCluster(n int, like redis) error {
	if err := checkRedisVersion(like.binary); err != nil {
		return err
	}
	masters := n / 2
	like.memory = max(32<<20, like.memory/int64(masters))
	nodes := make([]redis, n)
	for i := range nodes {
		name := fmt.Sprintf("redis-%d", i+1)
		r := like
		var err error
		if r.port, err = l.Data.Port(name); err != nil {
			return err
		}
		if r.bus, err = l.Data.Port(name + "-bus"); err != nil {
			return err
		}
		r.socket, r.dir = filepath.Join(l.sockets, name+".sock"), filepath.Join(l.sockets, name)
		if err := os.RemoveAll(r.dir); err != nil {
			return err
		}
		if err := r.user.Mkdir(r.dir); err != nil {
			return err
		}
		nodes[i] = r
		l.RedisNodes = append(l.RedisNodes, Redis{name, r.addr()})
		l.RedisNames = append(l.RedisNames, name)
		l.Processes = append(l.Processes, r.process(name, filepath.Join(l.LogDir, name+".log")))
	}
	l.Processes = append(l.Processes, Process{Name: RedisJoin, Needs: l.RedisNames, StartTimeout: time.Minute,
		Before: func(ctx context.Context) error { return joinRedis(ctx, nodes, masters) }})
	l.RedisAddr, l.RedisSocket = nodes[0].addr(), nodes[0].socket
	l.RedisNames = append(l.RedisNames[:n:n], RedisJoin)
	return nil
}

var redisVersion = regexp.MustCompile(`v=(\d+)\.`)

// checkRedisVersion refuses servers that do not take the settings of a cluster's nodes.
func checkRedisVersion(binary string) error {
	out, err := exec.Command(binary, "--version").Output()
	if err != nil {
		return fmt.Errorf("%s --version: %w", binary, err)
	}
	if m := redisVersion.FindSubmatch(out); m != nil {
		if major, _ := strconv.Atoi(string(m[1])); major < 7 {
			return fmt.Errorf("a Redis Cluster needs Redis 7 or newer, and this is %s; use --redis-nodes 1", strings.TrimSpace(string(out)))
		}
	}
	return nil
}

// clusterSettings are those of a node beyond a single server's. A master that dies is replaced after two seconds; one that is back
// before, empty, stays what it was. Whatever is lost, the others go on, and a replica may take over however old its data is: what it
// lacks the cache finds out.
func (r redis) clusterSettings() []string {
	return []string{"--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-port", strconv.Itoa(r.bus),
		"--cluster-node-timeout", "2000", "--cluster-require-full-coverage", "no", "--cluster-replica-validity-factor", "0",
		"--repl-diskless-sync-delay", "0", "--repl-diskless-load", "on-empty-db", "--shutdown-timeout", "0"}
}

// joinRedis makes a cluster of running nodes, the first of them masters, and returns when it serves all slots and the replicas follow.
// Safe to run again.
func joinRedis(ctx context.Context, nodes []redis, masters int) error {
	c := &clusterMaker{nodes: nodes, masters: masters}
	defer c.close()
	for _, step := range []func(context.Context) error{c.connect, c.spread, c.meet, c.follow, c.settle} {
		if err := step(ctx); err != nil {
			return fmt.Errorf("make a cluster of the Redis nodes: %w", err)
		}
	}
	return nil
}

// clusterMaker talks to each node alone.
type clusterMaker struct {
	nodes   []redis
	masters int
	clients []rueidis.Client
	ids     []string
}

func (c *clusterMaker) close() {
	for _, x := range c.clients {
		x.Close()
	}
}

func (c *clusterMaker) connect(ctx context.Context) error {
	for i, n := range c.nodes {
		x, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{n.addr()}, ForceSingleClient: true, DisableCache: true})
		if err != nil {
			return err
		}
		c.clients = append(c.clients, x)
		id, err := c.ask(ctx, i, "CLUSTER", "MYID")
		if err != nil {
			return err
		}
		c.ids = append(c.ids, id)
	}
	return nil
}

// ask runs a command on one node.
func (c *clusterMaker) ask(ctx context.Context, i int, words ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	x := c.clients[i]
	text, err := x.Do(ctx, x.B().Arbitrary(words...).Build()).ToString()
	if err != nil {
		return "", fmt.Errorf("%s of node %d: %w", strings.Join(words, " "), i+1, err)
	}
	return text, nil
}

// spread gives each master its share of the slots, unless it was done before.
func (c *clusterMaker) spread(ctx context.Context) error {
	for i := range c.masters {
		info, err := c.ask(ctx, i, "CLUSTER", "INFO")
		if err != nil {
			return err
		}
		if !strings.Contains(info, "cluster_slots_assigned:0") {
			continue
		}
		if _, err := c.ask(ctx, i, "CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1)); err != nil { // else they have to be told apart later
			return err
		}
		from, to := i*slotCount/c.masters, (i+1)*slotCount/c.masters-1
		if _, err := c.ask(ctx, i, "CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(from), strconv.Itoa(to)); err != nil {
			return err
		}
	}
	return nil
}

// meet makes the nodes known to each other.
func (c *clusterMaker) meet(ctx context.Context) error {
	for _, n := range c.nodes[1:] {
		if _, err := c.ask(ctx, 0, "CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(n.port), strconv.Itoa(n.bus)); err != nil {
			return err
		}
	}
	return c.until(ctx, "they know each other", "CLUSTER", "NODES", func(_ int, text string) bool {
		for _, id := range c.ids {
			if !strings.Contains(text, id) {
				return false
			}
		}
		return true
	})
}

// follow gives each of the other nodes a master, unless it has one.
func (c *clusterMaker) follow(ctx context.Context) error {
	for i := c.masters; i < len(c.nodes); i++ {
		role, err := c.ask(ctx, i, "INFO", "replication")
		if err != nil {
			return err
		}
		if strings.Contains(role, "role:slave") {
			continue
		}
		if _, err := c.ask(ctx, i, "CLUSTER", "REPLICATE", c.ids[i%c.masters]); err != nil {
			return err
		}
	}
	return nil
}

// settle waits until the cluster is of use.
func (c *clusterMaker) settle(ctx context.Context) error {
	err := c.until(ctx, "all slots are served", "CLUSTER", "INFO", func(_ int, text string) bool {
		return strings.Contains(text, "cluster_state:ok") && strings.Contains(text, "cluster_slots_ok:"+strconv.Itoa(slotCount))
	})
	if err != nil {
		return err
	}
	return c.until(ctx, "replicas follow", "INFO", "replication", func(_ int, text string) bool {
		return !strings.Contains(text, "role:slave") || strings.Contains(text, "master_link_status:up")
	})
}

// until asks every node the same until its answer is right.
func (c *clusterMaker) until(ctx context.Context, what, command, about string, right func(i int, answer string) bool) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i := range c.nodes {
		for {
			answer, err := c.ask(ctx, i, command, about)
			if err == nil && right(i, answer) {
				break
			}
			select {
			case <-ctx.Done():
				return errors.Join(fmt.Errorf("node %d: not in time: %s", i+1, what), err)
			case <-tick.C:
			}
		}
	}
	return nil
}
