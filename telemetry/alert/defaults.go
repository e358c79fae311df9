package alert

import "time"

// Defaults are what [DefaultRules] have to know.
type Defaults struct {
	// Objective is the share of answers that have to be good. Default 0.999.
	Objective float64
	// Cores is what the service may use of "cpu.cores"; 0 leaves out the rule about it.
	Cores float64
	// Scale shortens the windows of the burn-rate rules, so that they can be seen at work: 1.0/60 makes an hour a minute.
	// Default 1.
	Scale float64
}

// Runbooks is the folder in which the runbooks of DefaultRules are.
const Runbooks = "docs/runbooks/"

// DefaultRules are the rules for a shop. The samples they ask for, where a name ends in .max the worst of all processes or nodes:
//
//	http.rps, http.good_ratio, http.p99_s   requests at the edge: a second, the share that is good, 99th percentile in s
//	shed.ratio                              share of requests that was turned away
//	edge.hit_ratio, cache.l1.hit_ratio      hits of the edge's cache and of the first tier
//	replica.lag_s.max, replica.usable       seconds behind; how many take reads
//	orders.per_min, queue.depth, queue.dead orders; messages that wait, and that were given up
//	db.p99_s                                99th percentile of statements in s
//	processes.up_ratio                      share of the processes that run
//	cpu.cores                               processors in use
//	runtime.gc_cpu.max, runtime.sched_p99_s.max
func DefaultRules(d Defaults) []Rule {
	def(&d.Objective, 0.999)
	def(&d.Scale, 1)
	traffic := Guard{"http.rps", 1}
	rules := []Rule{
		{Name: "processes-down", Severity: Page, Group: "availability", For: 5 * time.Second, Text: "A process of the platform does not run, or is not ready.",
			When: Threshold{Sample: "processes.up_ratio", Is: Below, Limit: 1}},
		{Name: "error-budget-fast", Severity: Page, Group: "availability", Text: "So many answers are bad that a month's error budget is gone in two days.",
			When: d.burn(14.4, time.Hour, 5*time.Minute)},
		{Name: "error-budget-slow", Severity: Ticket, Group: "availability", Text: "More answers are bad than the objective allows: the month's error budget is gone in five days.",
			When: d.burn(6, 6*time.Hour, 30*time.Minute)},
		{Name: "errors-unusual", Severity: Ticket, Group: "availability", For: 20 * time.Second, Text: "More answers are bad than usual.",
			When: Anomaly{Sample: "http.good_ratio", Is: Below, ByAbs: 0.005, If: traffic}},
		{Name: "shedding", Severity: Page, Group: "availability", For: 30 * time.Second, Text: "Shoppers are turned away because there are too many for what runs.",
			When: Threshold{Sample: "shed.ratio", Is: Above, Limit: 0.05, Clear: 0.01, If: traffic}},

		{Name: "latency-high", Severity: Page, Group: "latency", For: time.Minute, Text: "One in a hundred shoppers waits longer than a second for an answer.",
			When: Threshold{Sample: "http.p99_s", Is: Above, Limit: 1, Clear: 0.7, If: traffic}},
		{Name: "latency-unusual", Severity: Ticket, Group: "latency", For: 20 * time.Second, Text: "Answers take much longer than usual.",
			When: Anomaly{Sample: "http.p99_s", Is: Above, Scale: Log, Z: 5, By: 1, ByAbs: 0.02, If: traffic}},
		{Name: "db-slow", Severity: Ticket, Group: "latency", For: time.Minute, Text: "Statements take long: one in a hundred more than half a second.",
			When: Threshold{Sample: "db.p99_s", Is: Above, Limit: 0.5, Clear: 0.3}},
		{Name: "db-unusual", Severity: Ticket, Group: "latency", For: 20 * time.Second, Text: "Statements take much longer than usual.",
			When: Anomaly{Sample: "db.p99_s", Is: Above, Scale: Log, Z: 5, By: 1, ByAbs: 0.02}},

		{Name: "replica-lag", Severity: Ticket, Group: "data", For: 2 * time.Second, Text: "A replica is behind; reads go to others, or to the primary.",
			When: Threshold{Sample: "replica.lag_s.max", Is: Above, Limit: 2, Clear: 1}},
		{Name: "replicas-gone", Severity: Page, Group: "data", For: 15 * time.Second, Text: "No replica takes reads: the primary has them all.",
			When: Threshold{Sample: "replica.usable", Is: Below, Limit: 1}},
		{Name: "queue-depth", Severity: Ticket, Group: "data", For: time.Minute, Text: "The worker does not keep up: mails, stock and purges are late.",
			When: Threshold{Sample: "queue.depth", Is: Above, Limit: 10_000, Clear: 2_000}},
		{Name: "dead-letters", Severity: Ticket, Group: "data", For: 10 * time.Second, Text: "Messages were given up; what they were about is not done.",
			When: Threshold{Sample: "queue.dead", Is: Above, Limit: 0}},

		{Name: "orders-drop", Severity: Page, Group: "business", For: 30 * time.Second, Text: "Far fewer orders come in than usual, though shoppers are there.",
			When: Anomaly{Sample: "orders.per_min", Is: Below, Scale: Root, By: 0.5, ByAbs: 5, If: traffic}},
		{Name: "traffic-drop", Severity: Info, Group: "business", For: time.Minute, Text: "Far fewer requests come in than usual: shoppers may not reach us.",
			When: Anomaly{Sample: "http.rps", Is: Below, Scale: Log, By: 0.6, ByAbs: 10}},

		{Name: "edge-hits-drop", Severity: Ticket, Group: "cache", For: 30 * time.Second, Text: "The edge answers much less from its cache than usual: the servers behind it get the rest.",
			When: Anomaly{Sample: "edge.hit_ratio", Is: Below, ByAbs: 0.15, If: traffic}},
		{Name: "l1-hits-drop", Severity: Ticket, Group: "cache", For: 30 * time.Second, Text: "The first cache tier knows much less than usual: Redis and the replicas get the rest.",
			When: Anomaly{Sample: "cache.l1.hit_ratio", Is: Below, ByAbs: 0.15, If: traffic}},

		{Name: "gc-pressure", Severity: Ticket, Group: "resources", For: 2 * time.Minute, Text: "A process spends much of its time on collecting garbage.",
			When: Threshold{Sample: "runtime.gc_cpu.max", Is: Above, Limit: 0.25, Clear: 0.15}},
		{Name: "scheduler-late", Severity: Ticket, Group: "resources", For: time.Minute, Text: "Work that is ready waits long for a processor.",
			When: Threshold{Sample: "runtime.sched_p99_s.max", Is: Above, Limit: 0.1, Clear: 0.05}},
	}
	if d.Cores > 0 {
		rules = append(rules, Rule{Name: "cpu-saturated", Severity: Ticket, Group: "resources", For: 2 * time.Minute, Text: "The processors are busy: more load makes everything slower.",
			When: Threshold{Sample: "cpu.cores", Is: Above, Limit: 0.9 * d.Cores, Clear: 0.75 * d.Cores}})
	}
	for i := range rules {
		rules[i].Runbook = Runbooks + rules[i].Name + ".md"
	}
	return rules
}

func (d Defaults) burn(rate float64, long, short time.Duration) Burn {
	scaled := func(w time.Duration) time.Duration { return time.Duration(float64(w) * d.Scale) }
	return Burn{Good: "http.good_ratio", Weight: "http.rps", Objective: d.Objective, Rate: rate, Long: scaled(long), Short: scaled(short), MinEvents: 100}
}
