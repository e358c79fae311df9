package diagnosis

import (
	"slices"
	"strings"
)

// limit is a usual alert: a figure that is beyond a fixed value for so many samples.
type limit struct {
	figure, of string // of: the figure is divided by it
	above      bool
	value      float64
	samples    int
	component  string // "": what follows the figure's slash
	fault      string
}

// limits are what somebody would write who has the same figures, and does not compare with what is usual.
var limits = []limit{
	{figure: "process.running", value: 1, samples: 3, fault: Down},
	{figure: "process.answers", value: 1, samples: 5, fault: Hang},
	{figure: "probe.ok", value: 1, samples: 3, fault: Hang},
	{figure: "replica.lag", above: true, value: 2, samples: 2, fault: Lag},
	{figure: "replica.latency", above: true, value: 0.05, samples: 3, fault: Slow},
	{figure: "replica.healthy", value: 1, samples: 3, fault: Unreachable},
	{figure: "l2.up", value: 1, samples: 3, component: redis, fault: Unreachable},
	{figure: "l2.s", of: "l2.n", above: true, value: 0.02, samples: 3, component: redis, fault: Slow},
	{figure: "origin.up", value: 1, samples: 3, fault: Unreachable},
	{figure: "origin.s", of: "origin.n", above: true, value: 0.1, samples: 3, fault: Slow},
	{figure: "origin.5xx", of: "origin.n", above: true, value: 0.05, samples: 3, fault: Errors},
	{figure: "write.s", of: "write.n", above: true, value: 0.05, samples: 3, component: "primary", fault: DiskSlow},
	{figure: "outbox.failures", above: true, value: 0, samples: 3, component: nats, fault: Unreachable},
	{figure: "outbox.s", of: "outbox.n", above: true, value: 1, samples: 3, component: nats, fault: Slow},
	{figure: "payment.unknown", above: true, value: 0, samples: 3, component: "payment", fault: Silent},
	{figure: "cpu.busy", above: true, value: 0.9, samples: 10, component: "machine", fault: Pressure},
	{figure: "http.n", above: true, value: 500, samples: 3, component: "edge", fault: Spike},
	{figure: "http.fds", above: true, value: 500, samples: 3, component: "edge", fault: SlowClients},
}

// byLimits names what is beyond its limit.
func byLimits() teller {
	held := map[key]int{}
	return func(s Sample) (out []key) {
		for _, l := range limits {
			for name, v := range s.Values {
				instance, ok := l.takes(name)
				if !ok {
					continue
				}
				k := key{instance, l.fault}
				if l.beyond(s, name, v) {
					held[k]++
				} else {
					held[k] = 0
				}
				if held[k] >= l.samples && !strings.HasSuffix(instance, "-standby") {
					out = append(out, k)
				}
			}
		}
		slices.SortFunc(out, func(a, b key) int { return strings.Compare(a.component+a.fault, b.component+b.fault) })
		return slices.Compact(out)
	}
}

// takes tells whether the limit is about a figure, and which component it is of.
func (l limit) takes(name string) (component string, ok bool) {
	if l.component != "" {
		return l.component, name == l.figure
	}
	component, ok = strings.CutPrefix(name, l.figure+"/")
	return component, ok
}

func (l limit) beyond(s Sample, name string, v float64) bool {
	if l.of != "" {
		n := s.Values[l.of+strings.TrimPrefix(name, l.figure)]
		if n == 0 {
			return false
		}
		v /= n
	}
	if l.above {
		return v > l.value
	}
	return v < l.value
}
