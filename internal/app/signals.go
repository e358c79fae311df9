package app

import (
	"path"
	"strings"
	"time"

	"github.com/stampede-shop/stampede/internal/app/opshttp"
	"github.com/stampede-shop/stampede/internal/app/running"
	"github.com/stampede-shop/stampede/internal/dashboard"
	"github.com/stampede-shop/stampede/internal/local"
	"github.com/stampede-shop/stampede/predict/diagnosis"
)

// measuredNow is everything that a diagnosis is made from. What the chaos engine does is not in it.
type measuredNow struct {
	at       time.Time
	families map[string][]dashboard.Family // by process
	members  []opshttp.Member
	status   running.Status
	probes   map[string]probed
	cores    float64            // of the machine
	ours     map[string]float64 // processors in use, by process with its children
	busy     float64            // share of the machine; less than 0 is not known
}

// signalMeter makes of what is measured the figures that package diagnosis knows. It is for one goroutine.
type signalMeter struct {
	last map[string]dashboard.Series // by process, metric and labels
	in   measuredNow
	out  map[string]float64
	seen bool
}

// sample is what happened since the call before; false the first time.
func (m *signalMeter) sample(in measuredNow) (diagnosis.Sample, bool) {
	if m.last == nil {
		m.last = map[string]dashboard.Series{}
	}
	m.in, m.out = in, map[string]float64{}
	m.platform()
	m.databases()
	m.caches()
	m.queue()
	m.edge()
	m.shop()
	first := !m.seen
	m.seen = true
	return diagnosis.Sample{At: in.at, Values: m.out}, !first
}

// each calls f with every series of a metric and what it grew by.
func (m *signalMeter) each(metric string, f func(process string, label func(string) string, now, grown dashboard.Series)) {
	for process, list := range m.in.families {
		for i := range list {
			fam := &list[i]
			if fam.Name != metric {
				continue
			}
			for j := range fam.Series {
				s := &fam.Series[j]
				f(process, func(name string) string { return fam.Label(s, name) }, *s, m.grown(process+"\x00"+metric+"\x00"+strings.Join(s.Labels, "\x00"), *s))
			}
		}
	}
}

// grown is what was counted since the last time; a process that began anew counts from zero.
func (m *signalMeter) grown(key string, now dashboard.Series) dashboard.Series {
	before, known := m.last[key]
	m.last[key] = dashboard.Series{Value: now.Value, Count: now.Count, Sum: now.Sum}
	if !m.seen && !known {
		return dashboard.Series{} // counted before we looked
	}
	if now.Value < before.Value || now.Count < before.Count {
		before = dashboard.Series{}
	}
	return dashboard.Series{Value: now.Value - before.Value, Count: now.Count - before.Count, Sum: now.Sum - before.Sum}
}

func (m *signalMeter) add(name string, v float64) { m.out[name] += v }

func (m *signalMeter) most(name string, v float64) { m.out[name] = max(m.out[name], v) }

func (m *signalMeter) flag(name string, is bool) {
	m.out[name] = 0
	if is {
		m.out[name] = 1
	}
}

// platform is which processes run and answer, and what the machine does.
func (m *signalMeter) platform() {
	for _, p := range m.in.status.Processes {
		m.flag("process.running/"+p.Name, p.State == string(local.StateRunning))
		m.out["process.restarts/"+p.Name] = float64(p.Restarts)
	}
	for _, x := range m.in.members {
		_, answered := m.in.families[x.Name]
		m.flag("process.answers/"+x.Name, answered)
	}
	for name, p := range m.in.probes {
		m.flag("probe.ok/"+name, p.ok)
		m.out["probe.s/"+name] = p.took.Seconds()
	}
	for _, c := range m.in.status.Clusters {
		m.flag("replica.primary/"+c.Primary, true)
	}
	if m.in.busy >= 0 {
		m.out["cpu.busy"], m.out["cpu.cores"], m.out["cpu.ours"] = m.in.busy, m.in.cores, 0
		for _, cores := range m.in.ours {
			m.add("cpu.ours", cores)
		}
	}
	m.each(clockMetric, func(p string, _ func(string) string, now, _ dashboard.Series) {
		m.out["clock.ahead/"+p] = now.Value - float64(m.in.at.UnixMilli())/1000
	})
}

// databases are the servers as the processes see them.
func (m *signalMeter) databases() {
	healthy, seen := map[string]float64{}, map[string]float64{}
	m.each("stampede_replica_healthy", func(_ string, label func(string) string, now, _ dashboard.Series) {
		node := label("node")
		healthy[node] += now.Value
		seen[node]++
	})
	for node, n := range seen {
		m.out["replica.healthy/"+node] = healthy[node] / n
	}
	for metric, name := range map[string]string{"stampede_replica_lag_seconds": "replica.lag/", "stampede_replica_lag_bytes": "replica.lag_bytes/", "stampede_replica_latency_seconds": "replica.latency/"} {
		m.each(metric, func(_ string, label func(string) string, now, _ dashboard.Series) {
			m.most(name+label("node"), now.Value)
		})
	}
	m.each("stampede_query_seconds", func(_ string, label func(string) string, _, grown dashboard.Series) {
		m.add("db.n/"+label("node"), float64(grown.Count))
	})
	m.each("stampede_query_failures_total", func(_ string, label func(string) string, _, grown dashboard.Series) {
		class := label("class")
		m.add("db.failed/"+label("database")+":"+class, grown.Value)
		switch class {
		case "link", "late", "08", "53", "57": // the others are about the data
			m.add("db.errors/"+label("node"), grown.Value)
			m.add("db.bad", grown.Value)
		}
	})
	m.each("batch_run_seconds", func(_ string, _ func(string) string, _, grown dashboard.Series) {
		m.add("write.n", float64(grown.Count))
		m.add("write.s", grown.Sum)
	})
}

// caches are Redis as the processes see it.
func (m *signalMeter) caches() {
	up, n := 0.0, 0.0
	m.each("stampede_cache_l2_up", func(_ string, _ func(string) string, now, _ dashboard.Series) { up, n = up+now.Value, n+1 })
	if n > 0 {
		m.out["l2.up"] = up / n
	}
	m.each("stampede_cache_l2_errors_total", func(_ string, _ func(string) string, _, grown dashboard.Series) { m.add("l2.errors", grown.Value) })
	for metric, name := range map[string]string{"stampede_cache_hits_total": "l2.hits", "stampede_cache_misses_total": "l2.misses"} {
		m.each(metric, func(_ string, label func(string) string, _, grown dashboard.Series) {
			if label("tier") == "l2" {
				m.add(name, grown.Value)
			}
		})
	}
	m.each("stampede_cache_seconds", func(_ string, label func(string) string, _, grown dashboard.Series) {
		if label("tier") == "l2" {
			m.add("l2.n", float64(grown.Count))
			m.add("l2.s", grown.Sum)
		}
	})
}

// queue is NATS as the processes see it.
func (m *signalMeter) queue() {
	for metric, name := range map[string]string{"queue_outbox_failures_total": "outbox.failures", "stampede_analytics_failed_total": "intake.failed", "stampede_analytics_published_total": "intake.n"} {
		m.each(metric, func(_ string, _ func(string) string, _, grown dashboard.Series) { m.add(name, grown.Value) })
	}
	for metric, name := range map[string]string{"queue_outbox_lag_seconds": "outbox", "queue_broadcast_seconds": "bus"} {
		m.each(metric, func(_ string, _ func(string) string, _, grown dashboard.Series) {
			m.add(name+".n", float64(grown.Count))
			m.add(name+".s", grown.Sum)
		})
	}
	// Each counts the others: a sum would be their square, and half of them stopped would look like a link that is cut.
	m.each("queue_bus_members", func(_ string, _ func(string) string, now, _ dashboard.Series) { m.most("bus.members", now.Value) })
	m.each("stampede_queue_pending", func(_ string, _ func(string) string, now, _ dashboard.Series) { m.add("outbox.pending", now.Value) })
}

// edge is what arrives there, and each API process as it sees it.
func (m *signalMeter) edge() {
	m.each("stampede_edge_requests_total", func(_ string, label func(string) string, _, grown dashboard.Series) {
		m.add("http.n", grown.Value)
		if strings.HasPrefix(label("code"), "5") {
			m.add("http.5xx", grown.Value)
		}
	})
	m.each("stampede_edge_in_flight_requests", func(_ string, _ func(string) string, now, _ dashboard.Series) { m.add("http.in_flight", now.Value) })
	m.each("process_open_fds", func(p string, _ func(string) string, now, _ dashboard.Series) {
		if p == running.EdgeName {
			m.out["http.fds"] = now.Value
		}
	})
	m.each("stampede_edge_origin_up", func(_ string, label func(string) string, now, _ dashboard.Series) {
		m.out["origin.up/"+path.Base(label("origin"))] = now.Value
	})
	m.each("stampede_edge_origin_requests_total", func(_ string, label func(string) string, _, grown dashboard.Series) {
		if o := label("outcome"); o == "refused" || o == "broken" {
			m.add("origin.failed/"+path.Base(label("origin")), grown.Value)
		}
	})
	m.each("stampede_edge_origin_seconds", func(_ string, label func(string) string, _, grown dashboard.Series) {
		name := path.Base(label("origin"))
		m.add("origin.n/"+name, float64(grown.Count))
		m.add("origin.s/"+name, grown.Sum)
		if label("class") == "5xx" {
			m.add("origin.5xx/"+name, float64(grown.Count))
		}
	})
}

// shop is what the API processes do.
func (m *signalMeter) shop() {
	m.each("stampede_http_request_duration_seconds", func(p string, label func(string) string, _, grown dashboard.Series) {
		m.add("api.n/"+p, float64(grown.Count))
		m.add("api.s/"+p, grown.Sum)
		if label("method") == "POST" && strings.HasSuffix(label("route"), "/checkout") {
			m.add("http.checkouts", float64(grown.Count))
		}
	})
	m.each("stampede_payment_seconds", func(_ string, label func(string) string, _, grown dashboard.Series) {
		if label("call") != "charge" {
			return
		}
		m.add("payment.n", float64(grown.Count))
		if label("outcome") == "unknown" {
			m.add("payment.unknown", float64(grown.Count))
		}
	})
}
