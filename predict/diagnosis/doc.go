// Package diagnosis says what is wrong with a running platform, where, and since when, from its metrics alone.
//
//	d := diagnosis.New(diagnosis.Options{})
//	d.Observe(sample)               // once a second
//	for _, f := range d.Findings() { … f.Component, f.Fault, f.Evidence, f.Command … }
//
// A [Sample] is a flat set of figures by name; what follows the slash is the part of the platform they are of:
//
//	process.running, .answers, .restarts   1 when it runs; when it gave its figures (roles only); how often it was started again
//	probe.ok, probe.s                   1 when a server answered a first message; seconds that took
//	replica.lag, .lag_bytes, .healthy, .latency   by node: the worst of what processes see, share of them that find it healthy
//	db.n, db.errors, db.failed          statements and errors by node; errors by DATABASE:CLASS of the SQLSTATE
//	write.n, write.s                    transactions of shoppers, and their seconds
//	l2.up, l2.errors, l2.hits, l2.misses, l2.n, l2.s   the shared cache (Redis) as processes see it
//	bus.n, bus.s, bus.members, outbox.failures, outbox.n, outbox.s, outbox.pending, intake.failed, intake.n   the queue (NATS);
//	                                    .members: others on a bus, as the process sees it that hears of most
//	origin.n, origin.s, origin.5xx, origin.failed, origin.up   each API process as the edge sees it
//	http.n, http.5xx, http.checkouts, http.fds, http.in_flight   at the edge
//	payment.n, payment.unknown          charges, and those without an answer
//	cpu.busy, cpu.cores, cpu.ours       share of the machine, its processors, and how many the platform uses
//	clock.ahead                         seconds that a process's clock is off
//
// Counters are growth within the second. A figure that is missing is not known, which is no reason to find anything.
//
// # What it promises
//
//   - A finding needs the same sign in several samples, and stays until the sign is gone for several: what swings is not told twice.
//   - Causes hide their consequences: when a server is dead, nobody is told as well that it is not reached.
//   - "Much more than usual" compares with the median of the last two minutes before it began, never with the fault itself.
//   - Memory is bounded: Options.Window samples; the same samples give the same findings.
//
// # When not to use it
//
// It knows the faults that are in its table ([Faults]). Something else shows as an alert without a finding. It cannot tell a full disk
// from a quota, nor a paused replay from one that starves: both need the same look, which is what it says.
package diagnosis
