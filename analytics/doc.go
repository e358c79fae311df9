// Package analytics takes in what happens in a shop, a million events a second on one machine, keeps it for SQL, and tells
// what is going on right now.
//
// # Parts
//
//   - An [Event] has a fixed schema; [Reader] reads it from JSON and says what is wrong with which event. A [Batch] holds
//     many of them column by column and is encoded compactly for the way between processes.
//   - A [Collector] joins events of many callers into batches and publishes them to a JetStream stream ([EnsureStream]).
//   - An [Ingester] reads the stream, drops events whose id it has seen, and stores the rest together with its place in the stream.
//   - A [Store] keeps events for SQL; package duckstore is one, embedded, clickstore one for many machines.
//   - [Live] are windows over the last hour: revenue, funnel, shoppers, top lists, computed as events pass.
//
// # Promises
//
//   - What [Collector.Add] returned nil for is stored exactly once, whoever is killed in between: the stream has it on file, and the place
//     in the stream commits with the rows.
//   - An event that comes again, with the same id and time, is stored once, however much later: within [IngestOptions].Window from
//     memory, exactly; an older one is looked up in the store.
//   - A full stream, or a dead one, is [ErrBusy] for whoever adds, never a loss. Events handed to [Collector.Track], whose callers do not
//     wait, are dropped when too many of them wait, and counted.
//   - Windows show an event as soon as it has come from the stream, which has it on file, and once; after a start they are made of what is
//     stored.
//
// # When not to use it
//
// Totals that must agree to the cent at every moment belong to the books themselves: events are a moment late, and only those that come
// from an outbox reconcile with them. One process ingests a stream; more than one store for one stream is not provided for.
// The server acknowledges what it has written to its file: to survive the loss of power too, let it force files to disk.
package analytics
