package local

import (
	"context"
	"strings"
	"syscall"
	"testing"

	"github.com/redis/rueidis"
)

// clusterClient is a client of the whole cluster.
func clusterClient(t *testing.T, p *platform) rueidis.Client {
	t.Helper()
	var addrs []string
	for _, n := range p.RedisNodes {
		addrs = append(addrs, n.Addr)
	}
	c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: addrs, DisableCache: true})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func clusterRoles(t *testing.T, c rueidis.Client) (masters, replicas int) {
	t.Helper()
	text, err := c.Do(t.Context(), c.B().Arbitrary("CLUSTER", "NODES").Build()).ToString()
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(text) {
		switch {
		case strings.Contains(line, "fail"):
		case strings.Contains(line, "master"):
			masters++
		case strings.Contains(line, "slave"):
			replicas++
		}
	}
	return masters, replicas
}

// A cluster stands when up returns, a node that dies comes back into it, and one that hangs is replaced; the next start makes it anew,
// whatever was left, or another size, or a single server.
func TestRedisCluster(t *testing.T) {
	t.Parallel()
	o := Options{Data: tempData(t), Shards: 1, NoSync: true, RedisNodes: 6}
	p := up(t, o)
	if len(p.RedisNodes) != 6 || p.RedisNodes[0].Addr != p.RedisAddr || len(p.RedisNames) != 7 {
		t.Fatalf("%+v %v", p.RedisNodes, p.RedisNames)
	}
	c := clusterClient(t, p)
	for key := range strings.FieldsSeq("a b c d e f g h") { // over all masters
		if err := c.Do(t.Context(), c.B().Set().Key(key).Value("v").Build()).Error(); err != nil {
			t.Fatal(err)
		}
	}
	whole := func() bool { m, r := clusterRoles(t, c); return m == 3 && r == 3 } // as the node that is asked has heard of it
	eventually(t, "three masters and three replicas", whole)
	requireUnprivileged(t, p.pid(t, "redis-1"))
	p.kill(t, "redis-2")
	eventually(t, "it is back in the cluster", whole)

	pid := p.pid(t, "redis-3")
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a replica takes over", func() bool { m, r := clusterRoles(t, c); return m == 3 && r == 2 })
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it follows the new master", whole)
	c.Close()
	p.down(t)

	p = up(t, o)
	c = clusterClient(t, p)
	if n, err := c.Do(t.Context(), c.B().Exists().Key("a").Build()).AsInt64(); err != nil || n != 0 {
		t.Errorf("after a restart of everything: %d, %v", n, err)
	}
	eventually(t, "three masters and three replicas after a restart", whole)
	c.Close()
	p.down(t)

	o.RedisNodes = 1
	p = up(t, o)
	if p.RedisNodes != nil || redisPing(context.Background(), p.RedisSocket) != nil {
		t.Errorf("a single server again: %v", p.RedisNodes)
	}
}

func TestRedisNodesAreCounted(t *testing.T) {
	t.Parallel()
	for n, ok := range map[int]bool{1: true, 6: true, 7: true, 32: true, 0: false, 2: false, 3: false, 5: false, 33: false, -1: false} {
		if err := CheckRedisNodes(n); (err == nil) != ok {
			t.Errorf("%d nodes: %v", n, err)
		}
	}
}
