package dashboard

// The metrics that the figures are made of.
const (
	edgeSeconds    = "stampede_edge_request_seconds"
	edgeRequests   = "stampede_edge_requests_total"
	edgeInFlight   = "stampede_edge_in_flight_requests"
	edgeCache      = "stampede_edge_cache_requests_total"
	edgeMemory     = "stampede_edge_cache_memory_bytes"
	limited        = "stampede_limit_decisions_total"
	wafRequests    = "stampede_waf_requests_total"
	routeSeconds   = "stampede_http_request_duration_seconds"
	routeRequests  = "stampede_http_requests_total"
	cacheHits      = "stampede_cache_hits_total"
	cacheMisses    = "stampede_cache_misses_total"
	cacheLoads     = "stampede_cache_loads_total"
	cacheStale     = "stampede_cache_stale_total"
	cacheBytes     = "stampede_cache_l1_bytes"
	querySeconds   = "stampede_query_seconds"
	queryErrors    = "stampede_query_errors_total"
	replicaLag     = "stampede_replica_lag_seconds"
	replicaHealthy = "stampede_replica_healthy"
	replicaReads   = "stampede_replica_reads_total"
	replicaLatency = "stampede_replica_latency_seconds"
	outboxLag      = "queue_outbox_lag_seconds"
	queueMessages  = "queue_messages_total"
	queueLag       = "queue_lag_seconds"
	queuePending   = "stampede_queue_pending"
	queueDead      = "stampede_queue_dead"
	failovers      = "stampede_failovers_total"
	checkoutPath   = "/orders/checkout"
	pageCheckout   = "/bag/checkout"
	admission      = "stampede_admission_decisions_total"
	admissionLimit = "stampede_admission_limit"
	admissionBusy  = "stampede_admission_in_flight"
	roomWaiting    = "stampede_waitroom_waiting"

	// RuntimeGC and RuntimeWait are gauges of a process's Go runtime: the share of processor time that collecting garbage takes,
	// and how many seconds work that is ready waits for a processor (99th percentile).
	RuntimeGC   = "stampede_runtime_gc_cpu_ratio"
	RuntimeWait = "stampede_runtime_sched_p99_seconds"
)

var wanted = set(edgeSeconds, edgeRequests, edgeInFlight, edgeCache, edgeMemory, limited, wafRequests, routeSeconds, routeRequests,
	cacheHits, cacheMisses, cacheLoads, cacheStale, cacheBytes, querySeconds, queryErrors, replicaLag, replicaHealthy,
	replicaReads, replicaLatency, outboxLag, queueMessages, queueLag, queuePending, queueDead, failovers, admission, admissionLimit, admissionBusy, roomWaiting, RuntimeGC, RuntimeWait,
	"process_cpu_seconds_total", "process_resident_memory_bytes", "batch_run_seconds", // of these, and of what follows, advice is made
	"stampede_cache_l2_up", "stampede_cache_l2_errors_total", "stampede_cache_seconds", "stampede_replica_lag_bytes", "stampede_query_failures_total",
	"queue_broadcast_seconds", "queue_bus_members", "queue_outbox_failures_total", "stampede_analytics_failed_total", "stampede_analytics_published_total",
	"stampede_edge_origin_seconds", "stampede_edge_origin_requests_total", "stampede_edge_origin_up", "stampede_payment_seconds", "process_open_fds",
	"stampede_clock_seconds")

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}
