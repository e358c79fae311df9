// Package duckstore keeps analytics events in a DuckDB database inside the calling process. It is a package of its own because it links
// DuckDB, some 70 MB of C++: only the program that owns a store imports it.
//
// Events are in the view "events"; times are UTC, absent fields NULL:
//
//	id UUID, time TIMESTAMP, received TIMESTAMP, kind VARCHAR, shopper UBIGINT (a hash), product BIGINT, order_id UUID, category VARCHAR,
//	query VARCHAR, quantity INTEGER, amount BIGINT (minor units), currency VARCHAR, source VARCHAR, attributes VARCHAR (JSON),
//	weight FLOAT (of how many events it stands for, when its kind is sampled)
//
// # Promises
//
//   - Append is one transaction, forced to disk: rows and place in the stream together, or neither. A large one (Options.Land) is written
//     as a Parquet file, kind after kind, which costs a tenth of what DuckDB's appender does; the transaction lists it. What is asked of
//     one kind then reads little more than its own events, and often less time than a table of DuckDB's own would take; what is asked of one shopper, only of
//     row groups that may have it.
//   - Query runs a single SELECT, in a transaction that cannot write, in a database that reaches neither network nor files but the
//     store's own; it ends at its deadline.
//   - Maintain joins small files and moves whole days, once they are old enough, into Parquet files sorted by kind and time, and deletes what is older than
//     is kept; whenever it is killed, each event is in the view exactly once afterwards.
//
// # When not to use it
//
// One process owns a store; several machines need a server.
package duckstore
