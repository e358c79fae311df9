// Package telemetry measures a running process and keeps little of it: how long things took, by name, over the last ten
// seconds, minute, five minutes and hour.
//
// A [Histogram] counts values in buckets whose width grows with the value, so that quantiles are right within one per cent
// whatever was recorded, and histograms of several processes can be added up. A [Set] has one for each series, a name of a
// kind: "GET /products/{id}" of the routes, "GetCart" of the queries. [Set.Export] is what another process reads and
// [Merge] adds up. [ReadRuntime] tells about memory, collector, scheduler and locks.
//
// Below this package are the things that look at such figures: telemetry/alert (rules, silences, notifications),
// telemetry/profile (profiles taken all the time, and what changed between two of them), telemetry/flight (the execution
// trace of the seconds before a slow request) and telemetry/spans (what a request spent its time on).
//
// # Promises
//
//   - A quantile is within 1 % of the value of that rank, from 64 ns to 73 min ([MinValue], [MaxValue]); outside it is the
//     nearest of the two.
//   - Recording is an atomic addition or two, takes no lock and, once a series has seen values of such a size, allocates
//     nothing. It never waits for a reader.
//   - Memory is bounded: by the number of names of a kind (the rest are counted together as [Other]) and by the number of
//     slots in which the past is kept.
//   - Exports add up: the merged figures are those that one process would have had that did it all, within the same 1 %.
//
// # When not to use it
//
// For figures that have to be exact, such as money; for values that can be negative; for names that come from outside
// (they all end up in [Other], and whoever comes first has a name). What must outlive the process belongs into a
// time-series database: scrape /metrics.
package telemetry
