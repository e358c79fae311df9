// Package sqltune finds out why a statement is slow on PostgreSQL, and which indexes a database should have.
//
// [Explain] runs EXPLAIN safely and looks through the plan; [Read] does that for a plan that was written down. [Query] runs a read that
// cannot hurt: bounded in rows and time. [Workload] reads what pg_stat_statements has counted, [Compare] tells what got slower since.
// [Advise] proposes indexes for a workload, costed by HypoPG where it is installed, and [Apply] creates them, measures, and keeps those
// alone that make the captured statements faster without making writes too slow.
//
// # Promises
//
//   - Nothing is changed by looking: statements run in a transaction that is read-only and has a time-out, one at a time, on a connection
//     of their own. A statement that writes is explained, and run only when told to, in a transaction that is rolled back.
//   - Any plan of PostgreSQL 9.6 and later is read; what is not known in it is passed over.
//   - Apply creates indexes CONCURRENTLY, under names by which the next run recognises what an interrupted one has left, and drops that.
//
// # When not to use it
//
// A plan tells how one statement ran once, alone: waits for locks, for a busy disk or for the network are not in it. Functions that a
// SELECT calls may have effects outside the database that no roll-back undoes; those of PostgreSQL that do are refused, yours are not
// known. Sizes and costs of indexes that do not exist yet are estimates.
//
// A database to be looked at needs version 12 or later; plans from files, 9.6.
package sqltune
