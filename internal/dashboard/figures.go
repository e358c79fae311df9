package dashboard

import (
	"cmp"
	"slices"
)

// caches are the three tiers.
func (s *Snapshot) caches(now span) {
	v, sec := s.Values, now.seconds()
	edge := now.growthBy(sel(edgeCache), "outcome")
	kept := edge["hits"] + edge["stale"] + edge["collapsed"] + edge["bridged"] + edge["revalidated"]
	ratio(v, "edge.hit_ratio", edge["hits"]+edge["stale"]+edge["collapsed"]+edge["bridged"], kept+edge["misses"])
	var l1, l1m, l2, l2m float64
	for name, hits1 := range by(now, "family", sel(cacheHits, "tier", "l1"), sel(cacheMisses, "tier", "l1"), sel(cacheHits, "tier", "l2"),
		sel(cacheMisses, "tier", "l2"), sel(cacheLoads)) {
		h1, m1, h2, m2, loads := hits1[0], hits1[1], hits1[2], hits1[3], hits1[4]
		l1, l1m, l2, l2m = l1+h1, l1m+m1, l2+h2, l2m+m2
		if h1+m1+h2+m2 == 0 {
			continue
		}
		f := CacheFamily{Name: name, Rate: (h1 + m1) / sec, Loads: loads / sec}
		if h1+m1 > 0 {
			f.L1 = h1 / (h1 + m1)
		}
		if h2+m2 > 0 {
			f.L2 = h2 / (h2 + m2)
		}
		s.Families = append(s.Families, f)
	}
	slices.SortFunc(s.Families, func(a, b CacheFamily) int { return cmp.Or(cmp.Compare(b.Rate, a.Rate), cmp.Compare(a.Name, b.Name)) })
	ratio(v, "cache.l1.hit_ratio", l1, l1+l1m)
	ratio(v, "cache.l2.hit_ratio", l2, l2+l2m)
	v["cache.loads_rps"] = now.growth(sel(cacheLoads)) / sec
	v["cache.stale_rps"] = now.growth(sel(cacheStale)) / sec
	v["cache.l1.bytes"], v["edge.bytes"] = now.sum(sel(cacheBytes)), now.sum(sel(edgeMemory))
}

func ratio(v map[string]float64, name string, part, whole float64) {
	if whole > 0 {
		v[name] = part / whole
	}
}

// by is the growth of several counters, side by side, for each value of a label.
func by(now span, label string, counters ...selector) map[string][]float64 {
	m := map[string][]float64{}
	for i, q := range counters {
		for name, n := range now.growthBy(q, label) {
			if m[name] == nil {
				m[name] = make([]float64, len(counters))
			}
			m[name][i] = n
		}
	}
	return m
}

// databases are the shards, the statements and the servers.
func (s *Snapshot) databases(now, ten span) {
	v := s.Values
	errors := func(label string) func(string) float64 {
		bad := ten.growthBy(sel(queryErrors), label)
		return func(name string) float64 { return bad[name] }
	}
	s.Shards = rows(ten, ten.spreadBy(sel(querySeconds), "database"), errors("database"))
	slices.SortFunc(s.Shards, func(a, b Row) int { return cmp.Compare(a.Name, b.Name) })
	s.Queries = rows(ten, ten.spreadBy(sel(querySeconds), "statement"), errors("statement"))
	all := ten.spread(sel(querySeconds))
	v["db.qps"] = all.count() / ten.seconds()
	if all.count() > 0 {
		v["db.p50_s"], v["db.p99_s"] = all.quantile(.5), all.quantile(.99)
	}
	s.Replicas = replicas(now)
	var lag, fromReplicas, reads, healthy float64
	for _, r := range s.Replicas {
		lag = max(lag, r.Lag)
		reads += r.Rate
		if r.Healthy {
			healthy++
		}
		if r.Lag > 0 || r.Name != "primary" {
			fromReplicas += r.Rate
		}
	}
	v["replica.lag_s.max"] = lag
	if len(s.Replicas) > 1 {
		v["replica.usable"] = max(healthy-1, 0) // one of them is the primary
	}
	ratio(v, "replica.read_share", fromReplicas, reads)
	v["failovers"] = now.sum(sel(failovers))
}

// replicas are seen by several processes: the worst of what they say counts, and the reads of all.
func replicas(now span) []Replica {
	found := map[string]*Replica{}
	at := func(m *point) *Replica {
		k := m.label("set") + " " + m.label("node")
		if found[k] == nil {
			found[k] = &Replica{Name: m.label("node"), Set: m.label("set"), Healthy: true}
		}
		return found[k]
	}
	for _, m := range now.values(sel(replicaHealthy)) {
		r := at(m)
		r.Healthy = r.Healthy && m.Value > 0
	}
	for _, m := range now.values(sel(replicaLag)) {
		r := at(m)
		r.Lag = max(r.Lag, m.Value)
	}
	for _, m := range now.values(sel(replicaLatency)) {
		r := at(m)
		r.Latency = max(r.Latency, m.Value)
	}
	now.each(sel(replicaReads), func(m *point, before *Series) { at(m).Rate += (m.Value - before.Value) / now.seconds() })
	list := make([]Replica, 0, len(found))
	for _, r := range found {
		list = append(list, *r)
	}
	slices.SortFunc(list, func(a, b Replica) int { return cmp.Or(cmp.Compare(a.Set, b.Set), cmp.Compare(a.Name, b.Name)) })
	return list
}

// queues are the consumers, and what waits in front of them.
func (s *Snapshot) queues(now, ten span) {
	v := s.Values
	found := map[string]*Queue{}
	at := func(name string) *Queue {
		if found[name] == nil {
			found[name] = &Queue{Name: name}
		}
		return found[name]
	}
	for _, m := range now.values(sel(queuePending)) {
		at(m.label("consumer")).Pending += m.Value
		v["queue.depth"] += m.Value
	}
	for _, m := range now.values(sel(queueDead)) {
		at(m.label("consumer")).Dead += m.Value
		v["queue.dead"] += m.Value
	}
	for name, n := range now.growthBy(sel(queueMessages), "consumer") {
		at(name).Rate = n / now.seconds()
	}
	for name, d := range ten.spreadBy(sel(queueLag), "consumer") {
		at(name).Lag = d.quantile(.95)
	}
	for _, q := range found {
		s.Queues = append(s.Queues, *q)
	}
	slices.SortFunc(s.Queues, func(a, b Queue) int { return cmp.Compare(a.Name, b.Name) })
	if d := ten.spread(sel(outboxLag)); d.count() > 0 {
		v["outbox.lag_s"] = d.quantile(.95)
	}
}

// usage is CPU and memory by process, and the worst of what runtimes say of themselves.
func (s *Snapshot) usage(now span) {
	for name, metric := range map[string]string{"runtime.gc_cpu.max": RuntimeGC, "runtime.sched_p99_s.max": RuntimeWait} {
		for _, m := range now.values(sel(metric)) {
			s.Values[name] = max(s.Values[name], m.Value)
		}
	}
	for name, cpu := range now.to.cpu {
		u := Usage{Name: name, Bytes: now.to.rss[name]}
		if before, ok := now.from.cpu[name]; ok && cpu >= before {
			u.Cores = (cpu - before) / now.seconds()
		}
		s.Values["cpu.cores"] += u.Cores
		s.Values["mem.bytes"] += u.Bytes
		s.Processes = append(s.Processes, u)
	}
	slices.SortFunc(s.Processes, func(a, b Usage) int { return cmp.Or(cmp.Compare(b.Cores, a.Cores), cmp.Compare(a.Name, b.Name)) })
}
