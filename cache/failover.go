package cache

import (
	"context"
	"strings"

	"github.com/redis/rueidis"
)

// In a cluster, a replica that takes over may not have heard of the last invalidations: what it holds of tags may be older
// than what others hold of values. So a change of masters begins a new epoch. A slot that moves changes nothing.

// masters remembers who served slots, and who followed whom, when last asked.
type masters struct {
	serving map[string]bool // ids
	alone   bool            // not a cluster: never asked again
}

// tookOver asks the cluster and tells whether somebody serves slots who did not before, and was a replica then. On a failure it
// says no: the next beat asks again.
func (l *l2) tookOver(ctx context.Context) bool {
	if l.masters.alone {
		return false
	}
	res, err := l.raw(ctx, l.o.Timeout, func(c rueidis.Client) rueidis.Commands {
		return rueidis.Commands{c.B().Arbitrary("CLUSTER", "NODES").Build()}
	})
	if err != nil {
		if e, ok := rueidis.IsRedisErr(err); ok && strings.Contains(e.Error(), "cluster support disabled") {
			l.masters.alone = true
		}
		return false
	}
	text, err := res[0].ToString()
	if err != nil {
		return false
	}
	serving := parseNodes(text)
	if len(serving) == 0 {
		return false
	}
	before := l.masters.serving
	l.masters.serving = serving
	for id, master := range serving {
		if was, known := before[id]; master && known && !was {
			return true
		}
	}
	return false
}

// parseNodes reads CLUSTER NODES: which ids are masters with slots (true), and which are not.
func parseNodes(text string) map[string]bool {
	out := map[string]bool{}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 8 {
			continue
		}
		flags := strings.Split(f[2], ",")
		master := false
		for _, flag := range flags {
			master = master || flag == "master"
		}
		out[f[0]] = master && len(f) > 8
		if master && len(f) == 8 {
			delete(out, f[0]) // a master without slots is nobody's replica: it may get some by a move
		}
	}
	return out
}
