package cache_test

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/rueidis"
	"github.com/stampede-shop/stampede/internal/local/localtest"
)

const slots = 16384

// redisCluster is three masters and three replicas.
type redisCluster struct {
	servers []*localtest.RedisServer
	admin   []rueidis.Client // one a server, to that server alone
	ids     []string
}

func newCluster(tb testing.TB) *redisCluster {
	tb.Helper()
	c := &redisCluster{}
	for i := range 6 {
		bus, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			tb.Fatal(err)
		}
		port := bus.Addr().(*net.TCPAddr).Port
		_ = bus.Close()
		r := localtest.Redis(tb, "--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-port", strconv.Itoa(port),
			"--cluster-node-timeout", "1000", "--cluster-require-full-coverage", "no", "--repl-diskless-sync-delay", "0")
		a, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{r.Addr}, ForceSingleClient: true, DisableCache: true})
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(a.Close)
		c.servers, c.admin = append(c.servers, r), append(c.admin, a)
		c.ids = append(c.ids, c.do(tb, i, "CLUSTER", "MYID"))
		if _, own, _ := net.SplitHostPort(r.Addr); i > 0 {
			c.do(tb, 0, "CLUSTER", "MEET", "127.0.0.1", own, strconv.Itoa(port))
		}
	}
	for i := range 3 {
		c.do(tb, i, "CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(i*slots/3), strconv.Itoa((i+1)*slots/3-1))
	}
	for i := range 3 {
		eventually(tb, "the replica knows its master", func() bool { return strings.Contains(c.do(tb, 3+i, "CLUSTER", "NODES"), c.ids[i]) })
		c.do(tb, 3+i, "CLUSTER", "REPLICATE", c.ids[i])
	}
	for i := range 6 {
		eventually(tb, "the cluster stands", func() bool {
			return strings.Contains(c.do(tb, i, "CLUSTER", "INFO"), "cluster_state:ok") && strings.Count(c.do(tb, i, "CLUSTER", "NODES"), "slave") == 3
		})
	}
	for i := range 3 {
		eventually(tb, "the replicas follow", func() bool {
			return strings.Contains(c.do(tb, 3+i, "INFO", "replication"), "master_link_status:up")
		})
	}
	return c
}

// do runs a command on one server and returns its answer as text.
func (c *redisCluster) do(tb testing.TB, i int, words ...string) string {
	tb.Helper()
	a := c.admin[i]
	res := a.Do(tb.Context(), a.B().Arbitrary(words...).Build())
	text, err := res.ToString()
	if err != nil {
		tb.Fatalf("%v on %d: %v", words, i, err)
	}
	return text
}

func (c *redisCluster) addrs() (out []string) {
	for _, s := range c.servers {
		out = append(out, s.Addr)
	}
	return out
}

// keysOf are the keys of one slot on a server.
func (c *redisCluster) keysOf(tb testing.TB, i, slot int) []string {
	a := c.admin[i]
	keys, err := a.Do(tb.Context(), a.B().Arbitrary("CLUSTER", "GETKEYSINSLOT", strconv.Itoa(slot), "1000").Build()).AsStrSlice()
	if err != nil {
		tb.Fatal(err)
	}
	return keys
}

// move takes a slot with its keys from one master to another, as redis-cli does.
func (c *redisCluster) move(tb testing.TB, slot, from, to int) {
	n := strconv.Itoa(slot)
	c.do(tb, to, "CLUSTER", "SETSLOT", n, "IMPORTING", c.ids[from])
	c.do(tb, from, "CLUSTER", "SETSLOT", n, "MIGRATING", c.ids[to])
	host, port, _ := net.SplitHostPort(c.servers[to].Addr)
	for keys := c.keysOf(tb, from, slot); len(keys) > 0; keys = c.keysOf(tb, from, slot) {
		c.do(tb, from, append([]string{"MIGRATE", host, port, "", "0", "5000", "KEYS"}, keys...)...)
	}
	c.do(tb, to, "CLUSTER", "SETSLOT", n, "NODE", c.ids[to])
	c.do(tb, from, "CLUSTER", "SETSLOT", n, "NODE", c.ids[to])
}

// slotOf is where a key lies.
func (c *redisCluster) slotOf(tb testing.TB, key string) int {
	a := c.admin[0]
	n, err := a.Do(tb.Context(), a.B().ClusterKeyslot().Key(key).Build()).AsInt64()
	if err != nil {
		tb.Fatal(err)
	}
	return int(n)
}

// failover waits until the replica of a dead master has taken over.
func (c *redisCluster) failover(tb testing.TB, master int) {
	c.servers[master].Kill()
	eventually(tb, "the replica takes over", func() bool {
		return strings.Contains(c.do(tb, master+3, "INFO", "replication"), "role:master")
	})
	eventually(tb, "the cluster is whole", func() bool {
		return strings.Contains(c.do(tb, master+3, "CLUSTER", "INFO"), fmt.Sprintf("cluster_slots_ok:%d", slots))
	})
}

// unfollow ends the replication of a master: what it is told from now on dies with it.
func (c *redisCluster) unfollow(tb testing.TB, master int) {
	c.do(tb, master, "ACL", "SETUSER", "default", "-psync", "-sync")
	a := c.admin[master]
	if err := a.Do(tb.Context(), a.B().Arbitrary("CLIENT", "KILL", "TYPE", "replica").Build()).Error(); err != nil {
		tb.Fatal(err)
	}
	eventually(tb, "the replica is cut off", func() bool {
		return strings.Contains(c.do(tb, master+3, "INFO", "replication"), "master_link_status:down")
	})
}
