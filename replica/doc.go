// Package replica sends reads to the streaming replicas of a PostgreSQL primary, and writes to whichever server is the primary.
//
// A [Group] watches the servers of one cluster: log position, timeline, health and load of each, once an interval and over
// connections of its own; a read only looks at what was found. A [Set] is one database on these servers ([New] makes a Set
// with a Group of its own). The caller says what it wants, SQL is never guessed at: [Set.View] hands out a [Reader], which cannot
// write, [Set.Write] a transaction on the primary. Of two random replicas a read takes the one with less work in flight weighted by its
// smoothed latency. Pools of replicas that are opened by a [Line], one for a server, make reads cheaper: a server that hangs has its
// connections cut, where otherwise each read needs a context of its own to be ended by.
//
// # Promises
//
//   - Read your writes: a read sees everything that its context asks for. What a request commits through Write, or reports with
//     [Set.Wrote], goes to its [Collector]; as a [Token], signed by a [Signer], it travels with the session (package causal: in a
//     cookie), and binds reads in any process. [Set.Require] binds all reads of this process. A replica that has not been seen to
//     replay so much is passed over; a read waits Options.TokenWait for one, then it takes the primary. No time is guessed at.
//   - A node that fails on the level of the connection, hangs, is slow or too far behind is taken out, and the read is repeated
//     elsewhere. The checker lets it in again half-open: one read at a time, until three in a row were good.
//   - When no replica can serve, the primary serves a bounded number of reads, and the rest fails at once with [ErrOverloaded], which
//     says when to come back. So the primary survives its replicas.
//   - Without the primary, replicas go on answering whatever does not require more than they have replayed.
//   - After a failover Write goes to the new primary, having waited for it. A commit that was sent and not answered is [ErrUnknown], and
//     is not repeated. With a [Fence] in its pools a process never writes to a primary of a timeline that was left behind.
//
// # Lag
//
// Lag in bytes is the primary's flushed position, as last read, less what the replica has replayed. Lag in time is for how long the
// primary has been known to be further than that: the checker's own readings of the primary are the heartbeat, so nothing has to be
// written, and an idle primary is not mistaken for a late replica, as it would be by pg_last_xact_replay_timestamp alone. That is in
// [Status] too, as ReplayDelay.
//
// # Failover
//
// The router only follows; promoting is for Patroni, an operator or, on one machine, the supervisor. The primary's pool needs a DSN
// that names all servers (host=a,b target_session_attrs=read-write, or a Fence's Guard), and all servers are listed as replicas:
// one that accepts writes is left out of the reads until it is a standby. Pools opened by a [Gate], one for a cluster, are emptied
// when the primary is lost, and make no connection until there is another: code that writes by other means than Write has to repeat
// what failed on the level of the connection once, and no more. The checker looks for a lost primary every 200 ms. Timelines of
// standbys are read from pg_stat_wal_receiver, for which the role needs pg_monitor; without it they lag until the standby's next
// checkpoint, and it stays out that long after a failover.
//
// # When not to use it
//
// Reads that decide about a write belong in the transaction that writes. Functions given to View, Read and Write are run again after
// a failure: they must not have effects of their own. A cache between reader and Set must not answer one session from a load that
// another one began before the write: drop what was written from it.
package replica
