// Package shard finds the database that owns a key, asks all of them at once, and follows keys that move.
//
// A [Map] turns a key into a shard id. [Ring] is the consistent-hash map: bringing in one shard moves about 1/(n+1) of the
// keys, all of them to the new shard. [RangeMap] keeps neighbouring keys together, [Directory] pins single keys and spans of
// keys over another map. [OwnerSQL] writes any of them as an SQL expression. A [Cluster] joins a map with one connection pool
// per shard:
//
//   - [Cluster.Do] and [DoEach] work on the owner of a key, or of many, and repeat the work elsewhere when a key has moved;
//   - [Cluster.OnAll], [Gather], [Sum] and [Count] ask every shard in parallel, with an explicit [Policy] for partial answers;
//   - [Merge] streams ordered items of all shards in one order, up to a limit.
//
// Package move, below, brings keys from shard to shard while they are in use.
//
// # Promises
//
//   - Locating a key on a ring takes one MD5, for keys up to 55 bytes most of one, and a look at three places; it does not
//     allocate for keys up to 128 bytes.
//   - The position of a key depends only on the ids and weights of the shards, never on their order, the process or
//     the version of this package.
//   - Calls to all shards give each its own deadline, lose no error, do not swallow a panic, and leave no goroutine behind.
//   - Exchanging the map does not disturb work that runs; work on held keys waits, all other work does not.
//
// # When not to use it
//
// A ring spreads keys, it cannot keep ranges together: a scan over neighbouring keys touches every shard. A transaction
// spans one shard; work over several needs steps that can be repeated. MD5 places keys here, it protects nothing: whoever
// chooses keys freely can put them all on one shard.
package shard
