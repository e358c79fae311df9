// Package clickstore keeps analytics events in a ClickHouse server, over its native protocol: for installations whose events do not fit
// the machine that takes them in. Package duckstore is the store for one machine.
//
// Events are in the view "events", with the columns that duckstore's has; times are UTC, absent fields NULL. The reports of package
// analytics run on either.
//
// # Promises
//
//   - Append stores its events once, whoever dies in between, and however often it is tried. All of them go as one block into one part,
//     each row with the number of its append, the place in the stream and the process that wrote it. The number is the block's
//     deduplication token: of several attempts, of this process or of one that was taken for dead, the first that comes is kept, and each
//     looks afterwards whose it was. One that lost gets [analytics.ErrDisplaced], and has to open the store anew, which tells it from
//     where to go on.
//   - What Append returned nil for is forced to the server's disk, and its place is in the table "place"; after a crash between the two
//     the rows tell the place.
//   - A server that is down or slow is an error of Append, within a bounded time: whoever feeds the store keeps the events and tries again.
//   - Query runs a single SELECT with readonly=1, bounded in time, rows, bytes and memory, under an id of its own (system.query_log has it);
//     it cannot lift these bounds. Every call over the network has a deadline.
//   - The schema has a version; an older store is migrated when it is opened, a newer one is refused. Events are deleted by the table's TTL.
//
// # What the server has to be, and what was tried
//
// One server, or a service that looks like one. The user needs SELECT, INSERT, CREATE TABLE, CREATE VIEW, ALTER, and CREATE DATABASE if the
// database is to be made; give it nothing else, above all none of the SOURCES privileges (ON *.*), and a database of its own: what SQL may
// read is what this user may read.
//
// The statements, the blocks and the deduplication, also of asynchronous inserts, are tested against the engine of ClickHouse 26.7 itself, as
// the library chdb has it (make test-clickhouse fetches it), behind a small server of the native protocol that belongs to the tests; without
// the library the same tests run against a stand-in for the engine. NOT run against anything real, because no server was to be had: the
// server's own network code, authentication and TLS, the limits and grants of users, TTL deleting in the background, the loss of power, older
// versions, and what a server of several machines (ReplicatedMergeTree, Keeper, Distributed) does. No figure of speed is claimed.
//
// # When not to use it
//
// On one machine: duckstore needs no server and is not over a network. For replicated tables: the promise above rests on one server that
// orders the blocks. Export writes CSV only; the server's own clients write Parquet.
package clickstore
