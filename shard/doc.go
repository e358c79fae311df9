// Package shard finds the database that owns a key, and asks all of them at once.
//
// A [Map] turns a key into a shard id; [Ring] is the consistent-hash map: bringing in one shard moves about 1/(n+1)
// of the keys, all of them to the new shard. A [Cluster] joins a map with one connection pool per shard: [Cluster.OnShard]
// for work on one key, [Cluster.OnAll] for work on every shard in parallel.
//
// # Promises
//
//   - Locating a key takes one MD5 and one binary search, and does not allocate.
//   - The position of a key depends only on the ids and weights of the shards, never on their order, the process or
//     the version of this package.
//   - OnAll gives each shard its own deadline, loses no error, and does not swallow a panic.
//
// # When not to use it
//
// A ring spreads keys, it cannot keep ranges together: a scan over neighbouring keys touches every shard. A transaction
// spans one shard; work over several needs steps that can be repeated. MD5 places keys here, it protects nothing: whoever
// chooses keys freely can put them all on one shard.
package shard
