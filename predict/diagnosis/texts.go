package diagnosis

import (
	"slices"
	"strings"
)

const runbooks = "docs/runbooks/"

// text is what is said of a fault; %s in title and cause is the component.
type text struct {
	title, cause, command, runbook string
	weight                         float64
}

// texts by fault; kinds of components that differ have their own under KIND/FAULT.
var texts = map[string]text{
	Down:                 {"%s is down", "the process of %s ended or was killed; the supervisor starts it again", "stampede status shows its last error; its log is DATA/log/%s.log", "processes-down.md", 2.5},
	Hang:                 {"%s hangs", "%s is stopped, starved or in a deadlock: its connections are open, and nothing is answered", "GET /debug/pprof of the process tells where it stands; kill it, and the supervisor starts another", "processes-down.md", 2.5},
	"database/" + Down:   {"PostgreSQL server %s is down", "the server %s ended or was killed; a standby takes a primary's place, reads go to the other servers", "GET /admin/replicas shows who serves; stampede status and DATA/log/%s.log show why", "processes-down.md", 3},
	"database/" + Hang:   {"PostgreSQL server %s hangs", "%s takes connections and answers nothing: it is stopped, or its disk does not answer", "GET /admin/replicas shows who serves; restart the server: a standby takes a primary's place", "processes-down.md", 3},
	Unreachable:          {"%s is not reached", "the link to %s is cut or half open: the server itself is well", "check the network, firewall and DNS between the processes and %s", "processes-down.md", 2.5},
	"api/" + Unreachable: {"the edge does not reach %s", "the link from the edge to %s is cut: the process itself is well", "check the network between the edge and %s; the edge sends its shoppers to the others meanwhile", "processes-down.md", 2},
	"redis/" + Unreachable: {"the processes do not reach %s", "the link to %s is cut, half open or so slow that they gave up: the server itself is well; memory and the databases answer instead",
		"check the network between the processes and %s; stampede cache stats shows what it costs", "l1-hits-drop.md", 2},
	Slow:               {"%s answers late", "the link to %s is slow, or loses packets: the server itself is quick", "check the network between the processes and %s", "latency-unusual.md", 2},
	"api/" + Slow:      {"the edge waits for %s", "the link from the edge to %s is slow: the process itself is quick", "check the network between the edge and %s; the balancer prefers the others meanwhile", "latency-unusual.md", 2},
	"database/" + Slow: {"reads from %s are slow", "the link to %s is slow, or loses packets: the server itself is quick", "check the network between the API processes and %s; GET /admin/replicas shows latencies", "db-unusual.md", 2},
	Lag:                {"%s is behind the primary", "replay on %s is paused or starved (a long query, a slow disk), or it gets the log late; reads that must be newer go elsewhere", "on the replica: SELECT pg_is_wal_replay_paused(), then pg_wal_replay_resume(); pg_stat_wal_receiver shows whether it receives. See GET /admin/replicas", "replica-lag.md", 2},
	DiskSlow:           {"commits on %s are slow", "the disk of %s takes long to write (or commit_delay is set); reads are not slower", "iostat -x 1 on its machine; SHOW commit_delay; set checkout.group_commit: true so that checkouts share commits", "db-slow.md", 2.2},
	DiskFull:           {"%s takes nothing new: no space left", "the disk or a quota of database %s is full; who belongs to it cannot buy, everybody else can", "make room: df -h DATA, old logs, WAL that a dead replication slot keeps (pg_replication_slots); or stampede shard move", "errors-unusual.md", 3},
	Errors:             {"%s answers with errors", "a route of process %s fails by itself; the databases do not", "DATA/log/%s.log; GET /admin/stats shows errors by route; restart or roll back that process", "errors-unusual.md", 2.6},
	Emptied:            {"%s lost what it had", "%s was emptied (FLUSHALL, a restart without its data), or evicts; the databases answer instead", "stampede cache warm brings the most wanted back; redis-cli INFO memory shows evictions", "l1-hits-drop.md", 1.8},
	Silent:             {"the payment provider does not answer", "the provider of the %s step, or the way there, is down; outcomes are unknown until they are settled, nobody pays twice", "look at the provider's status page; payments are settled by themselves: stampede audit shows what is open", "orders-drop.md", 2.8},
	Pressure:           {"something else uses the processors", "other programs on this %s take processors that the platform needs", "top shows who; move it away, or lower its priority (nice)", "cpu-saturated.md", 1.6},
	Spike:              {"many times the usual load arrives", "a crowd or a robot at the %s: an advertisement, a sale, an attack", "stampede up --apis N+1; a waiting room holds back what is too much: see docs/overload.md", "shedding.md", 1.9},
	HotProduct:         {"a sale: nearly everybody wants to buy the same", "one or few hot products; their stock rows are what all wait for, at the %s they are most of the requests", "checkout.group_commit: true and more checkout.slots; limit purchases (checkout.purchase_limit), or a waiting room for the product", "shedding.md", 2.1},
	SlowClients:        {"many connections send next to nothing", "slow clients (or an attack that looks like them) hold connections of the %s", "lower the edge's header and body time-outs, and limits by address: see docs/overload.md", "shedding.md", 1.7},
	Skew:               {"the clock of %s is off", "time synchronisation of %s's machine failed, or somebody set its clock", "chronyc tracking (or timedatectl) on its machine", "processes-down.md", 1.5},
	"queue/" + Slow:    {"the queue %s takes messages late", "the links to %s are slow or lose packets; shoppers do not wait for it, mails and purges are late", "check the network between the processes and %s; stampede queue list shows what waits", "queue-depth.md", 1.4},
	"queue/" + Down:    {"the queue %s is down", "%s ended or was killed; events wait in the outboxes and are told when it is back", "stampede status; DATA/log/%s.log; nothing is lost meanwhile: stampede queue list", "queue-depth.md", 2.2},
	"queue/" + Unreachable: {"the processes do not reach the queue %s", "the links to %s are cut: the server itself is well; events wait in the outboxes",
		"check the network between the processes and %s; stampede queue list shows what waits", "queue-depth.md", 2.1},
}

// kind is what a component is, for its texts.
func kind(component string) string {
	switch {
	case component == nats:
		return "queue"
	case component == redis || strings.HasPrefix(component, "redis-"):
		return "redis"
	case strings.HasPrefix(component, "api-"):
		return "api"
	case strings.HasPrefix(component, "primary"), strings.HasPrefix(component, "replica"):
		return "database"
	}
	return ""
}

func about(g sign) Finding {
	t, ok := texts[kind(g.component)+"/"+g.fault]
	if !ok {
		t = texts[g.fault]
	}
	named := func(s string) string { return strings.ReplaceAll(s, "%s", g.component) }
	return Finding{Title: named(t.title), Cause: named(t.cause), Command: named(t.command), Runbook: runbooks + t.runbook, Weight: t.weight}
}

// graver are the faults of a component, those that explain the ones after them first.
var graver = []string{Down, Hang, DiskFull, Unreachable, DiskSlow, Lag, Slow, Errors, Emptied}

// hides tells whether a fault has another as its consequence; primary, whether it is of the server that took writes.
func hides(cause, k key, primary bool) bool {
	if cause.component == k.component {
		a, b := slices.Index(graver, cause.fault), slices.Index(graver, k.fault)
		return a >= 0 && b > a || cause.fault == HotProduct && k.fault == Spike || (cause.fault == Spike || cause.fault == HotProduct) && k.fault == SlowClients
	}
	dead := cause.fault == Down || cause.fault == Hang || cause.fault == Unreachable
	switch from := kind(cause.component); {
	case dead && from == "database" && primary:
		// what waits for a primary is not slow or wrong by itself
		return k.component == "payment" || kind(k.component) == "database" && k.fault != Down || kind(k.component) == "api" && (k.fault == Errors || k.fault == Slow) || k.fault == DiskFull
	case cause.fault == DiskFull:
		return k.fault == Errors || k.fault == DiskSlow || k.component == "payment"
	case dead && from == "queue", dead && from == "redis":
		return k.fault == Skew
	case cause.fault == Emptied:
		return k.fault == DiskSlow || k.fault == Slow && kind(k.component) != "api"
	case cause.fault == Spike || cause.fault == HotProduct:
		return k.fault == Pressure || k.fault == DiskSlow || k.fault == Slow
	case cause.fault == Down && from == "api":
		return k.component == nats && k.fault != Down // it is missed on the bus
	}
	return false
}
