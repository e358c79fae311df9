package dashboard

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Snapshot is what the page shows of one moment. Times are seconds.
type Snapshot struct {
	Time      time.Time          `json:"time"`
	Values    map[string]float64 `json:"values"` // by name, such as "http.rps"; missing: not known at this moment
	Routes    []Row              `json:"routes"`
	Shards    []Row              `json:"shards"`
	Queries   []Row              `json:"queries"`
	Families  []CacheFamily      `json:"families"`
	Replicas  []Replica          `json:"replicas"`
	Queues    []Queue            `json:"queues"`
	Processes []Usage            `json:"processes"`
	Heat      Heat               `json:"heat"`
}

// Row is the traffic of one route, shard or statement.
type Row struct {
	Name    string  `json:"name"`
	Rate    float64 `json:"rate"` // a second
	BadRate float64 `json:"bad_rate"`
	P50     float64 `json:"p50_s"`
	P95     float64 `json:"p95_s"`
	P99     float64 `json:"p99_s"`
}

// CacheFamily is a cache family: the share of lookups that each tier answered.
type CacheFamily struct {
	Name  string  `json:"name"`
	Rate  float64 `json:"rate"`
	L1    float64 `json:"l1"`
	L2    float64 `json:"l2"`
	Loads float64 `json:"loads"` // a second
}

// Replica is a database server as the API processes see it.
type Replica struct {
	Name    string  `json:"name"`
	Set     string  `json:"set"`
	Healthy bool    `json:"healthy"`
	Lag     float64 `json:"lag_s"`
	Rate    float64 `json:"rate"` // reads a second
	Latency float64 `json:"latency_s"`
}

// Queue is a consumer of the queue.
type Queue struct {
	Name    string  `json:"name"`
	Pending float64 `json:"pending"`
	Dead    float64 `json:"dead"`
	Rate    float64 `json:"rate"`
	Lag     float64 `json:"lag_p95_s"`
}

// Usage is what a process and its children use.
type Usage struct {
	Name  string  `json:"name"`
	Cores float64 `json:"cores"`
	Bytes float64 `json:"bytes"`
}

// Heat is one column of the latency heat map: how many requests of the last second were answered within each bound.
type Heat struct {
	Bounds []float64 `json:"bounds"`
	Counts []float64 `json:"counts"`
}

// compute makes the snapshot at the end of now; ten reaches further back, for percentiles.
func compute(last, now, ten span) Snapshot {
	s := Snapshot{Time: now.to.at, Values: map[string]float64{}}
	s.traffic(now, ten)
	s.caches(now)
	s.databases(now, ten)
	s.queues(now, ten)
	s.usage(now)
	heat := last.spread(sel(edgeSeconds))
	s.Heat = Heat{heat.bounds, heat.counts}
	return s
}

// traffic is what the edge answered.
func (s *Snapshot) traffic(now, ten span) {
	v, sec := s.Values, now.seconds()
	var all, bad float64
	for code, n := range now.growthBy(sel(edgeRequests), "code") {
		all += n
		if code == "429" || code == "aborted" || strings.HasPrefix(code, "5") {
			bad += n
		}
	}
	times := ten.spread(sel(edgeSeconds))
	v["http.rps"], v["http.bad_rps"] = all/sec, bad/sec
	if all > 0 {
		v["http.good_ratio"] = 1 - bad/all
	}
	if times.count() > 0 {
		v["http.p50_s"], v["http.p95_s"], v["http.p99_s"] = times.quantile(.5), times.quantile(.95), times.quantile(.99)
	}
	v["http.in_flight"] = now.sum(sel(edgeInFlight))
	v["limit.refused_rps"] = (now.growth(sel(limited, "outcome", "session")) + now.growth(sel(limited, "outcome", "address"))) / sec
	v["waf.blocked_rps"] = now.growth(sel(wafRequests, "outcome", "blocked")) / sec
	shed := now.growth(sel(admission, "outcome", "shed"))
	refused := v["limit.refused_rps"]*sec + shed
	v["admission.shed_rps"] = shed / sec
	ratio(v, "shed.ratio", refused, max(all, refused))
	if limits := now.values(sel(admissionLimit)); len(limits) > 0 {
		v["admission.limit"], v["admission.in_flight"] = now.sum(sel(admissionLimit)), now.sum(sel(admissionBusy))
	}
	if rooms := now.values(sel(roomWaiting)); len(rooms) > 0 {
		v["waitroom.waiting"] = now.sum(sel(roomWaiting))
	}
	s.Routes = rows(ten, ten.spreadBy(sel(routeSeconds), "method", "route"), func(name string) float64 {
		method, route, _ := strings.Cut(name, " ")
		return ten.growth(sel(routeRequests, "method", method, "route", route, "status", "5xx"))
	})
	orders := 0.0
	for _, route := range []string{checkoutPath, pageCheckout} {
		for _, class := range []string{"2xx", "3xx"} {
			orders += ten.growth(sel(routeRequests, "method", "POST", "route", route, "status", class))
		}
	}
	v["orders.per_min"] = orders / ten.seconds() * 60
}

// rows are the busiest first.
func rows(over span, by map[string]*spread, bad func(name string) float64) []Row {
	var list []Row
	for name, d := range by {
		if n := d.count(); n > 0 {
			list = append(list, Row{name, n / over.seconds(), bad(name) / over.seconds(), d.quantile(.5), d.quantile(.95), d.quantile(.99)})
		}
	}
	slices.SortFunc(list, func(a, b Row) int { return cmp.Or(cmp.Compare(b.Rate, a.Rate), cmp.Compare(a.Name, b.Name)) })
	return list[:min(len(list), 24)]
}
