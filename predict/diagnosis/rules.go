package diagnosis

import (
	"fmt"
	"strings"
	"time"
)

// The faults that are known.
const (
	Down        = "down"         // a process does not run
	Hang        = "hang"         // it runs, and does not answer
	Unreachable = "unreachable"  // it answers, but not those who need it
	Slow        = "slow"         // it answers them late
	Lag         = "lag"          // a replica is behind
	DiskSlow    = "disk-slow"    // commits wait
	DiskFull    = "disk-full"    // a database takes nothing new
	Errors      = "errors"       // an API process answers with errors
	Emptied     = "emptied"      // the cache lost what it had
	Silent      = "silent"       // the payment provider does not answer
	Pressure    = "pressure"     // somebody else uses the processors
	Spike       = "spike"        // many times the load
	HotProduct  = "hot"          // and nearly all want to buy
	SlowClients = "slow-clients" // connections that send next to nothing
	Skew        = "skew"         // a clock is off
)

// Faults lists those.
func Faults() []string {
	return []string{Down, Hang, Unreachable, Slow, Lag, DiskSlow, DiskFull, Errors, Emptied, Silent, Pressure, Spike, HotProduct, SlowClients, Skew}
}

// view is what a rule looks at.
type view struct {
	*past
	since func(component, fault string) time.Time // zero when it does not show
}

// before is what was usual before a fault began to show.
func (v view) before(component, fault string, f func(Sample) (float64, bool)) (float64, bool) {
	return v.usual(v.since(component, fault), f)
}

// all tells whether each of the last n values is want, and that there are n.
func (v view) all(name string, want float64, n int) bool {
	list := v.last(name, n)
	for _, x := range list {
		if x != want {
			return false
		}
	}
	return len(list) >= n
}

func one(component, fault string, sure float64, format string, args ...any) []sign {
	return []sign{{component: component, fault: fault, sure: sure, evidence: []string{fmt.Sprintf(format, args...)}}}
}

// rules look at the last samples, each for one kind of fault.
var rules = []func(view) []sign{processes, replicas, primaries, disks, sharedCache, emptied, queueLink, origins, payments, machine, crowd, clients, clocks}

const (
	hangs       = 2 // samples without an answer
	restartSeen = 5 // samples in which a restart is told: the process may be back before the next one
)

// processes finds those that do not run, and those that run and say nothing.
func processes(v view) (out []sign) {
	for _, name := range v.instances("process.running") {
		if v.is("process.running/"+name, 0) {
			out = append(out, one(name, Down, 0.95, "the process does not run")...)
			continue
		}
		if n := v.last("process.restarts/"+name, restartSeen); len(n) > 1 && n[len(n)-1] > n[0] {
			out = append(out, one(name, Down, 0.9, "the process ended and was started again, %.0f times in all", n[len(n)-1])...)
			continue
		}
		for _, answer := range []string{"process.answers/", "probe.ok/"} {
			needed := hangs
			if v.is("origin.up/"+name, 0) {
				needed = 1 // the edge says so as well
			}
			if v.all(answer+name, 0, needed) && v.all("process.running/"+name, 1, needed) {
				out = append(out, one(name, Hang, 0.9, "the process runs, and does not answer who asks it directly")...)
				break
			}
		}
	}
	return out
}

// alive tells that a server answers whoever asks it directly.
func (v view) alive(name string) bool {
	return !v.is("process.running/"+name, 0) && !v.is("probe.ok/"+name, 0)
}

func (v view) primary(node string) bool { return v.is("replica.primary/"+node, 1) }

const (
	lagFrom  = 1.5   // seconds
	slowFrom = 0.008 // seconds beyond the usual
)

func replicas(v view) (out []sign) {
	for _, node := range v.instances("replica.lag") {
		if v.primary(node) || strings.HasSuffix(node, "-standby") {
			continue
		}
		lag, _ := v.now("replica.lag/" + node)
		healthy, _ := v.now("replica.healthy/" + node)
		if lag >= lagFrom && v.alive(node) && healthy > 0 {
			behind, _ := v.now("replica.lag_bytes/" + node)
			out = append(out, one(node, Lag, 0.9, "it is %.1f s and %.2f MB behind the primary while it is reachable", lag, behind/1e6)...)
		}
		if healthy < 1 && v.alive(node) {
			out = append(out, one(node, Unreachable, 0.8, "%.0f %% of the processes that read from it do not reach it; asked directly, it answers", 100*(1-healthy))...)
		}
		out = append(out, v.slowNode(node)...)
	}
	return out
}

// slowNode compares how long reads take with what was usual, and with how long the server itself takes.
func (v view) slowNode(node string) []sign {
	latency, ok := v.now("replica.latency/" + node)
	usual, known := v.before(node, Slow, value("replica.latency/"+node))
	probe, _ := v.now("probe.s/" + node)
	if !ok || !known || !v.alive(node) || !v.late(latency, usual) || latency < 3*probe || v.saturated() && v.othersLate(node) {
		return nil
	}
	return one(node, Slow, 0.75, "a read takes %.1f ms, usually %.1f ms; asked directly, the server answers in %.1f ms", 1e3*latency, 1e3*usual, 1e3*probe)
}

// saturated tells that the machine has no processor to spare: then everything is late.
func (v view) saturated() bool {
	busy := v.last("cpu.busy", 3)
	sum := 0.0
	for _, b := range busy {
		sum += b
	}
	return len(busy) > 0 && sum/float64(len(busy)) > 0.9
}

// late tells that something takes much longer than usual, in seconds; of a machine that is saturated more is asked for.
func (v view) late(now, usual float64) bool {
	if v.saturated() {
		return now >= 3.5*usual && now >= usual+1.8*slowFrom
	}
	return now >= 2.5*usual && now >= usual+slowFrom
}

// othersLate tells that another server is late as well: what they have in common is not their links.
func (v view) othersLate(node string) bool {
	for _, other := range v.instances("replica.latency") {
		now, _ := v.now("replica.latency/" + other)
		usual, known := v.before(other, Slow, value("replica.latency/"+other))
		if known && other != node && !strings.HasSuffix(other, "-standby") && now > 2*usual && now > usual+slowFrom/2 {
			return true
		}
	}
	return false
}

// primaries finds what keeps processes from one.
func primaries(v view) (out []sign) {
	for _, node := range v.instances("replica.primary") {
		if !v.primary(node) || !v.alive(node) {
			continue
		}
		errors, n := v.sum("db.errors/"+node, 3), v.sum("db.n/"+node, 3)
		healthy, known := v.now("replica.healthy/" + node)
		switch {
		case known && healthy < 1 && (errors > 0 || n == 0):
			out = append(out, one(node, Unreachable, 0.85, "%.0f %% of the processes do not reach the primary, and %.0f statements failed; asked directly, it answers", 100*(1-healthy), errors)...)
		default:
			out = append(out, v.slowNode(node)...)
		}
	}
	return out
}

// disks finds commits that wait while reads do not, and databases that take nothing new.
func disks(v view) (out []sign) {
	for _, name := range v.instances("db.failed") {
		if db, full := strings.CutSuffix(name, ":53"); full && v.sum("db.failed/"+name, 3) > 0 {
			out = append(out, one(db, DiskFull, 0.95, "%.0f statements of the last seconds were refused for want of space (SQLSTATE class 53)", v.sum("db.failed/"+name, 3))...)
		}
	}
	now, ok := v.mean("write.s", "write.n", 3, 6)
	for _, node := range v.instances("replica.primary") {
		usual, known := v.before(node, DiskSlow, per("write.s", "write.n", 2))
		if !ok || !known || !v.primary(node) || !v.late(now, usual) || len(v.slowNode(node)) > 0 || v.is("replica.healthy/"+node, 0) {
			continue
		}
		latency, _ := v.now("replica.latency/" + node)
		if latency < 0.7*now {
			out = append(out, one(node, DiskSlow, 0.7, "a transaction takes %.1f ms, usually %.1f ms, while a read takes %.1f ms: commits wait", 1e3*now, 1e3*usual, 1e3*latency)...)
		}
	}
	return out
}

func clocks(v view) (out []sign) {
	for _, name := range v.instances("clock.ahead") {
		if ahead, _ := v.now("clock.ahead/" + name); ahead > 20 || ahead < -20 {
			out = append(out, one(name, Skew, 0.95, "its clock is %+.0f s off", ahead)...)
		}
	}
	return out
}
