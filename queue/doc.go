// Package queue carries events from database transactions to idempotent handlers, and invalidations between processes.
//
// # Parts
//
//   - An outbox table ([OutboxDDL]): whoever changes something writes what happened into it in the same transaction.
//   - A [Relay] moves committed rows into a JetStream stream and deletes them once the stream has them on file.
//   - A [Consumer] hands each event to a function, with retries, backoff and heartbeats for long work.
//   - What cannot be handled goes to a dead-letter stream; [DeadLetters] lists, replays and purges it.
//   - A [Bus] tells every live process something and returns when all of them have acted on it.
//
// # Promises
//
//   - Every committed outbox row reaches every durable consumer of its topic at least once, whoever is killed in
//     between; a row that was rolled back never does. Repeats are rare (the stream drops those it has seen in the last
//     two minutes) but do happen: handlers must be idempotent, with [Message.ID] as the key if need be.
//   - What the stream acknowledged survives the death of the server's process. To survive the loss of power too, run
//     the server with sync_interval: always, or with three replicas ([StreamOptions.Replicas]).
//   - A message leaves its consumer in two ways only: handled, or stored as a dead letter.
//   - A full stream never drops what somebody has still to handle: it first forgets what everybody has handled, then
//     refuses, and the outbox keeps the rest.
//   - A Broadcast that returned nil has been acted on by every process that was alive when it began and still is.
//
// # Not promised, and when not to use it
//
// Order: messages are handled concurrently and repeated out of turn, so put a version into the payload and apply only
// what is newer. Exactly-once effects outside a database. Low latency for high volumes of tiny events: each costs a row
// that is written and deleted; clickstreams should go to JetStream directly. Messages nobody handled within
// [StreamOptions.MaxAge] are forgotten.
package queue
