// Package move brings keys from shard to shard while they are in use.
//
// The map of shards is a versioned [Topology] in one database, the coordinator. Every process that uses the shards runs a
// [Follower], which keeps its [shard.Cluster] to the topology. A [Mover] takes the topology to the next one: it copies the rows
// of keys that change owner, follows the changes made meanwhile, compares, and puts the new map in force within a moment in
// which work on these keys waits. Rows are found by the column that holds their key; the tables are described by [Table].
//
// # Promises
//
//   - Nothing that was committed is lost, and nothing is written to the old owner once the new map is in force: the old
//     owner's database refuses it, with [shard.MovedState], on which [shard.Cluster.Do] repeats the work at the new one.
//   - Work on moving keys waits for at most Options.HoldFor an attempt; other keys are not concerned.
//   - A mover may die anywhere. The next [Mover.Run] goes on; until then the shop goes on under the old map, or under the new one.
//   - Until the new map is in force, [Mover.Abort] leaves everything as it was.
//
// # When not to use it
//
// Tables need a primary key, and neither it nor the sharding key of a row may change. Rows that are not found by a key,
// such as an outbox, stay. Queries over all shards see copies twice during a move. A process that was stopped for longer
// than the whole move took and wakes up reads at the old owner until it looks at the topology, a second later at most.
package move
