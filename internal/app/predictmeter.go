package app

import (
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/stampede-shop/stampede/internal/app/config"
	"github.com/stampede-shop/stampede/predict/bottleneck"
)

// What is allowed: at so much a queue counts as full, and a replica as too far behind.
const (
	fullOutbox = 10 * time.Second // that events wait in an outbox
	fullLag    = 5 * time.Second
)

// resourceMeter makes of the platform's metrics how much of each resource is used. It is for one goroutine.
type resourceMeter struct {
	pool, slots float64
	cores       float64
	proc        string // where the machine tells of itself
	at          time.Time
	last        counters
}

// counters are sums that grow, by what they belong to.
type counters map[string]float64

func newResourceMeter(cfg config.Config) *resourceMeter {
	return &resourceMeter{pool: float64(max(cfg.Catalog.PoolSize, 1)), slots: float64(cfg.Checkout.Slots), cores: float64(runtime.NumCPU()), proc: "/proc"}
}

// sample is what happened since the call before; false the first time.
func (m *resourceMeter) sample(at time.Time, f map[string]*dto.MetricFamily) (bottleneck.Sample, bool) {
	now := counters{}
	use := map[string]float64{}
	m.read(now, use, f)
	last, seconds := m.last, at.Sub(m.at).Seconds()
	m.last, m.at = now, at
	if last == nil || seconds <= 0 {
		return bottleneck.Sample{}, false
	}
	rate := func(key string) (float64, bool) {
		before, ok := last[key]
		return math.Max(0, now[key]-before) / seconds, ok
	}
	s := bottleneck.Sample{At: at, Use: use}
	s.Load, _ = rate("requests")
	for key := range now {
		if v, ok := rate(key); ok {
			m.add(use, key, v, rate)
		}
	}
	return s, true
}

// add turns a rate into the use of a resource.
func (m *resourceMeter) add(use map[string]float64, key string, v float64, rate func(string) (float64, bool)) {
	kind, name, _ := strings.Cut(key, " ")
	switch kind {
	case "cpu":
		use["cpu/"+name] = v / m.cores
	case "machine":
		if idle, ok := rate("idle"); ok && v > 0 {
			use["cpu/machine"] = 1 - idle/v
		}
	case "busy": // seconds of statements a second: connections in use
		use["pool/"+name] = v / m.pool
	case "slots":
		if m.slots > 0 {
			use["hotrow/"+name] = v / m.slots
		}
	case "waited":
		if n, _ := rate("left " + name); n > 0 {
			use["queue/"+name] = v / n / fullOutbox.Seconds()
		} else {
			use["queue/"+name] = 0
		}
	}
}

// meterReads are the metrics that read looks at.
var meterReads = map[string]bool{"stampede_http_requests_total": true, "process_cpu_seconds_total": true, "stampede_query_seconds": true,
	"batch_run_seconds": true, "queue_outbox_lag_seconds": true, "stampede_replica_lag_seconds": true, "process_resident_memory_bytes": true}

// read collects the counters, and the use of what needs none.
func (m *resourceMeter) read(now counters, use map[string]float64, f map[string]*dto.MetricFamily) {
	each := func(name string, do func(process string, x *dto.Metric)) {
		for _, x := range f[name].GetMetric() {
			do(labelOf(x, "process"), x)
		}
	}
	each("stampede_http_requests_total", func(_ string, x *dto.Metric) { now["requests"] += x.GetCounter().GetValue() })
	each("process_cpu_seconds_total", func(p string, x *dto.Metric) { now["cpu "+p] += x.GetCounter().GetValue() })
	each("stampede_query_seconds", func(p string, x *dto.Metric) {
		now["busy "+p+":"+labelOf(x, "database")] += x.GetHistogram().GetSampleSum()
	})
	each("batch_run_seconds", func(p string, x *dto.Metric) { now["slots "+p] += x.GetHistogram().GetSampleSum() })
	each("queue_outbox_lag_seconds", func(_ string, x *dto.Metric) {
		source := labelOf(x, "source")
		now["waited "+source] += x.GetHistogram().GetSampleSum()
		now["left "+source] += float64(x.GetHistogram().GetSampleCount())
	})
	each("stampede_replica_lag_seconds", func(_ string, x *dto.Metric) {
		key := "lag/" + labelOf(x, "node")
		use[key] = math.Max(use[key], x.GetGauge().GetValue()/fullLag.Seconds())
	})
	if free, ok := m.memoryFree(); ok {
		each("process_resident_memory_bytes", func(p string, x *dto.Metric) {
			if rss := x.GetGauge().GetValue(); rss > 0 {
				use["memory/"+p] = rss / (rss + free)
			}
		})
	}
	if total, idle, ok := m.machine(); ok {
		now["machine "], now["idle"] = total, idle
	}
}

func labelOf(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

// machine are ticks of all processors since the boot, and those without work; false where the system does not tell.
func (m *resourceMeter) machine() (total, idle float64, ok bool) {
	raw, err := os.ReadFile(m.proc + "/stat")
	line, _, _ := strings.Cut(string(raw), "\n")
	fields := strings.Fields(line)
	if err != nil || len(fields) < 6 || fields[0] != "cpu" {
		return 0, 0, false
	}
	for i, text := range fields[1:min(len(fields), 9)] { // guests' time is in user's already
		v, _ := strconv.ParseFloat(text, 64)
		total += v
		if i == 3 || i == 4 { // idle, or waiting for a disk
			idle += v
		}
	}
	return total, idle, true
}

// memoryFree is how many bytes processes may still take; false where the system does not tell.
func (m *resourceMeter) memoryFree() (float64, bool) {
	raw, err := os.ReadFile(m.proc + "/meminfo")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "MemAvailable:"); ok {
			kb, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
			return kb * 1024, err == nil
		}
	}
	return 0, false
}
