// Package replica sends reads to the streaming replicas of a PostgreSQL primary.
//
// A [Set] knows the primary and its replicas. A checker of its own measures, once an interval and over connections of
// its own, how far each replica has replayed; a read only looks at what it found. [Set.Read] picks, of two random
// healthy replicas, the one with less work in flight weighted by its smoothed latency.
//
// # Promises
//
//   - After [Set.Require] no read in this process sees a state older than that LSN: replicas that have not been seen to
//     replay it are passed over until they have, and the primary answers meanwhile.
//   - A node that fails on the level of the connection is taken out at once, and the read is repeated elsewhere, at last on
//     the primary. The checker brings the node back when it answers again.
//   - Without the primary, replicas go on answering whatever does not require more than they have replayed.
//
// # When not to use it
//
// Requirements are per process: pass LSNs along (in a message or a token) to have other processes honour them. Reads that
// decide about a write belong in the transaction that writes, on the primary. Functions given to Read are run again after
// a failure: they must not have effects of their own.
package replica
