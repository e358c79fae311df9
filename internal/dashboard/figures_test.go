package dashboard

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"
)

func counter(name string, v float64, labels ...string) Family {
	f := Family{Name: name, Series: []Series{{Value: v}}}
	for i := 0; i < len(labels); i += 2 {
		f.Labels, f.Series[0].Labels = append(f.Labels, labels[i]), append(f.Series[0].Labels, labels[i+1])
	}
	return f
}

func at(second int64, all map[string][]Family) *frame { return newFrame(time.Unix(second, 0), all) }

// Rates are what was counted between two moments, over both processes, and a process that began anew counts from zero.
func TestRates(t *testing.T) {
	t.Parallel()
	from := at(100, map[string][]Family{
		"edge": {counter(edgeRequests, 1000, "code", "200"), counter(edgeRequests, 50, "code", "503")},
		"two":  {counter(edgeRequests, 9000, "code", "200")},
	})
	to := at(102, map[string][]Family{
		"edge": {counter(edgeRequests, 1180, "code", "200"), counter(edgeRequests, 60, "code", "503"), counter(edgeRequests, 10, "code", "429")},
		"two":  {counter(edgeRequests, 100, "code", "200")},
	})
	s := compute(span{from, to}, span{from, to}, span{from, to})
	want := map[string]float64{"http.rps": 150, "http.bad_rps": 10, "http.good_ratio": 1 - 20./300}
	for name, v := range want {
		if math.Abs(s.Values[name]-v) > 1e-9 {
			t.Errorf("%s is %v, want %v", name, s.Values[name], v)
		}
	}
	if _, known := s.Values["http.p99_s"]; known {
		t.Error("a percentile of nothing")
	}
	quiet := compute(span{to, at(103, nil)}, span{to, at(103, nil)}, span{to, at(103, nil)})
	if _, known := quiet.Values["http.good_ratio"]; known || quiet.Values["http.rps"] != 0 {
		t.Errorf("figures without requests: %v", quiet.Values)
	}
}

// Tiers, replicas and queues are each what their own series say.
func TestParts(t *testing.T) {
	t.Parallel()
	from := at(0, map[string][]Family{})
	to := at(2, map[string][]Family{
		"api-1": {
			counter(cacheHits, 90, "family", "product", "tier", "l1"), counter(cacheMisses, 10, "family", "product", "tier", "l1"),
			counter(cacheHits, 6, "family", "product", "tier", "l2"), counter(cacheMisses, 4, "family", "product", "tier", "l2"),
			counter(replicaHealthy, 1, "node", "replica-1", "set", "1"), counter(replicaLag, .25, "node", "replica-1", "set", "1"),
			counter(replicaReads, 20, "node", "replica-1", "set", "1"), counter(replicaReads, 20, "node", "primary", "set", "1"),
		},
		"api-2":  {counter(replicaHealthy, 0, "node", "replica-1", "set", "1"), counter(replicaLag, 3, "node", "replica-1", "set", "1")},
		"edge":   {counter(edgeCache, 8, "outcome", "hits"), counter(edgeCache, 2, "outcome", "misses")},
		"worker": {counter(queuePending, 7, "consumer", "mail"), counter(queuePending, 5, "consumer", "stock"), counter(queueDead, 1, "consumer", "mail")},
	})
	to.cpu, from.cpu = map[string]float64{"edge": 3}, map[string]float64{"edge": 2}
	s := compute(span{from, to}, span{from, to}, span{from, to})
	for name, v := range map[string]float64{"cache.l1.hit_ratio": .9, "cache.l2.hit_ratio": .6, "edge.hit_ratio": .8, "replica.lag_s.max": 3,
		"replica.read_share": .5, "queue.depth": 12, "queue.dead": 1, "cpu.cores": .5} {
		if math.Abs(s.Values[name]-v) > 1e-9 {
			t.Errorf("%s is %v, want %v", name, s.Values[name], v)
		}
	}
	i := slices.IndexFunc(s.Replicas, func(r Replica) bool { return r.Name == "replica-1" })
	if i < 0 || s.Replicas[i].Healthy || s.Replicas[i].Rate != 10 {
		t.Errorf("the worst of what two processes say does not count: %+v", s.Replicas)
	}
	if len(s.Queues) != 2 || s.Queues[0].Name != "mail" || s.Queues[0].Dead != 1 {
		t.Errorf("queues: %+v", s.Queues)
	}
}

// A quantile lies in the bucket of the value of its rank.
func TestQuantileIsInItsBucket(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(0, 9.99), 1, 200).Draw(t, "values")
		reg := prometheus.NewRegistry()
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: edgeSeconds, Buckets: []float64{.1, .5, 1, 2, 5, 10}})
		reg.MustRegister(h)
		export := func() map[string][]Family {
			list, err := Export(reg)
			if err != nil {
				t.Fatal(err)
			}
			return map[string][]Family{"edge": list}
		}
		h.Observe(3) // before: must not count
		from := at(0, export())
		for _, v := range values {
			h.Observe(v)
		}
		d := (span{from, at(1, export())}).spread(sel(edgeSeconds))
		if d.count() != float64(len(values)) {
			t.Fatalf("%v values of %d", d.count(), len(values))
		}
		slices.Sort(values)
		q := rapid.Float64Range(.01, 1).Draw(t, "q")
		exact, got := values[int(math.Ceil(q*float64(len(values))))-1], d.quantile(q)
		i, _ := slices.BinarySearch(d.bounds, exact)
		low := 0.0
		if i > 0 {
			low = d.bounds[i-1]
		}
		if got < low-1e-9 || got > d.bounds[i]+1e-9 {
			t.Fatalf("quantile %v is %v, the value is %v", q, got, exact)
		}
	})
}

func TestExportLeavesOutWhatIsNotShown(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	zero := prometheus.NewCounterVec(prometheus.CounterOpts{Name: edgeRequests}, []string{"code"})
	zero.WithLabelValues("200")
	other := prometheus.NewCounter(prometheus.CounterOpts{Name: "something_else"})
	other.Inc()
	gauge := prometheus.NewGauge(prometheus.GaugeOpts{Name: edgeInFlight})
	reg.MustRegister(zero, other, gauge)
	list, err := Export(reg)
	if err != nil || len(list) != 1 || list[0].Name != edgeInFlight {
		t.Errorf("%+v %v", list, err)
	}
}
